package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
)

// errUnreachable is the refusal to lose or invent state when there is no cluster to ask.
var errUnreachable = errors.New("the configured Kubernetes cluster is unreachable, see the warning; if it does not " +
	"exist any more, run again with the environment variable PULUMI_K8S_DELETE_UNREACHABLE set to \"true\" to remove " +
	"its resources from the state")

// gone tells the engine that the object does not exist any more.
var gone = &pulumirpc.ReadResponse{}

// Read gets the live object, for a refresh, an import or a .get of the program. Only what the old inputs spoke of
// becomes the new inputs, so that drift of those fields shows, and of no other.
func (p *kubernetesProvider) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	urn := resource.URN(request.GetUrn())
	if p.cluster.unreachable != nil {
		return p.readUnreachable(urn, request)
	}
	outputs, err := readProperties(request.GetProperties())
	if err != nil {
		return nil, err
	}
	source, err := readProperties(request.GetInputs())
	if err != nil {
		return nil, err
	}
	old := readCheckpoint(outputs)
	wanted, adopted, err := p.identify(urn, request.GetId(), toObject(source), old.live)
	if err != nil {
		return nil, err
	}
	manager, err := chooseFieldManager(wanted, old.fieldManager, p.options.serverSideApply)
	if err != nil {
		return nil, err
	}

	_, name := parseID(request.GetId())
	live, err := p.getObject(wanted, name)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return gone, nil
	}
	if err != nil {
		return nil, err
	}
	inputs := prune(live, wanted)
	if adopted {
		inputs = adoptedInputs(live, inputs)
	}
	state := checkpoint{
		inputs: inputs, live: live, initialAPIVersion: old.initialAPIVersion, fieldManager: manager,
	}
	if state.initialAPIVersion == "" {
		state.initialAPIVersion = wanted.GetAPIVersion()
	}
	return readResponse(request.GetId(), state, source)
}

func (p *kubernetesProvider) readUnreachable(
	urn resource.URN, request *pulumirpc.ReadRequest,
) (*pulumirpc.ReadResponse, error) {
	p.log.Message(diag.Warning, urn,
		fmt.Sprintf("configured Kubernetes cluster is unreachable: %v", p.cluster.unreachable))
	switch {
	case p.options.deleteUnreachable:
		p.log.Message(diag.Info, urn, "deleteUnreachable is set: the resource is removed from the state")
		return gone, nil
	case p.options.skipUpdateUnreachable:
		p.log.Message(diag.Info, urn, "skipUpdateUnreachable is set: the state is left as it is")
		return &pulumirpc.ReadResponse{
			Id: request.GetId(), Properties: request.GetProperties(), Inputs: request.GetInputs(),
		}, nil
	default:
		return nil, errUnreachable
	}
}

// identify is the object to read, in the shape of the old inputs. There are none for a .get or an import, which adopts
// all of the object.
func (p *kubernetesProvider) identify(
	urn resource.URN, id string, inputs, live *unstructured.Unstructured,
) (wanted *unstructured.Unstructured, adopted bool, err error) {
	wanted = normalize(inputs)
	if !wanted.GroupVersionKind().Empty() {
		return wanted, false, nil
	}
	kind := live.GroupVersionKind()
	if kind.Empty() {
		adopted = true
		if kind, err = kindOf(urn); err != nil {
			return nil, false, err
		}
	}
	wanted.SetGroupVersionKind(kind)
	namespace, name := parseID(id)
	if name == "" {
		return nil, false, fmt.Errorf("id %q: NAMESPACE/NAME, or NAME alone, is allowed", id)
	}
	if wanted.GetName() == "" {
		wanted.SetName(name)
	}
	if wanted.GetNamespace() == "" && namespace != "" {
		wanted.SetNamespace(namespace)
	}
	return wanted, adopted, nil
}

func (p *kubernetesProvider) getObject(wanted *unstructured.Unstructured, name string) (
	*unstructured.Unstructured, error,
) {
	client, err := p.cluster.client(wanted)
	if err != nil {
		return nil, err
	}
	return client.Get(p.running, name, metav1.GetOptions{})
}

// adoptedInputs are inputs that a program could have written to get this object. Of a custom resource, whose fields
// nobody knows, only its identity is adopted.
func adoptedInputs(live, identity *unstructured.Unstructured) *unstructured.Unstructured {
	if !scheme.Scheme.Recognizes(live.GroupVersionKind()) {
		return identity
	}
	inputs := live.DeepCopy()
	delete(inputs.Object, "status")
	for _, field := range readOnlyMetadata {
		unstructured.RemoveNestedField(inputs.Object, "metadata", field)
	}
	for _, key := range []string{
		"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration",
	} {
		unstructured.RemoveNestedField(inputs.Object, "metadata", "annotations", key)
	}
	return inputs
}

func readResponse(id string, state checkpoint, source resource.PropertyMap) (*pulumirpc.ReadResponse, error) {
	outputs, err := writeProperties(state.properties(source))
	if err != nil {
		return nil, err
	}
	inputs := resource.NewPropertyMapFromMap(state.inputs.Object)
	keepSecrets(inputs, source)
	wire, err := writeProperties(inputs)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.ReadResponse{Id: id, Properties: outputs, Inputs: wire}, nil
}
