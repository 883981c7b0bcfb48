package main

import (
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestNormalizeWritesAsTheAPIServerDoes(t *testing.T) {
	cases := map[string]struct{ given, want string }{
		"quantities": {
			`{apiVersion: v1, kind: LimitRange, spec: {limits: [{type: Container, max: {cpu: "0.5", memory: 1024Mi}}]}}`,
			`{apiVersion: v1, kind: LimitRange, spec: {limits: [{type: Container, max: {cpu: 500m, memory: 1Gi}}]}}`,
		},
		"plain data of a Secret": {
			`{apiVersion: v1, kind: Secret, data: {a: b2xk, b: b2xk}, stringData: {a: new}}`,
			`{apiVersion: v1, kind: Secret, data: {a: bmV3, b: b2xk}}`,
		},
		"read-only metadata": {
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: a, uid: x, resourceVersion: "7", managedFields: []}}`,
			`{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}`,
		},
		"nothing is defaulted": {
			`{apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {a: b}}}}`,
			`{apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {a: b}}}}`,
		},
		"custom resources stay": {
			`{apiVersion: example.com/v1, kind: Thing, spec: {cpu: "0.5"}}`,
			`{apiVersion: example.com/v1, kind: Thing, spec: {cpu: "0.5"}}`,
		},
		"what does not fit its type stays": {
			`{apiVersion: v1, kind: ConfigMap, data: [not, a, map]}`,
			`{apiVersion: v1, kind: ConfigMap, data: [not, a, map]}`,
		},
	}
	for name, each := range cases {
		given := object(t, each.given)
		got := normalize(given)
		if want := object(t, each.want); !reflect.DeepEqual(got.Object, want.Object) {
			t.Errorf("%s: got %v, want %v", name, got.Object, want.Object)
		}
		if !reflect.DeepEqual(given.Object, object(t, each.given).Object) {
			t.Errorf("%s: the argument was changed to %v", name, given.Object)
		}
	}
}

func TestNormalizeLeavesUnknownValues(t *testing.T) {
	unknown := resource.Computed{Element: resource.NewProperty("")}
	got := normalize(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"uid": "x"},
		"stringData": map[string]any{"a": unknown},
	}})
	want := map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{},
		"stringData": map[string]any{"a": unknown},
	}
	if !reflect.DeepEqual(got.Object, want) {
		t.Errorf("got %v, want %v", got.Object, want)
	}
}

func TestPruneKeepsTheShape(t *testing.T) {
	live := object(t, `
metadata: {name: a, uid: x}
data: {a: live, b: live}
spec: {list: [{name: a, default: 1}, {name: appended}], other: 1, scalar: {became: map}}
status: {ready: true}`)
	shape := object(t, `
metadata: {name: b}
data: {a: old, gone: old}
spec: {list: [{name: b}], scalar: old}`)
	want := object(t, `
metadata: {name: a}
data: {a: live}
spec: {list: [{name: a}], scalar: {became: map}}`)
	if got := prune(live, shape); !reflect.DeepEqual(got.Object, want.Object) {
		t.Errorf("got %v, want %v", got.Object, want.Object)
	}
}
