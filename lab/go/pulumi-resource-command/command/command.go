// Package command is what both resources of the plugin share: the inputs of a command, its output, and which
// text runs when. Property names and defaults are those of the official provider 1.2.1, because the program's
// SDK and the stack's state depend on them.
package command

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const randomDigitsOfID = 8

// Names of the variables that carry the output of the previous run.
const (
	PreviousStdout = "PULUMI_COMMAND_STDOUT"
	PreviousStderr = "PULUMI_COMMAND_STDERR"
)

// Inputs is what a program may set of either resource. L is the resource's own type of logging, which names the
// enum in the schema. Every change is an update, but one of triggers, which the SDK turns into a replacement.
type Inputs[L ~string] struct {
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Environment            map[string]string `pulumi:"environment,optional"`
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
	Logging                *L                `pulumi:"logging,optional"`
}

// Describe describes in the schema what is the same for both resources.
func (i *Inputs[L]) Describe(a infer.Annotator) {
	a.Describe(&i.Create, "Run when the resource is created, and on an update when update is not set.")
	a.Describe(&i.Update, "Run when any input but triggers has changed.")
	a.Describe(&i.Stdin, "Standard input of every run.")
	a.Describe(&i.Triggers, "Values whose change replaces the resource.")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Give the output of the previous run as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Defaults to true.")
	a.Describe(&i.Logging, "Which streams are shown during a run. Defaults to both.")
}

// CreateText is what a create runs; nil runs nothing.
func (i Inputs[L]) CreateText() *string { return i.Create }

// UpdateText is what an update runs.
func (i Inputs[L]) UpdateText() *string {
	if i.Update == nil {
		return i.Create
	}
	return i.Update
}

// DeleteText is what a delete runs.
func (i Inputs[L]) DeleteText() *string { return i.Delete }

// Variable is one of a run's environment.
type Variable struct{ Name, Value string }

// PreviousOutput gives the output of the previous run as variables, unless that is switched off.
func (i Inputs[L]) PreviousOutput(previous Output) []Variable {
	var variables []Variable
	if i.AddPreviousOutputInEnv != nil && !*i.AddPreviousOutputInEnv {
		return variables
	}
	if previous.Stdout != "" {
		variables = append(variables, Variable{PreviousStdout, previous.Stdout})
	}
	if previous.Stderr != "" {
		variables = append(variables, Variable{PreviousStderr, previous.Stderr})
	}
	return variables
}

// Output is what a run printed, each stream without its last line break.
type Output struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs in the schema.
func (o *Output) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the last run wrote to stdout.")
	a.Describe(&o.Stderr, "What the last run wrote to stderr.")
}

// Printed is the output itself, for a state that embeds it.
func (o Output) Printed() Output { return o }

// State is the state of a resource: its inputs I and what the last run printed.
type State[I, S any] interface {
	// With is the state that has these instead.
	With(inputs I, output Output) S
	Printed() Output
	CreateText() *string
	UpdateText() *string
	DeleteText() *string
	// Run executes a text with what else the inputs hold, and returns what it printed. A nil text runs nothing
	// and leaves the output as it is.
	Run(ctx context.Context, text *string) (Output, error)
}

// Resource is the life of a resource with inputs I and state S. It has no Check, Diff or Read of its own: the
// official provider has none either, so what pulumi-go-provider does by default is the behaviour to reproduce.
type Resource[I any, S State[I, S]] struct{}

// Create runs create. A preview and an unset create run nothing.
func (Resource[I, S]) Create(
	ctx context.Context, request infer.CreateRequest[I],
) (infer.CreateResponse[S], error) {
	id, err := resource.NewUniqueHex(request.Name, randomDigitsOfID, 0)
	if err != nil {
		return infer.CreateResponse[S]{}, err
	}
	var none S
	state := none.With(request.Inputs, Output{})
	if !request.DryRun {
		output, err := state.Run(ctx, state.CreateText())
		if err != nil {
			return infer.CreateResponse[S]{}, err
		}
		state = state.With(request.Inputs, output)
	}
	return infer.CreateResponse[S]{ID: id, Output: state}, nil
}

// Update runs update, or create again when update is not set. The output of the previous run stays in
// the state until a run succeeds, which is what a preview shows where no input it knew has changed.
func (Resource[I, S]) Update(
	ctx context.Context, request infer.UpdateRequest[I, S],
) (infer.UpdateResponse[S], error) {
	state := request.State.With(request.Inputs, request.State.Printed())
	if request.DryRun {
		return infer.UpdateResponse[S]{Output: state}, nil
	}
	output, err := state.Run(ctx, state.UpdateText())
	if err != nil {
		return infer.UpdateResponse[S]{}, err
	}
	return infer.UpdateResponse[S]{Output: state.With(request.Inputs, output)}, nil
}

// Delete runs the state's delete. The program's new inputs play no part in it.
func (Resource[I, S]) Delete(ctx context.Context, request infer.DeleteRequest[S]) (infer.DeleteResponse, error) {
	_, err := request.State.Run(ctx, request.State.DeleteText())
	return infer.DeleteResponse{}, err
}
