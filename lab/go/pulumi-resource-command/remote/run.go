package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	provider "github.com/pulumi/pulumi-go-provider"
	"golang.org/x/crypto/ssh"

	"kubernetes-audit/lab/pulumi-resource-command/command"
	"kubernetes-audit/lab/pulumi-resource-command/printed"
)

const setenvHint = "Unable to set '%s': the SSH server accepts only the variables its AcceptEnv names. " +
	"A POSIX shell on the host also takes them in front of the command, as in 'VAR=value command'."

// Run executes text on the host with the stdin, environment and connection held in c, and returns what
// it printed. A nil text runs nothing and leaves the output as it is. The context ends the dialling, not
// a command that has started. Errors are those of dialling, of a variable of environment the server
// refuses, and of a command that fails, whose text and whole output are in the message.
//
// The connection is left to the end of the plugin's process, as the official provider leaves it, so that a
// stack holds as many connections to a node here as it does there.
func (c CommandOutputs) Run(ctx context.Context, text *string) (command.Output, error) {
	if text == nil {
		return c.Output, nil
	}
	client, err := c.Connection.dial(ctx)
	if err != nil {
		return command.Output{}, err
	}
	session, err := client.NewSession()
	if err != nil {
		return command.Output{}, err
	}
	defer session.Close()

	if err := c.sendEnvironment(ctx, session); err != nil {
		return command.Output{}, err
	}
	if c.Stdin != nil && *c.Stdin != "" {
		session.Stdin = strings.NewReader(*c.Stdin)
	}

	output := printed.Start(
		provider.GetLogger(ctx).InfoStatus, c.Shows(command.LogStdout), c.Shows(command.LogStderr))
	session.Stdout, session.Stderr = output.Stdout, output.Stderr
	err = session.Run(*text)
	stdout, stderr := output.Streams()
	if err != nil {
		return command.Output{}, output.Failure(err, *text)
	}
	return command.Output{Stdout: stdout, Stderr: stderr}, nil
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
	for _, variable := range c.PreviousOutput(c.Output) {
		if err := session.Setenv(variable.Name, variable.Value); err != nil {
			logger.Warningf(setenvHint, variable.Name)
		}
	}
	return nil
}
