package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Update applies the new inputs to the object. A preview is a server-side dry run, for Patch resources too; where that
// cannot be the inputs are all that it shows. An update that the API server refuses is recorded all the same, with the
// object as it is: the next run finds the difference and tries again.
func (p *kubernetesProvider) Update(
	_ context.Context, request *pulumirpc.UpdateRequest,
) (*pulumirpc.UpdateResponse, error) {
	urn := resource.URN(request.GetUrn())
	if err := p.requireCluster(request.GetPreview()); err != nil {
		return nil, err
	}
	olds, err := readProperties(request.GetOlds())
	if err != nil {
		return nil, err
	}
	source, err := readProperties(request.GetNews())
	if err != nil {
		return nil, err
	}
	inputs := normalize(toObject(source))
	if request.GetPreview() && !p.canDryRun(inputs) {
		return &pulumirpc.UpdateResponse{Properties: request.GetNews()}, nil
	}
	old := readCheckpoint(olds)
	manager, err := chooseFieldManager(inputs, old.fieldManager, p.options.serverSideApply)
	if err != nil {
		return nil, err
	}
	client, err := p.cluster.client(inputs)
	if err != nil {
		return nil, fmt.Errorf("update of resource %q failed: %w", urn, err)
	}

	live, refusal := p.updateObject(client, urn, old, inputs, manager, request.GetPreview())
	if request.GetPreview() && apierrors.IsForbidden(refusal) {
		return &pulumirpc.UpdateResponse{Properties: request.GetNews()}, nil
	}
	if refusal == nil && !request.GetPreview() {
		live, refusal = p.awaitRollout(urn, live, inputs, seconds(request.GetTimeout()))
	} else if refusal != nil {
		if live, err = client.Get(p.running, old.live.GetName(), metav1.GetOptions{}); err != nil {
			return nil, errors.Join(fmt.Errorf("update of resource %q failed: %w", urn, refusal), err)
		}
	}

	state := checkpoint{
		inputs: inputs, live: live, initialAPIVersion: old.initialAPIVersion, fieldManager: manager,
	}
	outputs, err := writeProperties(state.properties(source))
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, initFailed(objectID(live), fmt.Errorf("update of resource %q failed: %w", urn, refusal), outputs)
	}
	if p.options.serverSideApply && !request.GetPreview() && old.fieldManager != manager {
		if err := relinquish(p.running, client, live, old.fieldManager); err != nil {
			return nil, err
		}
	}
	return &pulumirpc.UpdateResponse{Properties: outputs}, nil
}

func (p *kubernetesProvider) updateObject(
	client dynamic.ResourceInterface, urn resource.URN, old checkpoint, inputs *unstructured.Unstructured,
	manager string, preview bool,
) (*unstructured.Unstructured, error) {
	current, err := client.Get(p.running, old.live.GetName(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if !p.options.serverSideApply {
		before := prune(old.live, normalize(old.inputs))
		patch, patchType, err := threeWayPatch(before, inputs, current)
		if err != nil {
			return nil, err
		}
		return client.Patch(p.running, current.GetName(), patchType, patch, metav1.PatchOptions{
			FieldManager: manager, DryRun: dryRun(preview),
		})
	}
	if !preview && !isPatch(urn) {
		if err := takeOver(p.running, client, current, manager); err != nil {
			return nil, err
		}
	}
	return applyObject(p.running, client, inputs, manager, p.forces(inputs, current, preview), preview)
}
