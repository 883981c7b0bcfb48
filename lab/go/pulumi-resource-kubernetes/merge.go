package main

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"
)

// threeWayPatch is a client-side update: it turns what original has and modified lacks into removals, and leaves what
// only current has. Lists of built-in kinds merge as their Go types say; those of custom resources are replaced.
func threeWayPatch(original, modified, current *unstructured.Unstructured) ([]byte, types.PatchType, error) {
	var bodies [3][]byte
	for index, object := range []*unstructured.Unstructured{original, modified, current} {
		body, err := object.MarshalJSON()
		if err != nil {
			return nil, "", err
		}
		bodies[index] = body
	}
	typed, err := scheme.Scheme.New(modified.GroupVersionKind())
	if err != nil {
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(bodies[0], bodies[1], bodies[2])
		return patch, types.MergePatchType, err
	}
	rules, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return nil, "", err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(bodies[0], bodies[1], bodies[2], rules, true)
	return patch, types.StrategicMergePatchType, err
}
