package local

import (
	"context"
	"os"
	"os/exec"
	"strings"

	provider "github.com/pulumi/pulumi-go-provider"

	"kubernetes-audit/lab/pulumi-resource-command/printed"
)

// Names of the variables that carry the output of the previous run.
const (
	previousStdout = "PULUMI_COMMAND_STDOUT"
	previousStderr = "PULUMI_COMMAND_STDERR"
)

// run executes command with the stdin, environment, folder and interpreter held in c, and returns c with
// what it printed. A nil command runs nothing. A command that fails is an error with its text and output.
func (c CommandOutputs) run(ctx context.Context, command *string) (CommandOutputs, error) {
	if command == nil {
		return c, nil
	}
	words := append([]string{}, c.Interpreter...)
	if len(words) == 0 {
		words = []string{"/bin/sh", "-c"}
	}
	words = append(words, *command)
	started := exec.CommandContext(ctx, words[0], words[1:]...)
	started.Env = c.variables()
	if c.Dir != nil {
		started.Dir = *c.Dir
	}
	if c.Stdin != nil && *c.Stdin != "" {
		started.Stdin = strings.NewReader(*c.Stdin)
	}
	output := printed.Start(provider.GetLogger(ctx).InfoStatus, c.shows(LogStdout), c.shows(LogStderr))
	started.Stdout, started.Stderr = output.Stdout, output.Stderr
	err := started.Run()
	stdout, stderr := output.Streams()
	if err != nil {
		return c, output.Failure(err, *command)
	}
	c.Stdout, c.Stderr = stdout, stderr
	return c, nil
}

// variables are those of this process, then those of the resource, which come last and so win.
func (c CommandOutputs) variables() []string {
	variables := os.Environ()
	if c.AddPreviousOutputInEnv == nil || *c.AddPreviousOutputInEnv {
		if c.Stdout != "" {
			variables = append(variables, previousStdout+"="+c.Stdout)
		}
		if c.Stderr != "" {
			variables = append(variables, previousStderr+"="+c.Stderr)
		}
	}
	for name, value := range c.Environment {
		variables = append(variables, name+"="+value)
	}
	return variables
}

func (c CommandOutputs) shows(stream Logging) bool {
	return c.Logging == nil || *c.Logging == LogStdoutAndStderr || *c.Logging == stream
}
