// Command pulumi-resource-kubernetes is the official Pulumi Kubernetes provider, unmodified.
//
// Its own main package cannot be built from the Go module: it embeds two files that a release generates. This one reads
// them beside the program, where the lab's build puts the module's copies, and sets the schema's version as a release does.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

const name = "kubernetes"

// Version is the release that the Python package asks the engine for.
var Version = "unknown"

func main() {
	schema, mapping, err := embedded()
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-kubernetes: %v\n", err)
		os.Exit(1)
	}
	provider.Serve(name, Version, schema, mapping)
}

// embedded gives the schema, with its version set, and the Terraform mapping.
func embedded() (schema, mapping []byte, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	folder := filepath.Dir(program)
	if schema, err = os.ReadFile(filepath.Join(folder, "schema.json")); err != nil {
		return nil, nil, err
	}
	if mapping, err = os.ReadFile(filepath.Join(folder, "terraform-mapping.json")); err != nil {
		return nil, nil, err
	}
	title := fmt.Appendf(nil, "%q: %q,", "name", name)
	if !bytes.Contains(schema[:min(len(schema), 100)], title) {
		return nil, nil, fmt.Errorf("schema.json does not begin with %s", title)
	}
	versioned := fmt.Appendf(title, " %q: %q,", "version", Version)
	return bytes.Replace(schema, title, versioned, 1), mapping, nil
}
