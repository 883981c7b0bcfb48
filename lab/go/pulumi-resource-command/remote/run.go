package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	provider "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"

	"kubernetes-audit/lab/pulumi-resource-command/printed"
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

	output := printed.Start(provider.GetLogger(ctx).InfoStatus, c.Logging.includesStdout(), c.Logging.includesStderr())
	session.Stdout, session.Stderr = output.Stdout, output.Stderr
	err = session.Run(*command)
	stdout, stderr := output.Streams()
	if err != nil {
		return Output{}, output.Failure(err, *command)
	}
	return Output{Stdout: stdout, Stderr: stderr}, nil
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
