package main

import (
	"context"
	"strings"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

var widget = schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"}

// lateMapper learns of a kind when it has been reset often enough; never when servedAfter is negative.
type lateMapper struct {
	*meta.DefaultRESTMapper
	servedAfter, resets int
}

func (m *lateMapper) Reset() {
	m.resets++
	if m.resets == m.servedAfter {
		m.Add(widget, meta.RESTScopeNamespace)
	}
}

func createWidget(t *testing.T, mapper *lateMapper, objects *fake.FakeDynamicClient, preview bool) (
	*pulumirpc.CreateResponse, error,
) {
	t.Helper()
	provider := newKubernetesProvider(silent{})
	provider.retryDelay = 0
	provider.options.serverSideApply = true
	provider.cluster = &cluster{objects: objects, kinds: mapper}
	inputs, err := writeProperties(resource.NewPropertyMapFromMap(
		object(t, "{apiVersion: example.com/v1, kind: Widget, metadata: {name: a, namespace: one}}").Object))
	if err != nil {
		t.Fatal(err)
	}
	return provider.Create(context.Background(), &pulumirpc.CreateRequest{
		Urn: string(urnOf("kubernetes:example.com/v1:Widget")), Properties: inputs, Preview: preview,
	})
}

func newClient() *fake.FakeDynamicClient {
	return fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "example.com", Version: "v1", Resource: "widgets"}: "WidgetList",
	})
}

func TestACreateWaitsForItsKind(t *testing.T) {
	mapper := &lateMapper{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil), servedAfter: 3}
	response, err := createWidget(t, mapper, newClient(), false)
	if err != nil || response.Id != "one/a" {
		t.Errorf("got %v, %v", response, err)
	}
}

func TestACreateOfAKindThatIsNeverServedGivesUp(t *testing.T) {
	mapper := &lateMapper{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil), servedAfter: -1}
	_, err := createWidget(t, mapper, newClient(), false)
	if err == nil || !strings.Contains(err.Error(), "CustomResourceDefinition missing") {
		t.Errorf("got %v", err)
	}
	if mapper.resets != createRetries+1 {
		t.Errorf("asked %d times", mapper.resets)
	}
}

func TestACreateWaitsForItsNamespaceButItsPreviewDoesNot(t *testing.T) {
	for _, preview := range []bool{true, false} {
		mapper := &lateMapper{DefaultRESTMapper: meta.NewDefaultRESTMapper(nil)}
		mapper.Add(widget, meta.RESTScopeNamespace)
		client, attempts := newClient(), 0
		client.PrependReactor("create", "widgets", func(clienttesting.Action) (bool, runtime.Object, error) {
			attempts++
			return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "one")
		})
		_, err := createWidget(t, mapper, client, preview)
		if preview && (err != nil || attempts != 1) {
			t.Errorf("preview: %d attempts, %v", attempts, err)
		}
		if !preview && (err == nil || attempts != createRetries+1) {
			t.Errorf("up: %d attempts, %v", attempts, err)
		}
	}
}
