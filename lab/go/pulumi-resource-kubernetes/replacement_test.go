package main

import (
	"slices"
	"testing"
)

func TestContentsReplaceUnlessTheyMayChangeInPlace(t *testing.T) {
	mutable := options{configMapMutable: true, secretMutable: true}
	cases := []struct {
		text     string
		options  options
		field    string
		replaces bool
	}{
		{"{apiVersion: v1, kind: ConfigMap}", options{}, "data", true},
		{"{apiVersion: v1, kind: ConfigMap}", options{}, "binaryData", true},
		{"{apiVersion: v1, kind: ConfigMap}", options{secretMutable: true}, "data", true},
		{"{apiVersion: v1, kind: ConfigMap}", mutable, "data", false},
		{"{apiVersion: v1, kind: ConfigMap, immutable: true}", mutable, "data", true},
		{"{apiVersion: v1, kind: Secret}", options{}, "data", true},
		{"{apiVersion: v1, kind: Secret}", options{configMapMutable: true}, "stringData", true},
		{"{apiVersion: v1, kind: Secret}", mutable, "data", false},
		{"{apiVersion: v1, kind: Secret}", mutable, "type", true},
		{"{apiVersion: v1, kind: Secret, immutable: true}", mutable, "data", true},
		{"{apiVersion: v1, kind: ServiceAccount}", options{}, "metadata.name", true},
		{"{apiVersion: v1, kind: ServiceAccount}", options{}, "metadata.namespace", true},
		{"{apiVersion: apps/v1, kind: DaemonSet}", options{}, "spec.selector", true},
		{"{apiVersion: apps/v1, kind: DaemonSet}", options{}, "spec.template", false},
		{"{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding}", options{}, "roleRef", true},
		{"{apiVersion: example.com/v1, kind: ConfigMap}", options{}, "data", false},
	}
	for _, each := range cases {
		fields := replacingFields(object(t, each.text), each.options)
		if slices.Contains(fields, each.field) != each.replaces {
			t.Errorf("%s with %+v: got %v", each.text, each.options, fields)
		}
	}
}
