package main

import (
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestSecretsStaySecretAtTheirPlace(t *testing.T) {
	source := resource.PropertyMap{
		"kind": resource.NewProperty("ConfigMap"),
		"data": resource.NewProperty(resource.PropertyMap{
			"open":   resource.NewProperty("x"),
			"hidden": resource.MakeSecret(resource.NewProperty("y")),
		}),
		"list": resource.NewProperty([]resource.PropertyValue{
			resource.NewProperty("a"), resource.MakeSecret(resource.NewProperty("b")),
		}),
	}
	plain := toObject(source)
	marked := resource.NewPropertyMapFromMap(plain.Object)
	keepSecrets(marked, source)
	data := marked["data"].ObjectValue()
	if data["open"].IsSecret() || !data["hidden"].IsSecret() || !marked["list"].IsSecret() {
		t.Errorf("got %v", marked)
	}
}

func TestTheDataOfASecretIsSecret(t *testing.T) {
	marked := resource.NewPropertyMapFromMap(
		object(t, "{apiVersion: v1, kind: Secret, type: Opaque, data: {a: b}, stringData: {c: d}}").Object)
	keepSecrets(marked, nil)
	if !marked["data"].IsSecret() || !marked["stringData"].IsSecret() || marked["type"].IsSecret() {
		t.Errorf("got %v", marked)
	}
}

func TestACheckpointReadsAsItWasWritten(t *testing.T) {
	written := checkpoint{
		inputs:            object(t, "{apiVersion: v1, kind: Secret, data: {a: b}}"),
		live:              object(t, "{apiVersion: v1, kind: Secret, metadata: {uid: x}, data: {a: b}}"),
		initialAPIVersion: "v1",
		fieldManager:      "pulumi-kubernetes-1a2b3c4d",
	}
	wire, err := writeProperties(written.properties(nil))
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := readProperties(wire)
	if err != nil {
		t.Fatal(err)
	}
	inputs := outputs[inputsKey].ObjectValue()
	if !outputs["data"].IsSecret() || !inputs["data"].IsSecret() {
		t.Errorf("not secret in the state: %v", outputs)
	}
	if read := readCheckpoint(outputs); !reflect.DeepEqual(read, written) {
		t.Errorf("got %v, want %v", read, written)
	}
}
