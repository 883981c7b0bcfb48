package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Check completes the inputs of a resource: a name and a namespace where the program gives none and, in client-side
// mode, a label. All else is left to the API server.
func (p *kubernetesProvider) Check(
	_ context.Context, request *pulumirpc.CheckRequest,
) (*pulumirpc.CheckResponse, error) {
	urn := resource.URN(request.GetUrn())
	if p.cluster.unreachable != nil && p.options.skipUpdateUnreachable {
		p.log.Message(diag.Warning, urn,
			"the cluster is unreachable and skipUpdateUnreachable is set: this resource is left as it was")
		return &pulumirpc.CheckResponse{Inputs: request.GetOlds()}, nil
	}
	olds, err := readProperties(request.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := readProperties(request.GetNews())
	if err != nil {
		return nil, err
	}

	inputs := normalize(toObject(news))
	if err := p.checkKind(urn, inputs); err != nil {
		return nil, err
	}
	if len(olds) > 0 {
		p.completeAgain(inputs, toObject(olds))
	} else if err := p.complete(inputs, urn, request); err != nil {
		return nil, err
	}
	if p.options.serverSideApply && !isNamed(inputs) && inputs.GetGenerateName() != "" {
		return nil, errors.New("metadata.generateName is not supported in server-side apply mode")
	}
	if err := p.setDefaultNamespace(inputs, urn); err != nil {
		return nil, err
	}

	checked := resource.NewPropertyMapFromMap(inputs.Object)
	keepSecrets(checked, news)
	wire, err := writeProperties(checked)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: wire}, nil
}

func (p *kubernetesProvider) checkKind(urn resource.URN, inputs *unstructured.Unstructured) error {
	kind, err := kindOf(urn)
	if err != nil {
		return err
	}
	if strings.HasSuffix(kind.Kind, "List") {
		return fmt.Errorf("%s: lists cannot be created, only the objects in them", kind.Kind)
	}
	if !isPatch(urn) {
		return nil
	}
	if !p.options.serverSideApply {
		return errors.New("patch resources require server-side apply, see the provider's enableServerSideApply")
	}
	if !isNamed(inputs) {
		return errors.New("patch resources require the `.metadata.name` field to be set")
	}
	return nil
}

// complete prepares the inputs of a new resource.
func (p *kubernetesProvider) complete(
	inputs *unstructured.Unstructured, urn resource.URN, request *pulumirpc.CheckRequest,
) error {
	if !p.options.serverSideApply {
		setManagedBy(inputs)
	}
	return assignName(inputs, urn, request.GetRandomSeed(), request.GetAutonaming())
}

// completeAgain keeps what an existing resource was given when it was new.
func (p *kubernetesProvider) completeAgain(inputs, old *unstructured.Unstructured) {
	keepName(inputs, old)
	if value, _, _ := unstructured.NestedString(old.Object, "metadata", "labels", managedByLabel); value == managedBy {
		setManagedBy(inputs)
	}
}

const managedBy = "pulumi"

// setManagedBy adds the label unless the program gives it.
func setManagedBy(inputs *unstructured.Unstructured) {
	_, found, _ := unstructured.NestedFieldNoCopy(inputs.Object, "metadata", "labels", managedByLabel)
	if !found {
		setNested(inputs, managedBy, "metadata", "labels", managedByLabel)
	}
}

// setDefaultNamespace writes the provider's namespace, which is the kubeconfig's or "default", into the inputs.
func (p *kubernetesProvider) setDefaultNamespace(inputs *unstructured.Unstructured, urn resource.URN) error {
	_, found, _ := unstructured.NestedFieldNoCopy(inputs.Object, "metadata", "namespace")
	if found || p.options.namespace == "" {
		return nil
	}
	kind, err := kindOf(urn)
	if err != nil {
		return err
	}
	namespaced, err := p.cluster.isNamespaced(kind)
	if err != nil {
		return err
	}
	if namespaced {
		setNested(inputs, p.options.namespace, "metadata", "namespace")
	}
	return nil
}
