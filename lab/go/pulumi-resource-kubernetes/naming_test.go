package main

import (
	"regexp"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var urn = urnOf("kubernetes:core/v1:ConfigMap")

func TestANameIsMadeOfTheResourceNameAndTheSeed(t *testing.T) {
	first, second := object(t, "{kind: ConfigMap}"), object(t, "{kind: ConfigMap}")
	for _, each := range []*unstructured.Unstructured{first, second} {
		if err := assignName(each, urn, []byte("a seed of at least thirty-two bytes"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if !regexp.MustCompile(`^settings-[0-9a-f]{8}$`).MatchString(first.GetName()) || !isAutonamed(first) {
		t.Errorf("got %v", first.Object)
	}
	if first.GetName() != second.GetName() {
		t.Errorf("one seed gave %q and %q", first.GetName(), second.GetName())
	}
}

func TestNamesOfTheProgramAreKept(t *testing.T) {
	unknown := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": resource.Computed{Element: resource.NewProperty("")}},
	}}
	for _, each := range []*unstructured.Unstructured{
		object(t, "{metadata: {name: chosen}}"), object(t, "{metadata: {generateName: chosen-}}"), unknown,
	} {
		if err := assignName(each, urn, nil, nil); err != nil {
			t.Fatal(err)
		}
		if isAutonamed(each) {
			t.Errorf("got %v", each.Object)
		}
	}
}

func TestTheEngineMayProposeOrForbidNames(t *testing.T) {
	proposed := object(t, "{kind: ConfigMap}")
	err := assignName(proposed, urn, nil, &pulumirpc.CheckRequest_AutonamingOptions{
		ProposedName: "proposed", Mode: pulumirpc.CheckRequest_AutonamingOptions_ENFORCE,
	})
	if err != nil || proposed.GetName() != "proposed" || !isAutonamed(proposed) {
		t.Errorf("got %v, %v", proposed.Object, err)
	}
	err = assignName(object(t, "{kind: ConfigMap}"), urn, nil, &pulumirpc.CheckRequest_AutonamingOptions{
		Mode: pulumirpc.CheckRequest_AutonamingOptions_DISABLE,
	})
	if err == nil {
		t.Error("a name was given although naming is disabled")
	}
}

func TestOnlyAGivenNameIsKeptForLaterRuns(t *testing.T) {
	given := object(t, `{metadata: {name: settings-1a2b3c4d, annotations: {pulumi.com/autonamed: "true"}}}`)
	later := object(t, "{kind: ConfigMap}")
	keepName(later, given)
	if later.GetName() != "settings-1a2b3c4d" || !isAutonamed(later) {
		t.Errorf("got %v", later.Object)
	}
	chosenBefore := object(t, "{kind: ConfigMap}")
	keepName(chosenBefore, object(t, "{metadata: {name: chosen}}"))
	if chosenBefore.GetName() != "" {
		t.Errorf("got %v", chosenBefore.Object)
	}
}

func TestIDsNameObjects(t *testing.T) {
	for id, text := range map[string]string{
		"kube-system/settings": "{metadata: {namespace: kube-system, name: settings}}",
		"settings":             "{metadata: {name: settings}}",
	} {
		named := object(t, text)
		if objectID(named) != id {
			t.Errorf("%s: got %s", text, objectID(named))
		}
		namespace, name := parseID(id)
		if namespace != named.GetNamespace() || name != named.GetName() {
			t.Errorf("%s: got %q and %q", id, namespace, name)
		}
	}
}
