// Command pulumi-resource-kubernetes is the lab's stand-in for the official Pulumi Kubernetes provider plugin, for
// machines that cannot download it. It speaks the same protocol and behaves the same, the unpleasant parts included;
// COVERAGE.md states for which parts of the official provider that holds.
package main

import (
	"fmt"
	"os"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Version is the version of the official plugin that this one stands in for; set by -ldflags "-X main.Version=…".
var Version = "0.0.0"

func main() {
	err := provider.Main("kubernetes", func(host *provider.HostClient) (pulumirpc.ResourceProviderServer, error) {
		return newKubernetesProvider(engineLog{host: host}), nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
