// Command pulumi-resource-command replaces the official provider plugin of the
// same name, for machines that cannot download it. COVERAGE.md says what it covers.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi-go-provider/middleware/schema"

	"kubernetes-audit/lab/pulumi-resource-command/local"
	"kubernetes-audit/lab/pulumi-resource-command/remote"
)

// Version is what the plugin answers to GetPluginInfo: the release whose behaviour it follows.
// The engine refuses a plugin that is older than the one the program's SDK asks for.
var Version = "1.2.1"

func main() {
	provider := infer.Provider(infer.Options{
		Metadata: schema.Metadata{
			DisplayName: "Command (lab)",
			Description: "Runs commands here and on remote hosts over SSH. Replaces the official provider, for the lab only.",
		},
		Resources: []infer.InferredResource{infer.Resource(local.Command{}), infer.Resource(remote.Command{})},
	})
	if err := provider.Run(context.Background(), "command", Version); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-command: %v\n", err)
		os.Exit(1)
	}
}
