package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// parseKubeconfig reads a kubeconfig that is given as the path of a file, "~/" included, or as the file's text.
func parseKubeconfig(pathOrText string) (*api.Config, error) {
	path := pathOrText
	if rest, found := strings.CutPrefix(path, "~/"); found {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(home, rest)
	}
	text := []byte(pathOrText)
	if _, err := os.Stat(path); err == nil {
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return clientcmd.Load(text)
}

// parseKubeconfigProperty reads the kubeconfig of a provider resource, which may also be given as an object.
func parseKubeconfigProperty(value resource.PropertyValue) (*api.Config, error) {
	switch {
	case value.IsString():
		return parseKubeconfig(value.StringValue())
	case value.IsObject():
		text, err := json.Marshal(value.ObjectValue().Mappable())
		if err != nil {
			return nil, err
		}
		return clientcmd.Load(text)
	case value.IsNull():
		return &api.Config{}, nil
	default:
		return nil, fmt.Errorf("kubeconfig is a %s; a path, the text or an object is allowed", value.TypeString())
	}
}

// activeCluster finds the cluster that a kubeconfig leads to, or nil. "" chooses the kubeconfig's own context, and its
// context's own cluster.
func activeCluster(config *api.Config, contextName, clusterName string) *api.Cluster {
	if contextName == "" {
		contextName = config.CurrentContext
	}
	chosen := config.Contexts[contextName]
	if chosen == nil {
		return nil
	}
	if clusterName == "" {
		clusterName = chosen.Cluster
	}
	return config.Clusters[clusterName]
}

// clientConfig is how to reach the API server, and the namespace for objects that name none. Without a kubeconfig of
// its own the provider uses what kubectl would use: $KUBECONFIG or ~/.kube/config.
func clientConfig(o options) (*rest.Config, string, error) {
	overrides := &clientcmd.ConfigOverrides{
		Context:        api.Context{Cluster: o.clusterName, Namespace: o.namespace},
		CurrentContext: o.contextName,
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), overrides)
	if o.kubeconfig != "" {
		parsed, err := parseKubeconfig(o.kubeconfig)
		if err != nil {
			return nil, o.namespace, fmt.Errorf("failed to parse kubeconfig data in `kubernetes:config:kubeconfig`: %w", err)
		}
		loader = clientcmd.NewDefaultClientConfig(*parsed, overrides)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		namespace = o.namespace
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, namespace, fmt.Errorf("unable to load Kubernetes client configuration from kubeconfig: %w", err)
	}
	// The client's own limits are for one controller; a program creates dozens of objects at once.
	config.QPS, config.Burst = 50, 120
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = "pulumi-kubernetes/" + Version
	return config, namespace, nil
}
