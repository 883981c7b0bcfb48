package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Diff compares the new inputs with the live object as it was when it was last written or refreshed, pruned to what the
// old inputs spoke of. It does not ask the API server: drift shows after a refresh.
func (p *kubernetesProvider) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	urn := resource.URN(request.GetUrn())
	olds, err := readProperties(request.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := readProperties(request.GetNews())
	if err != nil {
		return nil, err
	}
	state := readCheckpoint(olds)
	inputs := normalize(toObject(news))
	namespaced, err := p.cluster.isNamespaced(inputs.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	replacing := identityFields
	if !isPatch(urn) {
		replacing = replacingFields(inputs, p.options)
	}

	alignNamespace(inputs, namespaced)
	before := comparableState(state, inputs, namespaced)
	diffs := compareObjects(before.Object, inputs.Object, replacing)
	if err := dropIgnored(diffs, request.GetIgnoreChanges()); err != nil {
		return nil, err
	}
	return diffResponse(diffs, deleteFirst(inputs, state.live)), nil
}

// comparableState is the live object with only the fields that the old inputs had, so that what the cluster itself adds
// is no difference.
func comparableState(state checkpoint, inputs *unstructured.Unstructured, namespaced bool) *unstructured.Unstructured {
	pruned := prune(state.live, normalize(state.inputs))
	alignNamespace(pruned, namespaced)
	if pruned.GroupVersionKind().Empty() {
		pruned.SetGroupVersionKind(inputs.GroupVersionKind())
	}
	unstructured.RemoveNestedField(pruned.Object, "metadata", "resourceVersion")
	// A program may start to spell out the name that its object was given.
	if isNamed(inputs) {
		setNested(pruned, state.live.GetName(), "metadata", "name")
	}
	return pruned
}

// alignNamespace makes "no namespace" and "default" the same, and drops a namespace from kinds that have none.
func alignNamespace(object *unstructured.Unstructured, namespaced bool) {
	if !namespaced {
		unstructured.RemoveNestedField(object.Object, "metadata", "namespace")
		return
	}
	namespace, found, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata", "namespace")
	if !found || namespace == "" {
		setNested(object, "default", "metadata", "namespace")
	}
}

// deleteFirst tells whether a replacement must remove the old object before it creates the new one: the program chose
// the name, and both would have it in the same namespace.
func deleteFirst(inputs, live *unstructured.Unstructured) bool {
	return isNamed(inputs) && !isAutonamed(inputs) &&
		inputs.GetName() == live.GetName() && inputs.GetNamespace() == live.GetNamespace()
}

func dropIgnored(diffs propertyDiffs, ignored []string) error {
	for _, text := range ignored {
		ignoredPath, err := resource.ParsePropertyPath(text)
		if err != nil {
			return fmt.Errorf("ignoreChanges: %q is not a property path: %w", text, err)
		}
		for key := range diffs {
			changed, err := resource.ParsePropertyPath(key)
			if err != nil {
				return fmt.Errorf("property path %q: %w", key, err)
			}
			if ignoredPath.Contains(changed) {
				delete(diffs, key)
			}
		}
	}
	return nil
}

func diffResponse(diffs propertyDiffs, deleteFirst bool) *pulumirpc.DiffResponse {
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		DetailedDiff:    diffs,
		HasDetailedDiff: true,
	}
	for path, diff := range diffs {
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		switch diff.Kind {
		case pulumirpc.PropertyDiff_ADD_REPLACE, pulumirpc.PropertyDiff_UPDATE_REPLACE,
			pulumirpc.PropertyDiff_DELETE_REPLACE:
			response.Replaces = append(response.Replaces, path)
		}
	}
	slices.Sort(response.Replaces)
	response.DeleteBeforeReplace = deleteFirst && len(response.Replaces) > 0
	return response
}
