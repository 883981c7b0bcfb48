package remote

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	provider "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"
)

// Names of the variables that carry the output of the previous run.
const (
	previousStdout = "PULUMI_COMMAND_STDOUT"
	previousStderr = "PULUMI_COMMAND_STDERR"
)

const setenvHint = "Unable to set '%s': the SSH server accepts only the variables its AcceptEnv names. " +
	"A POSIX shell on the host also takes them in front of the command, as in 'VAR=value command'."

// run executes command on the host with the stdin, environment and connection held in c, and returns what
// it printed. A nil command runs nothing and leaves the output as it is. The context ends the dialling, not
// a command that has started. Errors are those of dialling, of a variable of environment the server
// refuses, and of a command that fails, whose text and whole output are in the message.
//
// The connection is left to the end of the plugin's process, as the official provider leaves it, so that a
// stack holds as many connections to a node here as it does there.
func (c CommandOutputs) run(ctx context.Context, command *string) (Output, error) {
	if command == nil {
		return c.Output, nil
	}
	client, err := c.Connection.dial(ctx)
	if err != nil {
		return Output{}, err
	}
	session, err := client.NewSession()
	if err != nil {
		return Output{}, err
	}
	defer session.Close()

	if err := c.sendEnvironment(ctx, session); err != nil {
		return Output{}, err
	}
	if c.Stdin != nil && *c.Stdin != "" {
		session.Stdin = strings.NewReader(*c.Stdin)
	}

	var stdout, stderr bytes.Buffer
	var both lockedBuffer
	log := startLineLog(provider.GetLogger(ctx).InfoStatus)
	session.Stdout = tee(&stdout, &both, log, c.Logging.includesStdout())
	session.Stderr = tee(&stderr, &both, log, c.Logging.includesStderr())
	err = session.Run(*command)
	log.finish()
	if err != nil {
		return Output{}, fmt.Errorf("%w: running %q:\n%s", err, *command, both.String())
	}
	return Output{
		Stdout: strings.TrimSuffix(stdout.String(), "\n"),
		Stderr: strings.TrimSuffix(stderr.String(), "\n"),
	}, nil
}

// sendEnvironment sends the variables of environment, where a refusal is an error, and the output of the
// previous run, where it is a warning.
func (c CommandOutputs) sendEnvironment(ctx context.Context, session *ssh.Session) error {
	logger := provider.GetLogger(ctx)
	for _, name := range slices.Sorted(maps.Keys(c.Environment)) {
		if err := session.Setenv(name, c.Environment[name]); err != nil {
			logger.Errorf(setenvHint, name)
			return fmt.Errorf("could not set environment variable %q: %w", name, err)
		}
	}
	if c.AddPreviousOutputInEnv != nil && !*c.AddPreviousOutputInEnv {
		return nil
	}
	for _, variable := range []struct{ name, value string }{
		{previousStdout, c.Stdout},
		{previousStderr, c.Stderr},
	} {
		if variable.value == "" {
			continue
		}
		if err := session.Setenv(variable.name, variable.value); err != nil {
			logger.Warningf(setenvHint, variable.name)
		}
	}
	return nil
}

func tee(stream *bytes.Buffer, both *lockedBuffer, log *lineLog, logged bool) io.Writer {
	if logged {
		return io.MultiWriter(stream, both, log)
	}
	return io.MultiWriter(stream, both)
}

// lockedBuffer takes both streams of a run, which arrive on goroutines of their own.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// lineLog hands what is written to it to a logger, one line at a time. Writing fails after a line of more
// than bufio.MaxScanTokenSize bytes: the official provider stops reading there and the run never ends, so
// that a program must not print such a line; failing says so at once.
type lineLog struct {
	*io.PipeWriter
	done chan struct{}
}

func startLineLog(log func(line string)) *lineLog {
	reader, writer := io.Pipe()
	started := &lineLog{PipeWriter: writer, done: make(chan struct{})}
	go func() {
		defer close(started.done)
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			log(lines.Text())
		}
		reader.CloseWithError(lines.Err())
	}()
	return started
}

// finish waits until the last line has been logged.
func (l *lineLog) finish() {
	l.Close()
	<-l.done
}
