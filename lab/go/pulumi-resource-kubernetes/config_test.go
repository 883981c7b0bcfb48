package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func TestOptionsComeFromConfigurationThenEnvironment(t *testing.T) {
	environment := func(name string) (string, bool) {
		value, found := map[string]string{
			"PULUMI_K8S_DELETE_UNREACHABLE":       "true",
			"PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE": "true",
		}[name]
		return value, found
	}
	got := parseOptions(map[string]string{
		"kubernetes:config:deleteUnreachable": "false",
		"kubernetes:config:namespace":         "monitoring",
		"kubernetes:config:context":           "lab",
	}, environment)
	want := options{serverSideApply: true, configMapMutable: true, namespace: "monitoring", contextName: "lab"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestOptionsThatAreNotCoveredAreRefused(t *testing.T) {
	provider := newKubernetesProvider(silent{})
	for option, refused := range map[resource.PropertyKey]bool{
		"renderYamlToDirectory": true, "alwaysRender": true, "strictMode": true, "enablePatchForce": false,
	} {
		news, err := writeProperties(resource.PropertyMap{option: resource.NewProperty("true")})
		if err != nil {
			t.Fatal(err)
		}
		response, err := provider.CheckConfig(context.Background(), &pulumirpc.CheckRequest{News: news})
		if err != nil || (len(response.Failures) == 1) != refused {
			t.Errorf("%s: got %v, %v", option, response, err)
		}
	}
}

func kubeconfigFor(server string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Config
current-context: main
clusters: [{name: main, cluster: {server: %q}}, {name: second, cluster: {server: "https://second"}}]
users: [{name: me, user: {}}]
contexts: [{name: main, context: {cluster: main, user: me}}, {name: other, context: {cluster: second, user: me}}]
`, server)
}

func TestAnotherClusterReplacesTheProvider(t *testing.T) {
	first := kubeconfigFor("https://first")
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	unknown := resource.MakeComputed(resource.NewProperty(""))
	text := func(value string) resource.PropertyValue { return resource.NewProperty(value) }
	cases := map[string]struct {
		olds, news resource.PropertyMap
		diffs      []string
		replaces   []string
	}{
		"nothing": {
			olds: resource.PropertyMap{"kubeconfig": text(first)}, news: resource.PropertyMap{"kubeconfig": text(first)},
		},
		"another server": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": text(kubeconfigFor("https://moved"))},
			diffs: []string{"kubeconfig"}, replaces: []string{"kubeconfig"},
		},
		"text becomes path": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": text(path)},
			diffs: []string{"kubeconfig"},
		},
		"another context": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": text(first), "context": text("other")},
			diffs: []string{"context"}, replaces: []string{"context"},
		},
		"not known yet": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": unknown},
			diffs: []string{"kubeconfig"}, replaces: []string{"kubeconfig"},
		},
		"another server, same identifier": {
			olds: resource.PropertyMap{"kubeconfig": text(first), "clusterIdentifier": text("lab")},
			news: resource.PropertyMap{
				"kubeconfig": text(kubeconfigFor("https://moved")), "clusterIdentifier": text("lab"),
			},
			diffs: []string{"kubeconfig"},
		},
		"another identifier": {
			olds:  resource.PropertyMap{"clusterIdentifier": text("lab")},
			news:  resource.PropertyMap{"clusterIdentifier": text("prod")},
			diffs: []string{"clusterIdentifier"}, replaces: []string{"clusterIdentifier"},
		},
		"an identifier appears": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": text(first), "clusterIdentifier": text("lab")},
			diffs: []string{"clusterIdentifier"},
		},
		"a switch": {
			olds:  resource.PropertyMap{"kubeconfig": text(first)},
			news:  resource.PropertyMap{"kubeconfig": text(first), "enableConfigMapMutable": text("true")},
			diffs: []string{"enableConfigMapMutable"},
		},
	}
	for name, each := range cases {
		response, err := diffConfig(each.olds, each.news)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(response.Diffs, each.diffs) || !slices.Equal(response.Replaces, each.replaces) {
			t.Errorf("%s: got %v", name, response)
		}
	}
}

func TestAKubeconfigThatCannotBeReadIsAnErrorEvenWhenItIsTheOldOne(t *testing.T) {
	broken := resource.PropertyMap{
		"kubeconfig": resource.NewProperty("not a kubeconfig"), "clusterIdentifier": resource.NewProperty("lab"),
	}
	mended := resource.PropertyMap{
		"kubeconfig":        resource.NewProperty(kubeconfigFor("https://first")),
		"clusterIdentifier": resource.NewProperty("lab"),
	}
	if response, err := diffConfig(broken, mended); err == nil {
		t.Errorf("got %v", response)
	}
}
