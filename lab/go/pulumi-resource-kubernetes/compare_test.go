package main

import (
	"reflect"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestCompareListsDifferencesByPath(t *testing.T) {
	cases := map[string]struct {
		old, new  string
		replacing []string
		want      map[string]string
	}{
		"equal":   {old: "{a: {b: [1, x]}}", new: "{a: {b: [1, x]}}", want: map[string]string{}},
		"changed": {old: "{a: {b: 1}}", new: "{a: {b: 2}}", want: map[string]string{"a.b": "UPDATE"}},
		"added":   {old: "{a: 1}", new: "{a: 1, b: {c: 2}}", want: map[string]string{"b": "ADD"}},
		"removed": {old: "{a: 1, b: {c: 2}}", new: "{a: 1}", want: map[string]string{"b": "DELETE of inputs"}},
		"lists by position": {
			old: "{a: [{b: 1}, x]}", new: "{a: [{b: 2}, x, y]}",
			want: map[string]string{"a[0].b": "UPDATE", "a[2]": "ADD"},
		},
		"list gets shorter": {
			old: "{a: [x, y]}", new: "{a: [x]}", want: map[string]string{"a[1]": "DELETE of inputs"},
		},
		"another type": {old: "{a: {b: 1}}", new: "{a: [1]}", want: map[string]string{"a": "UPDATE"}},
		"keys with dots": {
			old: "{data: {loki.yaml: x}}", new: "{data: {loki.yaml: y}}",
			want: map[string]string{`data["loki.yaml"]`: "UPDATE"},
		},
		"within a replacing field": {
			old: "{data: {a: x, b: x}}", new: "{data: {a: y, c: x}}", replacing: []string{"data"},
			want: map[string]string{
				"data.a": "UPDATE_REPLACE", "data.b": "DELETE_REPLACE of inputs", "data.c": "ADD_REPLACE",
			},
		},
		"brings a replacing field along": {
			old: "{}", new: "{spec: {selector: {a: b}}}", replacing: []string{"spec.selector"},
			want: map[string]string{"spec": "ADD_REPLACE"},
		},
		"beside a replacing field": {
			old: "{spec: {}}", new: "{spec: {selectors: x}}", replacing: []string{"spec.selector"},
			want: map[string]string{"spec.selectors": "ADD"},
		},
		"metadata disappears": {
			old: "{metadata: {name: a}}", new: "{}", want: map[string]string{"metadata": "DELETE_REPLACE of inputs"},
		},
	}
	for name, each := range cases {
		got := map[string]string{}
		for path, diff := range compareObjects(object(t, each.old).Object, object(t, each.new).Object, each.replacing) {
			got[path] = diff.Kind.String()
			if diff.InputDiff {
				got[path] += " of inputs"
			}
		}
		if !reflect.DeepEqual(got, each.want) {
			t.Errorf("%s: got %v, want %v", name, got, each.want)
		}
	}
}

func TestNumbersAreComparedByValue(t *testing.T) {
	if diffs := compareObjects(map[string]any{"a": 3.0}, map[string]any{"a": int64(3)}, nil); len(diffs) != 0 {
		t.Errorf("got %v", diffs)
	}
	if diffs := compareObjects(map[string]any{"a": 3.5}, map[string]any{"a": int64(3)}, nil); len(diffs) != 1 {
		t.Errorf("got %v", diffs)
	}
}

func TestUnknownValuesDiffer(t *testing.T) {
	unknown := resource.Computed{Element: resource.NewProperty("")}
	diffs := compareObjects(map[string]any{"a": "x"}, map[string]any{"a": unknown}, []string{"a"})
	if len(diffs) != 1 || diffs["a"].Kind.String() != "UPDATE_REPLACE" {
		t.Errorf("got %v", diffs)
	}
}
