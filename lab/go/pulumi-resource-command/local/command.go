// Package local is the resource command:local:Command: a command run on this machine when the resource is
// created, updated or deleted.
package local

import (
	"github.com/pulumi/pulumi-go-provider/infer"

	"kubernetes-audit/lab/pulumi-resource-command/command"
)

// Command controls the resource.
type Command struct {
	command.Resource[CommandInputs, CommandOutputs]
}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
	_ infer.Enum[Logging]                                 = Logging("")
)

// CommandInputs is what a program may set.
type CommandInputs struct {
	command.Inputs[Logging]
	Dir         *string  `pulumi:"dir,optional"`
	Interpreter []string `pulumi:"interpreter,optional"`
}

// CommandOutputs is the state of the resource: its inputs and what the last run printed.
type CommandOutputs struct {
	CommandInputs
	command.Output
}

// With is the state that has these instead.
func (CommandOutputs) With(inputs CommandInputs, output command.Output) CommandOutputs {
	return CommandOutputs{inputs, output}
}

// Logging says which streams of a run are shown while it lasts.
type Logging string

// Values lists the enum for the schema.
func (Logging) Values() []infer.EnumValue[Logging] { return command.LoggingValues[Logging]() }

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(c, "A command run on the machine of the engine.")
}

// Annotate describes the inputs in the schema.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	i.Describe(a)
	a.Describe(&i.Delete, "Run when the resource is deleted, with the stdin and environment of the state.")
	a.Describe(&i.Environment, "Variables of every run, beside those of the provider.")
	a.Describe(&i.Dir, "The folder of every run. Defaults to that of the provider.")
	a.Describe(&i.Interpreter, "Program and arguments before the command. Defaults to /bin/sh -c.")
}
