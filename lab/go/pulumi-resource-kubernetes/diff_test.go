package main

import (
	"context"
	"errors"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// diffOf asks a provider without a cluster, which Diff does not need.
func diffOf(t *testing.T, o options, token, oldInputs, live, newInputs string, ignore ...string) *pulumirpc.DiffResponse {
	t.Helper()
	provider := newKubernetesProvider(silent{})
	provider.options = o
	provider.cluster = &cluster{unreachable: errors.New("there is none")}
	state := checkpoint{inputs: object(t, oldInputs), live: object(t, live), initialAPIVersion: "v1", fieldManager: "m"}
	olds, err := writeProperties(state.properties(nil))
	if err != nil {
		t.Fatal(err)
	}
	news, err := writeProperties(resource.NewPropertyMapFromMap(object(t, newInputs).Object))
	if err != nil {
		t.Fatal(err)
	}
	response, err := provider.Diff(context.Background(), &pulumirpc.DiffRequest{
		Urn: string(urnOf(token)), Olds: olds, News: news, IgnoreChanges: ignore,
	})
	if err != nil {
		t.Fatal(err)
	}
	return response
}

const (
	configMap  = "kubernetes:core/v1:ConfigMap"
	patchOfOne = "kubernetes:core/v1:ConfigMapPatch"

	base      = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one}, data: {k: v}}"
	baseLive  = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one, uid: x}, data: {k: v, other: w}}`
	changed   = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one}, data: {k: new}}"
	autonamed = `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one, annotations: {pulumi.com/autonamed: "true"}}, data: {k: new}}`
	moved     = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: two}, data: {k: v}}"
	renamed   = "{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: one}, data: {k: v}}"
	drifted   = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: one}, data: {k: drift}}"
)

func TestDiffDecidesBetweenUpdateAndReplacement(t *testing.T) {
	mutable := options{configMapMutable: true}
	cases := map[string]struct {
		options     options
		token       string
		live, new   string
		changes     bool
		replaces    bool
		deleteFirst bool
	}{
		"what the cluster adds":           {token: configMap, live: baseLive, new: base},
		"data":                            {token: configMap, live: baseLive, new: changed, changes: true, replaces: true, deleteFirst: true},
		"data, mutable":                   {options: mutable, token: configMap, live: baseLive, new: changed, changes: true},
		"data of a patch":                 {token: patchOfOne, live: baseLive, new: changed, changes: true},
		"data of an object named by us":   {token: configMap, live: baseLive, new: autonamed, changes: true, replaces: true},
		"another name":                    {options: mutable, token: configMap, live: baseLive, new: renamed, changes: true, replaces: true},
		"another namespace":               {options: mutable, token: configMap, live: baseLive, new: moved, changes: true, replaces: true},
		"another name of a patch":         {token: patchOfOne, live: baseLive, new: renamed, changes: true, replaces: true},
		"live object refreshed to drift":  {options: mutable, token: configMap, live: drifted, new: base, changes: true},
		"program takes over what drifted": {token: configMap, live: drifted, new: drifted},
	}
	for name, each := range cases {
		response := diffOf(t, each.options, each.token, base, each.live, each.new)
		if (response.Changes == pulumirpc.DiffResponse_DIFF_SOME) != each.changes ||
			(len(response.Replaces) > 0) != each.replaces || response.DeleteBeforeReplace != each.deleteFirst {
			t.Errorf("%s: got %v", name, response)
		}
	}
}

func TestDiffTakesNoNamespaceForDefault(t *testing.T) {
	response := diffOf(t, options{}, configMap,
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}",
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: default}}")
	if response.Changes != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("got %v", response)
	}
}

func TestDiffLeavesOutWhatIsIgnored(t *testing.T) {
	response := diffOf(t, options{}, configMap, base, baseLive, changed, "data.k")
	if response.Changes != pulumirpc.DiffResponse_DIFF_NONE || len(response.Replaces) > 0 {
		t.Errorf("got %v", response)
	}
}
