package local

import (
	"context"
	"os"
	"os/exec"
	"strings"

	provider "github.com/pulumi/pulumi-go-provider"

	"kubernetes-audit/lab/pulumi-resource-command/command"
	"kubernetes-audit/lab/pulumi-resource-command/printed"
)

// Run executes text with the stdin, environment, folder and interpreter held in c, and returns what it printed.
// A nil text runs nothing and leaves the output as it is. A command that fails is an error with its text and
// output.
func (c CommandOutputs) Run(ctx context.Context, text *string) (command.Output, error) {
	if text == nil {
		return c.Output, nil
	}
	words := append([]string{}, c.Interpreter...)
	if len(words) == 0 {
		words = []string{"/bin/sh", "-c"}
	}
	words = append(words, *text)
	started := exec.CommandContext(ctx, words[0], words[1:]...)
	started.Env = c.variables()
	if c.Dir != nil {
		started.Dir = *c.Dir
	}
	if c.Stdin != nil && *c.Stdin != "" {
		started.Stdin = strings.NewReader(*c.Stdin)
	}
	output := printed.Start(
		provider.GetLogger(ctx).InfoStatus, c.Shows(command.LogStdout), c.Shows(command.LogStderr))
	started.Stdout, started.Stderr = output.Stdout, output.Stderr
	err := started.Run()
	stdout, stderr := output.Streams()
	if err != nil {
		return command.Output{}, output.Failure(err, *text)
	}
	return command.Output{Stdout: stdout, Stderr: stderr}, nil
}

// variables are those of this process, then those of the resource, which come last and so win.
func (c CommandOutputs) variables() []string {
	variables := os.Environ()
	for _, variable := range c.PreviousOutput(c.Output) {
		variables = append(variables, variable.Name+"="+variable.Value)
	}
	for name, value := range c.Environment {
		variables = append(variables, name+"="+value)
	}
	return variables
}
