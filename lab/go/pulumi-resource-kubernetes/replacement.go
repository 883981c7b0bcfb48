package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// fieldPath is a place within an object: map keys as strings, positions in lists as ints.
type fieldPath []any

func (p fieldPath) child(step any) fieldPath {
	return append(append(make(fieldPath, 0, len(p)+1), p...), step)
}

// identityFields say which object it is: another value is another object.
var identityFields = []string{"metadata.name", "metadata.namespace"}

// immutableFields are the fields whose change replaces an object of a kind.
var immutableFields = map[schema.GroupKind][]string{
	{Kind: "Secret"}:                                                 {"type"},
	{Kind: "Service"}:                                                {"spec.clusterIP"},
	{Kind: "ResourceQuota"}:                                          {"spec.scopes"},
	{Kind: "PersistentVolumeClaim"}:                                  {"spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"},
	{Group: "apps", Kind: "DaemonSet"}:                               {"spec.selector"},
	{Group: "apps", Kind: "Deployment"}:                              {"spec.selector"},
	{Group: "apps", Kind: "StatefulSet"}:                             statefulSetFields,
	{Group: "batch", Kind: "Job"}:                                    jobFields,
	{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}:        {"roleRef"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}: {"roleRef"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                  {"parameters", "provisioner"},
}

var (
	statefulSetFields = []string{
		"spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName",
		"spec.volumeClaimTemplates",
	}
	jobFields = []string{"spec.completions", "spec.parallelism", "spec.selector", "spec.template"}
)

// replacingFields are the fields of an object whose change makes a new object of it. The contents of ConfigMaps and
// Secrets are among them unless the provider is told that they may change in place, and always when the object itself
// is immutable.
func replacingFields(object *unstructured.Unstructured, o options) []string {
	kind := object.GroupVersionKind().GroupKind()
	fields := append(append([]string{}, identityFields...), immutableFields[kind]...)
	immutable, _, _ := unstructured.NestedFieldNoCopy(object.Object, "immutable")
	frozen := immutable == true
	switch {
	case isConfigMap(object) && (frozen || !o.configMapMutable):
		fields = append(fields, "data", "binaryData")
	case isSecret(object) && (frozen || !o.secretMutable):
		fields = append(fields, "data", "stringData")
	}
	return fields
}

// touches tells whether a change at path, which puts value there (nil for a removal), changes the field: it is the
// field, lies within it, or brings it along.
func touches(field string, path fieldPath, value any) bool {
	keys := strings.Split(field, ".")
	for index, key := range keys {
		if index == len(path) {
			return holds(value, keys[index:])
		}
		if path[index] != key {
			return false
		}
	}
	return true
}

func holds(value any, keys []string) bool {
	for _, key := range keys {
		object, isMap := value.(map[string]any)
		if !isMap {
			return false
		}
		var found bool
		if value, found = object[key]; !found {
			return false
		}
	}
	return true
}
