package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	defaultPort           = 22
	defaultUser           = "root"
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15

	withoutDialErrorLimit = -1
)

// dial connects to the host, through the bastion where there is one. Each stage is tried again with
// back-off, up to the stage's own dialErrorLimit. A refused login counts as a failed dial.
func (c Connection) dial(ctx context.Context) (*ssh.Client, error) {
	config, err := c.clientConfig()
	if err != nil {
		return nil, err
	}
	if c.Proxy != nil {
		client, err := c.dialThroughProxy(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("proxy: %w", err)
		}
		return client, nil
	}
	return retryDial(ctx, "Dial", c.dialErrorLimit(), func() (*ssh.Client, error) {
		return ssh.Dial("tcp", c.address(), config)
	})
}

func (c Connection) dialThroughProxy(ctx context.Context, config *ssh.ClientConfig) (*ssh.Client, error) {
	proxyConfig, err := c.Proxy.clientConfig()
	if err != nil {
		return nil, err
	}
	proxy, err := retryDial(ctx, "Dial proxy", c.Proxy.dialErrorLimit(), func() (*ssh.Client, error) {
		return ssh.Dial("tcp", c.Proxy.address(), proxyConfig)
	})
	if err != nil {
		return nil, err
	}
	tunnel, err := retryDial(ctx, "Dial from proxy", c.dialErrorLimit(), func() (net.Conn, error) {
		return proxy.Dial("tcp", c.address())
	})
	if err != nil {
		return nil, err
	}
	// The handshake is tried again on the same tunnel, which the first failure has closed: the official
	// provider's last message, and not its first, is what a user gets to see.
	return retryDial(ctx, "Dial", c.dialErrorLimit(), func() (*ssh.Client, error) {
		connection, channels, requests, err := ssh.NewClientConn(tunnel, c.address(), config)
		if err != nil {
			return nil, err
		}
		return ssh.NewClient(connection, channels, requests), nil
	})
}

// retryDial calls dial until it succeeds, until it has failed limit+1 times (limit -1: without end), or until
// the context ends. The number in the error is limit, one less than the dials made, as in the official
// provider's message.
func retryDial[T any](ctx context.Context, stage string, limit int, dial func() (T, error)) (T, error) {
	var connected T
	limited, shownLimit := limit > withoutDialErrorLimit, "inf"
	if limited {
		shownLimit = strconv.Itoa(limit)
	}
	accepted, _, err := retry.Until(ctx, retry.Acceptor{
		Accept: func(failures int, _ time.Duration) (bool, any, error) {
			var err error
			if connected, err = dial(); err == nil {
				return true, nil, nil
			}
			if limited && failures >= limit {
				return false, nil, fmt.Errorf("after %d failed attempts: %w", failures, err)
			}
			provider.GetLogger(ctx).InfoStatusf("%s %d/%s failed: retrying", stage, failures+1, shownLimit)
			return false, nil, nil
		},
	})
	if err == nil && !accepted {
		err = ctx.Err()
	}
	return connected, err
}

// clientConfig turns the endpoint into the configuration of an SSH client. Credentials are offered in this
// order: private key, password, password by keyboard-interactive, agent.
func (e Endpoint) clientConfig() (*ssh.ClientConfig, error) {
	config := &ssh.ClientConfig{
		User:            valueOr(e.User, defaultUser),
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         time.Duration(valueOr(e.PerDialTimeout, defaultPerDialTimeout)) * time.Second,
	}
	if e.HostKey != nil {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
		if err != nil {
			return nil, fmt.Errorf("failed to parse host key: %w", err)
		}
		config.HostKeyCallback = ssh.FixedHostKey(key)
		config.HostKeyAlgorithms = []string{key.Type()}
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password), ssh.KeyboardInteractive(answerAll(*e.Password)))
	}
	if path := valueOr(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); path != "" {
		socket, err := net.Dial("unix", path)
		if err != nil {
			return nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(socket).Signers))
	}
	return config, nil
}

func (e Endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		return ssh.ParsePrivateKeyWithPassphrase([]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
	}
	return ssh.ParsePrivateKey([]byte(*e.PrivateKey))
}

func answerAll(password string) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) ([]string, error) {
		return slices.Repeat([]string{password}, len(questions)), nil
	}
}

func (e Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(valueOr(e.Port, defaultPort))))
}

func (e Endpoint) dialErrorLimit() int {
	return valueOr(e.DialErrorLimit, defaultDialErrorLimit)
}

func valueOr[T any](pointer *T, otherwise T) T {
	if pointer == nil {
		return otherwise
	}
	return *pointer
}
