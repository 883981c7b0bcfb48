package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// object reads a YAML text into an object, with the types that the API's own objects have.
func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	body, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	read := &unstructured.Unstructured{Object: map[string]any{}}
	if err := json.Unmarshal(body, &read.Object); err != nil {
		t.Fatal(err)
	}
	return read
}

func urnOf(token string) resource.URN {
	return resource.URN("urn:pulumi:stack::project::" + token + "::settings")
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Message(diag.Severity, resource.URN, string) {}
func (silent) Status(resource.URN, string)                 {}
