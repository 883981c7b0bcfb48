package main

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const propagationAnnotation = "pulumi.com/deletionPropagationPolicy"

// Delete removes the object and all that it owns, and returns when they are gone. A Patch resource only gives its
// fields up: see relinquish.
func (p *kubernetesProvider) Delete(_ context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	urn := resource.URN(request.GetUrn())
	if p.cluster.unreachable != nil {
		return p.deleteUnreachable(urn)
	}
	olds, err := readProperties(request.GetProperties())
	if err != nil {
		return nil, err
	}
	state := readCheckpoint(olds)
	client, err := p.cluster.client(state.live)
	if meta.IsNoMatchError(err) {
		return &emptypb.Empty{}, nil
	}
	if err != nil {
		return nil, err
	}

	if isPatch(urn) && p.options.serverSideApply {
		return &emptypb.Empty{}, explainRequiredField(relinquish(p.running, client, state.live, state.fieldManager))
	}
	propagation := propagationOf(state.inputs)
	err = client.Delete(p.running, state.live.GetName(), metav1.DeleteOptions{PropagationPolicy: &propagation})
	if apierrors.IsNotFound(err) {
		return &emptypb.Empty{}, nil
	}
	if err != nil {
		return nil, err
	}

	last, err := p.awaitGone(client, state.live, awaitLimit(seconds(request.GetTimeout()), state.inputs))
	if err != nil {
		state.live = last
		outputs, failure := writeProperties(state.properties(olds))
		if failure != nil {
			return nil, failure
		}
		return nil, initFailed(request.GetId(), err, outputs)
	}
	return &emptypb.Empty{}, nil
}

func (p *kubernetesProvider) deleteUnreachable(urn resource.URN) (*emptypb.Empty, error) {
	p.log.Message(diag.Warning, urn,
		fmt.Sprintf("configured Kubernetes cluster is unreachable: %v", p.cluster.unreachable))
	if !p.options.deleteUnreachable {
		return nil, errUnreachable
	}
	p.log.Message(diag.Info, urn, "deleteUnreachable is set: the resource is removed from the state")
	return &emptypb.Empty{}, nil
}

func propagationOf(inputs *unstructured.Unstructured) metav1.DeletionPropagation {
	switch annotation(inputs, propagationAnnotation) {
	case "background":
		return metav1.DeletePropagationBackground
	case "orphan":
		return metav1.DeletePropagationOrphan
	default:
		return metav1.DeletePropagationForeground
	}
}

// explainRequiredField adds the way out where the object could not be without a field that a Patch resource owns.
func explainRequiredField(err error) error {
	cause, found := apierrors.StatusCause(err, metav1.CauseTypeFieldValueRequired)
	if !found {
		return err
	}
	return fmt.Errorf("%s is a required field and this Patch resource owns it: set the resource option retainOnDelete, "+
		"or let another field manager own it first: %w", cause.Field, err)
}

// awaitGone returns the object as last seen when it is still there after the limit.
func (p *kubernetesProvider) awaitGone(
	client dynamic.ResourceInterface, deleted *unstructured.Unstructured, limit waitLimit,
) (*unstructured.Unstructured, error) {
	last := deleted
	err := p.poll(limit, func() (bool, string, error) {
		live, err := client.Get(p.running, deleted.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) || (err == nil && live.GetUID() != deleted.GetUID()) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		last = live
		return false, fmt.Sprintf("%s %q still exists, with finalizers %q",
			live.GetKind(), objectID(live), live.GetFinalizers()), nil
	})
	return last, err
}
