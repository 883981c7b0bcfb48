package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Keys of a resource's state beside the live object's own.
const (
	inputsKey            = "__inputs"
	initialAPIVersionKey = "__initialApiVersion"
	fieldManagerKey      = "__fieldManager"
)

func readProperties(wire *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(wire, plugin.MarshalOptions{
		KeepUnknowns: true, SkipNulls: true, KeepSecrets: true,
	})
}

func writeProperties(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{
		KeepUnknowns: true, SkipNulls: true, KeepSecrets: true,
	})
}

// toObject is the Kubernetes object of some inputs, with secrets in clear. A value that is not known yet stays a
// resource.Computed: see hasUnknown.
func toObject(properties resource.PropertyMap) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: properties.MapRepl(nil, revealSecret)}
}

func revealSecret(value resource.PropertyValue) (any, bool) {
	if !value.IsSecret() {
		return nil, false
	}
	return value.SecretValue().Element.MapRepl(nil, revealSecret), true
}

// hasUnknown tells whether any value within is not known yet. Such an object can be neither copied nor sent.
func hasUnknown(value any) bool {
	switch value := value.(type) {
	case resource.Computed:
		return true
	case map[string]any:
		for _, element := range value {
			if hasUnknown(element) {
				return true
			}
		}
	case []any:
		for _, element := range value {
			if hasUnknown(element) {
				return true
			}
		}
	}
	return false
}

// copyObject copies an object that may hold values which are not known yet.
func copyObject(object *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: copyValue(object.Object).(map[string]any)}
}

func copyValue(value any) any {
	switch value := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(value))
		for key, element := range value {
			copied[key] = copyValue(element)
		}
		return copied
	case []any:
		copied := make([]any, len(value))
		for index, element := range value {
			copied[index] = copyValue(element)
		}
		return copied
	default:
		return value
	}
}

// checkpoint is what is kept of a resource between two runs: the live object as the API server answered it, and the
// inputs that made it.
type checkpoint struct {
	inputs, live      *unstructured.Unstructured
	initialAPIVersion string
	fieldManager      string
}

// properties is the checkpoint as a resource's outputs. A value is secret where it is secret in source, the inputs as
// the program gave them, and in every Secret.
func (c checkpoint) properties(source resource.PropertyMap) resource.PropertyMap {
	inputs := resource.NewPropertyMapFromMap(c.inputs.Object)
	keepSecrets(inputs, source)
	outputs := resource.NewPropertyMapFromMap(c.live.Object)
	keepSecrets(outputs, source)
	outputs[inputsKey] = resource.NewProperty(inputs)
	outputs[initialAPIVersionKey] = resource.NewProperty(c.initialAPIVersion)
	outputs[fieldManagerKey] = resource.NewProperty(c.fieldManager)
	return outputs
}

// readCheckpoint reads a resource's outputs back.
func readCheckpoint(outputs resource.PropertyMap) checkpoint {
	state := checkpoint{
		inputs:            &unstructured.Unstructured{Object: map[string]any{}},
		live:              toObject(outputs),
		initialAPIVersion: textOf(outputs[initialAPIVersionKey]),
		fieldManager:      textOf(outputs[fieldManagerKey]),
	}
	if inputs, found := state.live.Object[inputsKey].(map[string]any); found {
		state.inputs.Object = inputs
	}
	for _, key := range []string{inputsKey, initialAPIVersionKey, fieldManagerKey} {
		delete(state.live.Object, key)
	}
	return state
}

func textOf(value resource.PropertyValue) string {
	if !value.IsString() {
		return ""
	}
	return value.StringValue()
}

// keepSecrets marks in target what is secret in source, at the same place. A list with a secret in it becomes secret as
// a whole: its elements may have moved. The data of a Secret is secret whatever source says.
func keepSecrets(target, source resource.PropertyMap) {
	if textOf(target["kind"]) == "Secret" {
		for _, key := range []resource.PropertyKey{"data", "stringData"} {
			if value, found := target[key]; found {
				target[key] = resource.MakeSecret(value)
			}
		}
		return
	}
	for key, wanted := range source {
		value, found := target[key]
		switch {
		case !found || value.IsSecret():
		case value.IsObject() && wanted.IsObject():
			keepSecrets(value.ObjectValue(), wanted.ObjectValue())
		case wanted.ContainsSecrets():
			target[key] = resource.MakeSecret(value)
		}
	}
}
