package remote

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// execution is one command as the server received it.
type execution struct {
	command     string
	stdin       string
	environment map[string]string
}

// sshServer is an SSH server on a loopback port of its own. Its fields are set before start.
type sshServer struct {
	config      ssh.ServerConfig
	acceptEnv   []string
	hangUpFirst int // connections to close before one is served
	answer      func(execution) (stdout, stderr string, status int)

	listener    net.Listener
	mutex       sync.Mutex
	dials       int
	open        int
	tunnelledTo []string
	executions  []execution
}

// newServer returns a server that lets user in with key and answers every command with nothing.
func newServer(t *testing.T, hostKey ssh.Signer, user string, key ssh.PublicKey) *sshServer {
	t.Helper()
	server := &sshServer{answer: func(execution) (string, string, int) { return "", "", 0 }}
	server.config.AddHostKey(hostKey)
	server.config.PublicKeyCallback = func(meta ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
		if meta.User() == user && slices.Equal(offered.Marshal(), key.Marshal()) {
			return nil, nil
		}
		return nil, io.ErrUnexpectedEOF
	}
	return server
}

func (s *sshServer) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(connection)
		}
	}()
}

func (s *sshServer) port() *float64 {
	port := float64(s.listener.Addr().(*net.TCPAddr).Port)
	return &port
}

func (s *sshServer) seen() []execution {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.executions)
}

func (s *sshServer) dialled() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.dials
}

func (s *sshServer) serve(connection net.Conn) {
	s.mutex.Lock()
	s.dials++
	hangUp := s.dials <= s.hangUpFirst
	s.mutex.Unlock()
	if hangUp {
		connection.Close()
		return
	}
	_, channels, requests, err := ssh.NewServerConn(connection, &s.config)
	if err != nil {
		return
	}
	s.mutex.Lock()
	s.open++
	s.mutex.Unlock()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		switch offered.ChannelType() {
		case "session":
			go s.session(offered)
		case "direct-tcpip":
			go s.tunnel(offered)
		default:
			offered.Reject(ssh.UnknownChannelType, offered.ChannelType())
		}
	}
	s.mutex.Lock()
	s.open--
	s.mutex.Unlock()
}

func (s *sshServer) session(offered ssh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	received := execution{environment: map[string]string{}}
	for request := range requests {
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			ssh.Unmarshal(request.Payload, &variable)
			accepted := slices.Contains(s.acceptEnv, variable.Name)
			if accepted {
				received.environment[variable.Name] = variable.Value
			}
			request.Reply(accepted, nil)
		case "exec":
			var command struct{ Text string }
			ssh.Unmarshal(request.Payload, &command)
			received.command = command.Text
			request.Reply(true, nil)
			stdin, _ := io.ReadAll(channel)
			received.stdin = string(stdin)
			s.mutex.Lock()
			s.executions = append(s.executions, received)
			s.mutex.Unlock()
			stdout, stderr, status := s.answer(received)
			io.WriteString(channel, stdout)
			io.WriteString(channel.Stderr(), stderr)
			channel.SendRequest("exit-status", false, binary.BigEndian.AppendUint32(nil, uint32(status)))
			return
		default:
			request.Reply(false, nil)
		}
	}
}

func (s *sshServer) tunnel(offered ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	ssh.Unmarshal(offered.ExtraData(), &target)
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	connection, err := net.Dial("tcp", address)
	if err != nil {
		offered.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	s.mutex.Lock()
	s.tunnelledTo = append(s.tunnelledTo, address)
	s.mutex.Unlock()
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		io.Copy(connection, channel)
		connection.Close()
	}()
	io.Copy(channel, connection)
	channel.Close()
}

// keyPair is an Ed25519 key in the three shapes the tests need.
type keyPair struct {
	signer     ssh.Signer
	private    string
	authorized string
}

func newKeyPair(t *testing.T) keyPair {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return describeKey(t, private, "")
}

func describeKey(t *testing.T, private any, passphrase string) keyPair {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{
		signer:     signer,
		private:    string(pem.EncodeToMemory(block)),
		authorized: string(ssh.MarshalAuthorizedKey(signer.PublicKey())),
	}
}

func pointerTo[T any](value T) *T { return &value }
