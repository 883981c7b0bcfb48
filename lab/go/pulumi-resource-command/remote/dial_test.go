package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestWrongHostKeyFailsEveryDial(t *testing.T) {
	g := newTarget(t, nil)
	g.state.Connection.HostKey = pointerTo(newKeyPair(t).authorized)
	g.state.Connection.DialErrorLimit = pointerTo(1)
	_, err := g.state.Run(context.Background(), pointerTo("true"))
	if err == nil || err.Error() != "after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch" {
		t.Errorf("got %v", err)
	}
	if got := g.server.dialled(); got != 2 {
		t.Errorf("dialled %d times", got)
	}
}

func TestHostKeyFixesItsAlgorithm(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second := describeKey(t, private, "")
	g := newTarget(t, func(server *sshServer) { server.config.AddHostKey(second.signer) })
	for _, key := range []*string{g.state.Connection.HostKey, &second.authorized} {
		g.state.Connection.HostKey = key
		g.mustRun(t, "true")
	}
}

// An RSA key's type is the name of its SHA-1 signature, which OpenSSH has not offered since 8.8: a host key
// for the official provider has to be Ed25519 or ECDSA.
func TestRSAHostKeyAsksForItsSHA1Signature(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSH_AUTH_SOCK", "")
	config, err := Endpoint{HostKey: pointerTo(describeKey(t, private, "").authorized)}.clientConfig()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.HostKeyAlgorithms, []string{ssh.KeyAlgoRSA}) {
		t.Errorf("got %q", config.HostKeyAlgorithms)
	}
}

func TestUnsetHostKeyAcceptsAnyKey(t *testing.T) {
	g := newTarget(t, nil)
	g.state.Connection.HostKey = nil
	g.mustRun(t, "true")
}

func TestUnreadableHostKeyIsAnErrorBeforeDialling(t *testing.T) {
	g := newTarget(t, nil)
	g.state.Connection.HostKey = pointerTo("SHA256:abc")
	if _, err := g.state.Run(context.Background(), pointerTo("true")); err == nil ||
		!strings.Contains(err.Error(), "host key") {
		t.Errorf("got %v", err)
	}
	if got := g.server.dialled(); got != 0 {
		t.Errorf("dialled %d times", got)
	}
}

func TestEncryptedPrivateKey(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := describeKey(t, private, "secret")
	g := newTarget(t, func(server *sshServer) {
		server.config.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if slices.Equal(key.Marshal(), client.signer.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("another key")
		}
	})
	g.state.Connection.PrivateKey = &client.private
	g.state.Connection.PrivateKeyPassword = pointerTo("secret")
	g.mustRun(t, "true")
	g.state.Connection.PrivateKeyPassword = nil
	if _, err := g.state.Run(context.Background(), pointerTo("true")); err == nil {
		t.Error("no error without the passphrase")
	}
}

func TestPassword(t *testing.T) {
	g := newTarget(t, func(server *sshServer) {
		server.config.PublicKeyCallback = nil
		server.config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) == "s3cret" {
				return nil, nil
			}
			return nil, errors.New("another password")
		}
	})
	g.state.Connection.Password = pointerTo("s3cret")
	g.mustRun(t, "true")
	g.state.Connection.Password = pointerTo("wrong")
	if _, err := g.state.Run(context.Background(), pointerTo("true")); err == nil ||
		!strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordAnswersEveryKeyboardInteractiveQuestion(t *testing.T) {
	g := newTarget(t, func(server *sshServer) {
		server.config.PublicKeyCallback = nil
		server.config.KeyboardInteractiveCallback = func(
			_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge,
		) (*ssh.Permissions, error) {
			answers, err := challenge("", "", []string{"Password: ", "Again: "}, []bool{false, false})
			if err != nil || !slices.Equal(answers, []string{"s3cret", "s3cret"}) {
				return nil, fmt.Errorf("answered %q, %w", answers, err)
			}
			return nil, nil
		}
	})
	g.state.Connection.Password = pointerTo("s3cret")
	g.mustRun(t, "true")
}

func TestAgentOfTheEnvironmentAndOfTheConnection(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(keyring, connection)
		}
	}()
	key := describeKey(t, private, "").signer.PublicKey()
	g := newTarget(t, func(server *sshServer) {
		server.config.PublicKeyCallback = func(_ ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
			if slices.Equal(offered.Marshal(), key.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("another key")
		}
	})
	g.state.Connection.PrivateKey = nil

	t.Setenv("SSH_AUTH_SOCK", socket)
	g.mustRun(t, "true")

	t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "none"))
	g.state.Connection.AgentSocketPath = &socket
	g.mustRun(t, "true")
}

func TestStaleAgentSocketFailsAConnectionThatHasAKey(t *testing.T) {
	g := newTarget(t, nil)
	t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "none"))
	if _, err := g.state.Run(context.Background(), pointerTo("true")); err == nil ||
		!strings.Contains(err.Error(), "dial unix") {
		t.Errorf("got %v", err)
	}
}

func TestDialIsTriedAgainAndEachFailureIsShown(t *testing.T) {
	log := recordLog(t)
	g := newTarget(t, func(server *sshServer) { server.hangUpFirst = 2 })
	g.state.Connection.DialErrorLimit = pointerTo(2)
	g.mustRun(t, "true")
	want := []logged{
		{slog.LevelInfo, true, "Dial 1/2 failed: retrying"},
		{slog.LevelInfo, true, "Dial 2/2 failed: retrying"},
	}
	if got := log(); !slices.Equal(got, want) {
		t.Errorf("logged %+v", got)
	}
}

func TestDialGivesUpAfterItsLimit(t *testing.T) {
	g := newTarget(t, func(server *sshServer) { server.hangUpFirst = 3 })
	g.state.Connection.DialErrorLimit = pointerTo(2)
	_, err := g.state.Run(context.Background(), pointerTo("true"))
	if err == nil || !strings.HasPrefix(err.Error(), "after 2 failed attempts: ") {
		t.Errorf("got %v", err)
	}
	if got := g.server.dialled(); got != 3 {
		t.Errorf("dialled %d times", got)
	}
}

func TestUnlimitedDialsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dials := 0
	_, err := retryDial(ctx, "Dial", withoutDialErrorLimit, func() (int, error) {
		if dials++; dials == 3 {
			cancel()
		}
		return 0, errors.New("refused")
	})
	if !errors.Is(err, context.Canceled) || dials != 3 {
		t.Errorf("%d dials, then %v", dials, err)
	}
}

func throughBastion(t *testing.T, g *target) *sshServer {
	t.Helper()
	client, host := newKeyPair(t), newKeyPair(t)
	bastion := newServer(t, host.signer, "jump", client.signer.PublicKey())
	bastion.start(t)
	g.state.Connection.Proxy = &ProxyConnection{Endpoint{
		Host:           "127.0.0.1",
		Port:           bastion.port(),
		User:           pointerTo("jump"),
		PrivateKey:     &client.private,
		HostKey:        &host.authorized,
		DialErrorLimit: pointerTo(0),
	}}
	return bastion
}

func TestProxyTunnelsToTheHost(t *testing.T) {
	g := newTarget(t, answering("hello\n", "", 0))
	bastion := throughBastion(t, &g)
	if got := g.mustRun(t, "hostname"); got.Stdout != "hello" {
		t.Errorf("got %q", got)
	}
	if want := []string{g.state.Connection.address()}; !slices.Equal(bastion.tunnelledTo, want) {
		t.Errorf("tunnelled to %q, want %q", bastion.tunnelledTo, want)
	}
	if seen := bastion.seen(); len(seen) != 0 {
		t.Errorf("the bastion ran %q", seen)
	}
}

func TestProxyFailuresSaySo(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, connection *Connection)
		want  string
	}{
		"bastion key": {func(t *testing.T, c *Connection) { c.Proxy.HostKey = pointerTo(newKeyPair(t).authorized) }, "host key mismatch"},
		"host key":    {func(t *testing.T, c *Connection) { c.HostKey = pointerTo(newKeyPair(t).authorized) }, "host key mismatch"},
		"host port":   {func(_ *testing.T, c *Connection) { c.Port = pointerTo(1.0) }, "rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTarget(t, nil)
			throughBastion(t, &g)
			test.spoil(t, &g.state.Connection)
			_, err := g.state.Run(context.Background(), pointerTo("true"))
			if err == nil || !strings.HasPrefix(err.Error(), "proxy: after 0 failed attempts: ") ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHandshakeThroughProxyIsTriedAgainOnTheSameTunnel(t *testing.T) {
	g := newTarget(t, nil)
	bastion := throughBastion(t, &g)
	g.state.Connection.HostKey = pointerTo(newKeyPair(t).authorized)
	g.state.Connection.DialErrorLimit = pointerTo(1)
	_, err := g.state.Run(context.Background(), pointerTo("true"))
	if err == nil || strings.Contains(err.Error(), "host key mismatch") {
		t.Errorf("got %v, want the message of the closed tunnel", err)
	}
	if len(bastion.tunnelledTo) != 1 {
		t.Errorf("%d tunnels", len(bastion.tunnelledTo))
	}
}
