package main

import (
	"encoding/base64"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// readOnlyMetadata is what the API server alone sets; a program that gives it, because it copied an object, is heard
// without it.
var readOnlyMetadata = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields",
	"resourceVersion", "uid",
}

// normalize writes an object of a built-in kind as the API server would write it ("0.5" of a CPU becomes "500m", a
// Secret's stringData becomes data), so that two ways to say the same do not differ. Fields are neither added nor
// defaulted. Objects with values not known yet, and custom resources, only lose their read-only metadata.
func normalize(object *unstructured.Unstructured) *unstructured.Unstructured {
	normalized := copyObject(object)
	if !hasUnknown(normalized.Object) {
		if isSecret(normalized) {
			encodeStringData(normalized)
		}
		if typed, err := scheme.Scheme.New(normalized.GroupVersionKind()); err == nil {
			normalized = roundTrip(normalized, typed)
		}
	}
	for _, field := range readOnlyMetadata {
		unstructured.RemoveNestedField(normalized.Object, "metadata", field)
	}
	return normalized
}

// roundTrip turns the object into its Go type and back. An object that does not fit its type is returned as it is: the
// API server is who says what is wrong with it.
func roundTrip(object *unstructured.Unstructured, typed runtime.Object) *unstructured.Unstructured {
	converter := runtime.DefaultUnstructuredConverter
	if err := converter.FromUnstructured(object.Object, typed); err != nil {
		return object
	}
	content, err := converter.ToUnstructured(typed)
	if err != nil {
		return object
	}
	return prune(&unstructured.Unstructured{Object: content}, object)
}

func isSecret(object *unstructured.Unstructured) bool {
	return object.GetAPIVersion() == "v1" && object.GetKind() == "Secret"
}

func isConfigMap(object *unstructured.Unstructured) bool {
	return object.GetAPIVersion() == "v1" && object.GetKind() == "ConfigMap"
}

func encodeStringData(secret *unstructured.Unstructured) {
	plain, found, err := unstructured.NestedStringMap(secret.Object, "stringData")
	if err != nil || !found {
		return
	}
	for key, value := range plain {
		setNested(secret, base64.StdEncoding.EncodeToString([]byte(value)), "data", key)
	}
	delete(secret.Object, "stringData")
}

// prune leaves of object only what shape has too. In a list the elements are matched by position, and those beyond the
// end of shape's list are left out: what something else appended to a list does not show as drift.
func prune(object, shape *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: pruneMap(object.Object, shape.Object)}
}

func pruneMap(object, shape map[string]any) map[string]any {
	pruned := map[string]any{}
	for key, value := range object {
		if wanted, found := shape[key]; found {
			pruned[key] = pruneValue(value, wanted)
		}
	}
	return pruned
}

func pruneValue(value, shape any) any {
	switch value := value.(type) {
	case map[string]any:
		if shape, isMap := shape.(map[string]any); isMap {
			return pruneMap(value, shape)
		}
	case []any:
		if shape, isList := shape.([]any); isList {
			pruned := make([]any, min(len(value), len(shape)))
			for index := range pruned {
				pruned[index] = pruneValue(value[index], shape[index])
			}
			return pruned
		}
	}
	return copyValue(value)
}
