package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// cluster is one API server, or the reason why it cannot be reached: a provider without a cluster still previews.
type cluster struct {
	unreachable error
	objects     dynamic.Interface
	kinds       meta.ResettableRESTMapper
}

func connect(config *rest.Config) *cluster {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return &cluster{unreachable: err}
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return &cluster{unreachable: err}
	}
	if _, err := client.OpenAPIV3().Paths(); err != nil {
		return &cluster{unreachable: fmt.Errorf("unable to load schema information from the API server: %w", err)}
	}
	return &cluster{
		objects: objects,
		kinds:   restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client)),
	}
}

// mapping finds how the API server serves a kind. A kind that it did not serve when last asked is asked for once more:
// its CustomResourceDefinition may have been created in this very run.
func (c *cluster) mapping(kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	mapping, err := c.kinds.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.kinds.Reset()
		mapping, err = c.kinds.RESTMapping(kind.GroupKind(), kind.Version)
	}
	return mapping, err
}

func (c *cluster) serves(kind schema.GroupVersionKind) bool {
	if c.unreachable != nil {
		return false
	}
	_, err := c.mapping(kind)
	return err == nil
}

// isNamespaced tells whether objects of a kind live in namespaces. A kind nobody knows is taken to, which the API
// server corrects when the object is created.
func (c *cluster) isNamespaced(kind schema.GroupVersionKind) (bool, error) {
	if c.unreachable != nil {
		return !clusterScoped[kind.GroupKind()], nil
	}
	mapping, err := c.mapping(kind)
	if meta.IsNoMatchError(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("kind %s: cannot tell whether it is namespaced: %w", kind, err)
	}
	return mapping.Scope.Name() == meta.RESTScopeNameNamespace, nil
}

// client reaches the objects of the object's kind in the object's namespace, which is "default" unless it names one.
func (c *cluster) client(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	mapping, err := c.mapping(object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	client := c.objects.Resource(mapping.Resource)
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return client, nil
	}
	return client.Namespace(namespaceOrDefault(object)), nil
}

func namespaceOrDefault(object *unstructured.Unstructured) string {
	if namespace := object.GetNamespace(); namespace != "" {
		return namespace
	}
	return "default"
}

// clusterScoped holds the built-in kinds outside namespaces, for when there is no API server to ask.
var clusterScoped = map[schema.GroupKind]bool{
	{Kind: "Namespace"}:        true,
	{Kind: "Node"}:             true,
	{Kind: "PersistentVolume"}: true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}:                         true,
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}:                  true,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}:                 true,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:                             true,
	{Group: "storage.k8s.io", Kind: "StorageClass"}:                                   true,
	{Group: "storage.k8s.io", Kind: "CSIDriver"}:                                      true,
	{Group: "storage.k8s.io", Kind: "CSINode"}:                                        true,
	{Group: "storage.k8s.io", Kind: "VolumeAttachment"}:                               true,
	{Group: "networking.k8s.io", Kind: "IngressClass"}:                                true,
	{Group: "node.k8s.io", Kind: "RuntimeClass"}:                                      true,
	{Group: "scheduling.k8s.io", Kind: "PriorityClass"}:                               true,
	{Group: "certificates.k8s.io", Kind: "CertificateSigningRequest"}:                 true,
	{Group: "flowcontrol.apiserver.k8s.io", Kind: "FlowSchema"}:                       true,
	{Group: "flowcontrol.apiserver.k8s.io", Kind: "PriorityLevelConfiguration"}:       true,
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}:     true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"}:   true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}:        true,
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"}: true,
}
