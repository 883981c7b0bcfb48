package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/util/csaupgrade"
)

const (
	patchForceAnnotation   = "pulumi.com/patchForce"
	fieldManagerAnnotation = "pulumi.com/patchFieldManager"

	// clientSideManager is who creates objects; the first server-side apply of a resource takes its fields over.
	clientSideManager = "pulumi-kubernetes"
)

// chooseFieldManager is the name under which a resource applies its fields: the program's choice, else the one that
// known, the state's, else a new one. Client-side mode has one name for all.
func chooseFieldManager(inputs *unstructured.Unstructured, known string, serverSideApply bool) (string, error) {
	if !serverSideApply {
		return clientSideManager, nil
	}
	if chosen := annotation(inputs, fieldManagerAnnotation); chosen != "" {
		return chosen, nil
	}
	if known != "" {
		return known, nil
	}
	return resource.NewUniqueName(nil, clientSideManager+"-", 0, 0, nil)
}

func dryRun(preview bool) []string {
	if preview {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// applyObject sends the object as what manager wants of it. With force it takes fields that other managers hold; without,
// such a field is an error.
func applyObject(
	ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured, manager string,
	force, preview bool,
) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	applied, err := client.Patch(ctx, object.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{
		FieldManager: manager, Force: &force, DryRun: dryRun(preview),
	})
	if apierrors.IsConflict(err) {
		// Capitalised as in the official provider: people search for it.
		return nil, fmt.Errorf("Server-Side Apply field conflict detected: field manager %q does not own what it sets; "+
			"to take it over set the annotation %s: \"true\": %w", manager, patchForceAnnotation, err)
	}
	return applied, err
}

// forces decides whether an apply takes fields that other managers hold. live is nil for a new object.
func (p *kubernetesProvider) forces(inputs, live *unstructured.Unstructured, preview bool) bool {
	if annotation(inputs, patchForceAnnotation) == "true" || p.options.patchForce {
		return true
	}
	if !preview {
		return false
	}
	if live == nil {
		return true
	}
	// The real update takes the client-side fields over first, which a preview must not do.
	for _, entry := range live.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Manager == clientSideManager {
			return true
		}
	}
	return false
}

// takeOver makes manager the owner of what was written by a client-side create of this provider or by kubectl, so that
// neither conflicts with an apply, and a field which the program drops goes away.
func takeOver(
	ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, manager string,
) error {
	writers := sets.New[string]()
	for _, entry := range live.GetManagedFields() {
		if entry.Manager == clientSideManager || entry.Manager == "before-first-apply" ||
			strings.HasPrefix(entry.Manager, "kubectl") {
			writers.Insert(entry.Manager)
		}
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, writers, manager)
	if err != nil || patch == nil {
		return err
	}
	_, err = client.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{})
	return err
}

// relinquish ends a manager's ownership. A field that nobody else owns is REMOVED from the object, or set to its
// default: what it was before this manager took it does not come back.
func relinquish(
	ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured, manager string,
) error {
	identity := &unstructured.Unstructured{Object: map[string]any{}}
	identity.SetGroupVersionKind(object.GroupVersionKind())
	identity.SetNamespace(object.GetNamespace())
	identity.SetName(object.GetName())
	_, err := applyObject(ctx, client, identity, manager, false, false)
	return err
}
