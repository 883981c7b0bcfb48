package remote

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/pulumi/pulumi-go-provider/infer"

	"kubernetes-audit/lab/pulumi-resource-command/command"
)

func (g target) commands() []string {
	var commands []string
	for _, execution := range g.server.seen() {
		commands = append(commands, execution.command)
	}
	return commands
}

func (g target) ran(t *testing.T, want ...string) {
	t.Helper()
	if got := g.commands(); !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
}

func TestCreateRunsCreate(t *testing.T) {
	g := newTarget(t, answering("done\n", "", 0))
	inputs := g.state.CommandInputs
	inputs.Create, inputs.Update = pointerTo("create"), pointerTo("update")
	response, err := Command{}.Create(context.Background(), infer.CreateRequest[CommandInputs]{Name: "node", Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^node[0-9a-f]{8}$`).MatchString(response.ID) {
		t.Errorf("got ID %q", response.ID)
	}
	if response.Output.Stdout != "done" {
		t.Errorf("got %q", response.Output.Stdout)
	}
	g.ran(t, "create")
}

func TestCreateUnsetDoesNotDial(t *testing.T) {
	g := newTarget(t, nil)
	response, err := Command{}.Create(context.Background(),
		infer.CreateRequest[CommandInputs]{Name: "node", Inputs: g.state.CommandInputs})
	if err != nil {
		t.Fatal(err)
	}
	if response.ID == "" || g.server.dialled() != 0 {
		t.Errorf("ID %q, %d dials", response.ID, g.server.dialled())
	}
}

func TestPreviewDoesNotDial(t *testing.T) {
	g := newTarget(t, nil)
	inputs := g.state.CommandInputs
	inputs.Create, inputs.Update = pointerTo("create"), pointerTo("update")
	if _, err := (Command{}).Create(context.Background(),
		infer.CreateRequest[CommandInputs]{Name: "node", Inputs: inputs, DryRun: true}); err != nil {
		t.Fatal(err)
	}
	state := CommandOutputs{CommandInputs: inputs, Output: command.Output{Stdout: "before"}}
	response, err := Command{}.Update(context.Background(),
		infer.UpdateRequest[CommandInputs, CommandOutputs]{State: state, Inputs: inputs, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if response.Output.Stdout != "before" || g.server.dialled() != 0 {
		t.Errorf("stdout %q, %d dials", response.Output.Stdout, g.server.dialled())
	}
}

func TestUpdateRunsUpdateElseCreateElseNothing(t *testing.T) {
	for name, test := range map[string]struct {
		create, update *string
		ran            []string
		stdout         string
	}{
		"both set":     {pointerTo("create"), pointerTo("update"), []string{"update"}, "now"},
		"update unset": {pointerTo("create"), nil, []string{"create"}, "now"},
		"create unset": {nil, pointerTo("update"), []string{"update"}, "now"},
		"both unset":   {nil, nil, nil, "before"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTarget(t, answering("now\n", "", 0))
			inputs := g.state.CommandInputs
			inputs.Create, inputs.Update = test.create, test.update
			state := CommandOutputs{CommandInputs: g.state.CommandInputs, Output: command.Output{Stdout: "before"}}
			response, err := Command{}.Update(context.Background(),
				infer.UpdateRequest[CommandInputs, CommandOutputs]{State: state, Inputs: inputs})
			if err != nil {
				t.Fatal(err)
			}
			if response.Output.Stdout != test.stdout {
				t.Errorf("stdout %q, want %q", response.Output.Stdout, test.stdout)
			}
			g.ran(t, test.ran...)
		})
	}
}

func TestUpdateDialsTheNewHost(t *testing.T) {
	before, after := newTarget(t, nil), newTarget(t, nil)
	inputs := after.state.CommandInputs
	inputs.Update = pointerTo("update")
	if _, err := (Command{}).Update(context.Background(),
		infer.UpdateRequest[CommandInputs, CommandOutputs]{State: before.state, Inputs: inputs}); err != nil {
		t.Fatal(err)
	}
	before.ran(t)
	after.ran(t, "update")
}

func TestDeleteRunsTheStatesDeleteWithItsStdin(t *testing.T) {
	g := newTarget(t, nil)
	if _, err := (Command{}).Delete(context.Background(), infer.DeleteRequest[CommandOutputs]{State: g.state}); err != nil {
		t.Fatal(err)
	}
	g.ran(t)
	g.state.Delete, g.state.Stdin = pointerTo("delete"), pointerTo("text")
	if _, err := (Command{}).Delete(context.Background(), infer.DeleteRequest[CommandOutputs]{State: g.state}); err != nil {
		t.Fatal(err)
	}
	g.ran(t, "delete")
	if got := g.server.seen()[0].stdin; got != "text" {
		t.Errorf("stdin %q", got)
	}
}

func TestFailureReturnsNoState(t *testing.T) {
	g := newTarget(t, answering("", "", 1))
	inputs := g.state.CommandInputs
	inputs.Create = pointerTo("create")
	created, err := Command{}.Create(context.Background(), infer.CreateRequest[CommandInputs]{Name: "node", Inputs: inputs})
	if err == nil || created.ID != "" {
		t.Errorf("create: ID %q, %v", created.ID, err)
	}
	updated, err := Command{}.Update(context.Background(),
		infer.UpdateRequest[CommandInputs, CommandOutputs]{State: g.state, Inputs: inputs})
	if err == nil || updated.Output.Create != nil {
		t.Errorf("update: %+v, %v", updated, err)
	}
}
