package main

import (
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// options is a provider's configuration.
type options struct {
	kubeconfig  string // path or text
	contextName string
	clusterName string
	namespace   string

	serverSideApply       bool
	upsertExistingObjects bool
	patchForce            bool
	configMapMutable      bool
	secretMutable         bool
	deleteUnreachable     bool
	skipUpdateUnreachable bool
}

// unsupportedOptions change what the official provider does with every resource. To ignore one of them would write to a
// cluster that the program did not mean to write to.
var unsupportedOptions = []resource.PropertyKey{"renderYamlToDirectory", "alwaysRender", "strictMode"}

// parseOptions reads the configuration that the engine hands over. A switch that is not configured is taken from the
// environment.
func parseOptions(variables map[string]string, environment func(string) (string, bool)) options {
	text := func(name string) string { return variables["kubernetes:config:"+name] }
	enabled := func(name, variable string, byDefault bool) bool {
		value, found := variables["kubernetes:config:"+name]
		if !found {
			value, found = environment(variable)
		}
		if !found {
			return byDefault
		}
		return value == "true"
	}
	return options{
		kubeconfig:  text("kubeconfig"),
		contextName: text("context"),
		clusterName: text("cluster"),
		namespace:   text("namespace"),

		serverSideApply:       enabled("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", true),
		upsertExistingObjects: enabled("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS", false),
		patchForce:            enabled("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE", false),
		configMapMutable:      enabled("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", false),
		secretMutable:         enabled("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE", false),
		deleteUnreachable:     enabled("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE", false),
		skipUpdateUnreachable: enabled("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", false),
	}
}

// CheckConfig accepts every configuration that this provider can follow.
func (p *kubernetesProvider) CheckConfig(
	_ context.Context, request *pulumirpc.CheckRequest,
) (*pulumirpc.CheckResponse, error) {
	config, err := readConfig(request.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.CheckResponse{Inputs: request.GetNews()}
	for _, key := range unsupportedOptions {
		if value := textOf(config[key]); value != "" && value != "false" {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
				Property: string(key),
				Reason:   "the lab's Kubernetes provider does not have this option; use the official plugin",
			})
		}
	}
	return response, nil
}

// DiffConfig decides when another configuration means another cluster, whose resources are all to be made anew.
func (p *kubernetesProvider) DiffConfig(
	_ context.Context, request *pulumirpc.DiffRequest,
) (*pulumirpc.DiffResponse, error) {
	olds, err := readConfig(request.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := readConfig(request.GetNews())
	if err != nil {
		return nil, err
	}
	return diffConfig(olds, news)
}

// diffConfig decides by these rules: an unchanged clusterIdentifier never replaces, a changed one always does; else a
// kubeconfig, context or cluster does that is not known yet, as it may be another, or that leads to another cluster. A
// clusterIdentifier that appears or disappears says nothing. A kubeconfig that cannot be read, the old one included, is
// an error whatever the identifier says; the engine takes an error of this provider's DiffConfig for an update.
func diffConfig(olds, news resource.PropertyMap) (*pulumirpc.DiffResponse, error) {
	changes := olds.Diff(news)
	if changes == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}
	for _, key := range changes.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	slices.Sort(response.Diffs)

	suspects, err := otherClusterKeys(olds, news, response.Diffs)
	if err != nil {
		return nil, err
	}
	switch {
	case changes.Updated("clusterIdentifier"):
		response.Replaces = append([]string{"clusterIdentifier"}, suspects...)
	case !changes.Same("clusterIdentifier") || !news.HasValue("clusterIdentifier"):
		response.Replaces = suspects
	}
	return response, nil
}

// otherClusterKeys are the changed keys that lead, or may lead, to another cluster.
func otherClusterKeys(olds, news resource.PropertyMap, changed []string) ([]string, error) {
	var suspects []string
	for _, key := range []string{"kubeconfig", "context", "cluster"} {
		if news[resource.PropertyKey(key)].IsComputed() {
			return []string{key}, nil
		}
		if slices.Contains(changed, key) {
			suspects = append(suspects, key)
		}
	}
	moved, err := leadsElsewhere(olds, news)
	if err != nil || !moved {
		return nil, err
	}
	return suspects, nil
}

// leadsElsewhere compares the clusters of two configurations; where either does not lead to one it says no.
func leadsElsewhere(olds, news resource.PropertyMap) (bool, error) {
	oldConfig, err := parseKubeconfigProperty(olds["kubeconfig"])
	if err != nil {
		return false, fmt.Errorf("old kubeconfig: %w", err)
	}
	newConfig, err := parseKubeconfigProperty(news["kubeconfig"])
	if err != nil {
		return false, fmt.Errorf("new kubeconfig: %w", err)
	}
	before := activeCluster(oldConfig, textOf(olds["context"]), textOf(olds["cluster"]))
	after := activeCluster(newConfig, textOf(news["context"]), textOf(news["cluster"]))
	if before == nil || after == nil {
		return false, nil
	}
	return !reflect.DeepEqual(before, after), nil
}

// Configure connects to the cluster. One that cannot be reached is no error yet: previews do without.
func (p *kubernetesProvider) Configure(
	_ context.Context, request *pulumirpc.ConfigureRequest,
) (*pulumirpc.ConfigureResponse, error) {
	p.options = parseOptions(request.GetVariables(), os.LookupEnv)
	config, namespace, err := clientConfig(p.options)
	p.options.namespace = namespace
	if err != nil {
		p.cluster = &cluster{unreachable: err}
	} else {
		p.cluster = connect(config)
	}
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets:                   true,
		SupportsPreview:                 true,
		SupportsAutonamingConfiguration: true,
	}, nil
}

func readConfig(wire *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(wire, plugin.MarshalOptions{KeepUnknowns: true, SkipNulls: true})
}
