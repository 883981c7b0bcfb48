package main

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// kindOf reads group, version and kind out of a type token such as kubernetes:core/v1:ConfigMap. The group core is the
// API's empty group, and the kind of a Patch resource is the kind that it patches.
func kindOf(urn resource.URN) (schema.GroupVersionKind, error) {
	named, err := namedKind(urn)
	if err != nil {
		return schema.GroupVersionKind{}, err
	}
	if patched, isPatch := patchedKind(named); isPatch {
		return patched, nil
	}
	return named, nil
}

// isPatch tells whether the resource manages some fields of an object that it does not own, as ConfigMapPatch does.
func isPatch(urn resource.URN) bool {
	named, err := namedKind(urn)
	if err != nil {
		return false
	}
	_, found := patchedKind(named)
	return found
}

func namedKind(urn resource.URN) (schema.GroupVersionKind, error) {
	token := urn.Type()
	group, version, found := strings.Cut(string(token.Module().Name()), "/")
	if token.Package() != "kubernetes" || !found || group == "helm.sh" {
		return schema.GroupVersionKind{}, fmt.Errorf(
			"resource type %q: only kubernetes:GROUP/VERSION:Kind of an API server's own kinds is provided", token)
	}
	if group == "core" {
		group = ""
	}
	return schema.GroupVersionKind{Group: group, Version: version, Kind: string(token.Name())}, nil
}

// patchedKind finds ConfigMap for ConfigMapPatch. Only built-in kinds have Patch resources, so a custom resource whose
// kind happens to end in Patch is not one.
func patchedKind(named schema.GroupVersionKind) (schema.GroupVersionKind, bool) {
	patched := named
	var found bool
	patched.Kind, found = strings.CutSuffix(named.Kind, "Patch")
	return patched, found && scheme.Scheme.Recognizes(patched)
}
