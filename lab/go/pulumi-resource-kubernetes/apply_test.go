package main

import (
	"regexp"
	"testing"
)

func TestTheFieldManagerIsChosenOnce(t *testing.T) {
	plain := object(t, "{kind: ConfigMap}")
	chosen := object(t, `{metadata: {annotations: {pulumi.com/patchFieldManager: "audit"}}}`)
	for _, each := range []struct {
		chosen          bool
		known           string
		serverSideApply bool
		want            string
	}{
		{false, "", true, `^pulumi-kubernetes-[0-9a-f]{8}$`},
		{false, "known", true, `^known$`},
		{true, "known", true, `^audit$`},
		{true, "known", false, `^pulumi-kubernetes$`},
	} {
		inputs := plain
		if each.chosen {
			inputs = chosen
		}
		got, err := chooseFieldManager(inputs, each.known, each.serverSideApply)
		if err != nil || !regexp.MustCompile(each.want).MatchString(got) {
			t.Errorf("%+v: got %q, %v", each, got, err)
		}
	}
}

func TestWhenAnApplyIsForced(t *testing.T) {
	plain := object(t, "{kind: ConfigMap}")
	annotated := object(t, `{metadata: {annotations: {pulumi.com/patchForce: "true"}}}`)
	ours := object(t, "{metadata: {managedFields: [{manager: pulumi-kubernetes, operation: Update}]}}")
	theirs := object(t, "{metadata: {managedFields: [{manager: kubeadm, operation: Update}]}}")

	provider := newKubernetesProvider(silent{})
	for name, got := range map[string]bool{
		"annotation":                          provider.forces(annotated, theirs, false),
		"preview of a new object":             provider.forces(plain, nil, true),
		"preview over our own create":         provider.forces(plain, ours, true),
		"not for somebody else's fields":      !provider.forces(plain, theirs, true),
		"not for real, where we take it over": !provider.forces(plain, ours, false),
		"not for a new object":                !provider.forces(plain, nil, false),
	} {
		if !got {
			t.Error(name)
		}
	}
	provider.options.patchForce = true
	if !provider.forces(plain, theirs, false) {
		t.Error("enablePatchForce")
	}
}
