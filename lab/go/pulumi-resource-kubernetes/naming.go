package main

import (
	"errors"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	autonamedAnnotation = "pulumi.com/autonamed"
	managedByLabel      = "app.kubernetes.io/managed-by"
)

// isNamed tells whether the program chose a name, one that is not known yet included.
func isNamed(object *unstructured.Unstructured) bool {
	name, found, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata", "name")
	return found && name != ""
}

// assignName gives a new object without a name the one that the engine proposes, or the resource's name with a dash
// and eight hexadecimal digits made of seed, and marks it: a name of ours may change in a replacement.
func assignName(
	object *unstructured.Unstructured, urn resource.URN, seed []byte, naming *pulumirpc.CheckRequest_AutonamingOptions,
) error {
	if isNamed(object) || object.GetGenerateName() != "" {
		return nil
	}
	name, err := resource.NewUniqueName(seed, urn.Name()+"-", 0, 0, nil)
	if err != nil {
		return err
	}
	if naming != nil {
		if naming.Mode == pulumirpc.CheckRequest_AutonamingOptions_DISABLE {
			return errors.New("metadata.name: a name is required, because automatic naming is switched off")
		}
		name = naming.ProposedName
	}
	setAutoname(object, name)
	return nil
}

// keepName gives an object without a name the one that it was given before.
func keepName(object, old *unstructured.Unstructured) {
	if !isNamed(object) && isAutonamed(old) {
		setAutoname(object, old.GetName())
	}
}

func setAutoname(object *unstructured.Unstructured, name string) {
	object.SetName(name)
	setNested(object, "true", "metadata", "annotations", autonamedAnnotation)
}

func isAutonamed(object *unstructured.Unstructured) bool {
	return annotation(object, autonamedAnnotation) == "true"
}

// annotation is "" when it is absent or not known yet.
func annotation(object *unstructured.Unstructured, key string) string {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata", "annotations", key)
	text, _ := value.(string)
	return text
}

// setNested sets a field in an object that may hold values which are not known yet, which
// unstructured.SetNestedField cannot copy. Where a parent itself is not known yet nothing is set.
func setNested(object *unstructured.Unstructured, value any, path ...string) {
	parent := object.Object
	for _, key := range path[:len(path)-1] {
		if _, found := parent[key]; !found {
			parent[key] = map[string]any{}
		}
		child, isMap := parent[key].(map[string]any)
		if !isMap {
			return
		}
		parent = child
	}
	parent[path[len(path)-1]] = value
}

// objectID is the id of a resource: namespace/name, or the name alone where there is no namespace.
func objectID(object *unstructured.Unstructured) string {
	if object.GetNamespace() == "" {
		return object.GetName()
	}
	return object.GetNamespace() + "/" + object.GetName()
}

func parseID(id string) (namespace, name string) {
	namespace, name, found := strings.Cut(id, "/")
	if !found {
		return "", id
	}
	return namespace, name
}
