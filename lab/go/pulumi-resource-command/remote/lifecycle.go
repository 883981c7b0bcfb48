package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const randomDigitsOfID = 8

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
		if state.Output, err = state.run(ctx, request.Inputs.Create); err != nil {
			return infer.CreateResponse[CommandOutputs]{}, err
		}
	}
	return infer.CreateResponse[CommandOutputs]{ID: id, Output: state}, nil
}

// Update runs update, or create again when update is not set. The output of the previous run stays in
// the state until a run succeeds, which is what a preview shows where no input it knew has changed.
func (Command) Update(
	ctx context.Context, request infer.UpdateRequest[CommandInputs, CommandOutputs],
) (infer.UpdateResponse[CommandOutputs], error) {
	state := CommandOutputs{CommandInputs: request.Inputs, Output: request.State.Output}
	if request.DryRun {
		return infer.UpdateResponse[CommandOutputs]{Output: state}, nil
	}
	command := request.Inputs.Update
	if command == nil {
		command = request.Inputs.Create
	}
	output, err := state.run(ctx, command)
	if err != nil {
		return infer.UpdateResponse[CommandOutputs]{}, err
	}
	state.Output = output
	return infer.UpdateResponse[CommandOutputs]{Output: state}, nil
}

// Delete runs the state's delete. The program's new inputs play no part in it.
func (Command) Delete(
	ctx context.Context, request infer.DeleteRequest[CommandOutputs],
) (infer.DeleteResponse, error) {
	_, err := request.State.run(ctx, request.State.Delete)
	return infer.DeleteResponse{}, err
}
