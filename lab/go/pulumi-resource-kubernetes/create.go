package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const createRetries = 5

// Create makes the object, or applies a Patch resource's fields to one. A preview is a server-side dry run; where that
// cannot be (values not known yet, no cluster, kind or namespace yet, no permission, a Patch resource, client-side
// mode) the inputs are all that it shows.
func (p *kubernetesProvider) Create(
	_ context.Context, request *pulumirpc.CreateRequest,
) (*pulumirpc.CreateResponse, error) {
	urn := resource.URN(request.GetUrn())
	if err := p.requireCluster(request.GetPreview()); err != nil {
		return nil, err
	}
	source, err := readProperties(request.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs := toObject(source)
	unchecked := &pulumirpc.CreateResponse{Properties: request.GetProperties()}
	if request.GetPreview() && (isPatch(urn) || !p.options.serverSideApply || !p.canDryRun(inputs)) {
		return unchecked, nil
	}
	manager, err := chooseFieldManager(inputs, "", p.options.serverSideApply)
	if err != nil {
		return nil, err
	}

	live, err := p.createObject(urn, inputs, manager, request.GetPreview())
	if request.GetPreview() && (apierrors.IsForbidden(err) || apierrors.IsAlreadyExists(err) || lacksNamespace(err)) {
		return unchecked, nil
	}
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("%s %s: the API server does not serve this kind; is its CustomResourceDefinition "+
			"missing? %w", inputs.GetAPIVersion(), inputs.GetKind(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("resource %q was not successfully created by the Kubernetes API server: %w", urn, err)
	}

	state := checkpoint{
		inputs: inputs, live: live, initialAPIVersion: inputs.GetAPIVersion(), fieldManager: manager,
	}
	if request.GetPreview() {
		// A program that reads the status must find it unknown, not empty.
		delete(live.Object, "status")
		outputs, err := writeProperties(state.properties(source))
		return &pulumirpc.CreateResponse{Properties: outputs}, err
	}
	var unready error
	state.live, unready = p.awaitRollout(urn, live, inputs, seconds(request.GetTimeout()))
	outputs, err := writeProperties(state.properties(source))
	if err != nil {
		return nil, err
	}
	if unready != nil {
		return nil, initFailed(objectID(live), unready, outputs)
	}
	return &pulumirpc.CreateResponse{Id: objectID(live), Properties: outputs}, nil
}

func (p *kubernetesProvider) requireCluster(preview bool) error {
	if p.cluster.unreachable == nil || preview {
		return nil
	}
	return fmt.Errorf("configured Kubernetes cluster is unreachable: %w", p.cluster.unreachable)
}

func (p *kubernetesProvider) canDryRun(inputs *unstructured.Unstructured) bool {
	return !hasUnknown(inputs.Object) && p.cluster.serves(inputs.GroupVersionKind())
}

// createObject tries again when the kind or the namespace is not there: it may be created in the same run.
func (p *kubernetesProvider) createObject(
	urn resource.URN, inputs *unstructured.Unstructured, manager string, preview bool,
) (*unstructured.Unstructured, error) {
	delay := p.retryDelay
	for attempt := 0; ; attempt++ {
		live, err := p.tryCreate(urn, inputs, manager, preview)
		if err == nil {
			p.log.Status(urn, "")
			return live, nil
		}
		if preview && lacksNamespace(err) {
			return nil, err
		}
		p.log.Status(urn, fmt.Sprintf("Retry #%d; creation failed: %v", attempt, err))
		if attempt == createRetries || !(apierrors.IsNotFound(err) || meta.IsNoMatchError(err)) {
			return nil, err
		}
		select {
		case <-p.running.Done():
			return nil, p.running.Err()
		case <-time.After(delay):
		}
		delay *= 2
	}
}

// tryCreate uses a plain create, which an existing object refuses: an apply would silently adopt it.
func (p *kubernetesProvider) tryCreate(
	urn resource.URN, inputs *unstructured.Unstructured, manager string, preview bool,
) (*unstructured.Unstructured, error) {
	client, err := p.cluster.client(inputs)
	if err != nil {
		return nil, err
	}
	if p.options.serverSideApply && (isPatch(urn) || p.options.upsertExistingObjects) {
		return applyObject(p.running, client, inputs, manager, p.forces(inputs, nil, preview), preview)
	}
	return client.Create(p.running, inputs, metav1.CreateOptions{
		FieldManager: clientSideManager, DryRun: dryRun(preview),
	})
}

func lacksNamespace(err error) bool {
	status, isStatus := err.(apierrors.APIStatus)
	if !isStatus || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}
