// Package local is the resource command:local:Command: a command run on this machine when the resource is
// created, updated or deleted. Token, property names and defaults are those of the official provider
// 1.2.1, because the program's SDK and the stack's state depend on them.
package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const randomDigitsOfID = 8

// Command controls the resource. As in the official provider, Check, Diff and Read are the framework's.
type Command struct{}

var (
	_ infer.CustomResource[CommandInputs, CommandOutputs] = Command{}
	_ infer.CustomUpdate[CommandInputs, CommandOutputs]   = Command{}
	_ infer.CustomDelete[CommandOutputs]                  = Command{}
	_ infer.Enum[Logging]                                 = Logging("")
)

// CommandInputs is what a program may set. Every change is an update, but one of triggers, which the
// SDK turns into a replacement.
type CommandInputs struct {
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Dir                    *string           `pulumi:"dir,optional"`
	Interpreter            []string          `pulumi:"interpreter,optional"`
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
}

// CommandOutputs is the state of the resource: its inputs and what the last run printed.
type CommandOutputs struct {
	CommandInputs
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Logging says which streams of a run are shown while it lasts.
type Logging string

// The values of Logging; unset means LogStdoutAndStderr.
const (
	LogStdout          Logging = "stdout"
	LogStderr          Logging = "stderr"
	LogStdoutAndStderr Logging = "stdoutAndStderr"
	LogNone            Logging = "none"
)

// Values lists the enum for the schema.
func (Logging) Values() []infer.EnumValue[Logging] {
	return []infer.EnumValue[Logging]{
		{Name: string(LogStdout), Value: LogStdout, Description: "Show stdout only."},
		{Name: string(LogStderr), Value: LogStderr, Description: "Show stderr only."},
		{Name: string(LogStdoutAndStderr), Value: LogStdoutAndStderr, Description: "Show both streams."},
		{Name: string(LogNone), Value: LogNone, Description: "Show nothing."},
	}
}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(c, "A command run on the machine of the engine.")
}

// Annotate describes the inputs in the schema.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Create, "Run when the resource is created, and on an update when update is not set.")
	a.Describe(&i.Update, "Run when any input but triggers has changed.")
	a.Describe(&i.Delete, "Run when the resource is deleted, with the stdin and environment of the state.")
	a.Describe(&i.Stdin, "Standard input of every run.")
	a.Describe(&i.Environment, "Variables of every run, beside those of the provider.")
	a.Describe(&i.Dir, "The folder of every run. Defaults to that of the provider.")
	a.Describe(&i.Interpreter, "Program and arguments before the command. Defaults to /bin/sh -c.")
	a.Describe(&i.Triggers, "Values whose change replaces the resource.")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Give the output of the previous run as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Defaults to true.")
	a.Describe(&i.Logging, "Which streams are shown during a run. Defaults to both.")
}

// Annotate describes the outputs in the schema.
func (o *CommandOutputs) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the last run wrote to stdout.")
	a.Describe(&o.Stderr, "What the last run wrote to stderr.")
}

// Create runs create. A preview and an unset create run nothing.
func (Command) Create(
	ctx context.Context, request infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandOutputs], error) {
	id, err := resource.NewUniqueHex(request.Name, randomDigitsOfID, 0)
	if err != nil {
		return infer.CreateResponse[CommandOutputs]{}, err
	}
	state := CommandOutputs{CommandInputs: request.Inputs}
	if !request.DryRun {
		if state, err = state.run(ctx, request.Inputs.Create); err != nil {
			return infer.CreateResponse[CommandOutputs]{}, err
		}
	}
	return infer.CreateResponse[CommandOutputs]{ID: id, Output: state}, nil
}

// Update runs update, or create again when update is not set.
func (Command) Update(
	ctx context.Context, request infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	state := CommandOutputs{request.Inputs, request.State.Stdout, request.State.Stderr}
	if request.DryRun {
		return infer.UpdateResponse[CommandOutputs]{Output: state}, nil
	}
	command := request.Inputs.Update
	if command == nil {
		command = request.Inputs.Create
	}
	state, err := state.run(ctx, command)
	if err != nil {
		return infer.UpdateResponse[CommandOutputs]{}, err
	}
	return infer.UpdateResponse[CommandOutputs]{Output: state}, nil
}

// Delete runs the state's delete. The program's new inputs play no part in it.
func (Command) Delete(
	ctx context.Context, request infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	_, err := request.State.run(ctx, request.State.Delete)
	return infer.DeleteResponse{}, err
}
