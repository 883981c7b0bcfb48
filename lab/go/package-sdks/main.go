// Generates the SDKs of a Pulumi package from its schema: package-sdks SCHEMA FOLDER.
//
// Each language gets a folder below FOLDER. The generators are those of the Pulumi CLI, as far as they are Go modules:
// Java's is in none.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/pulumi/pulumi/pkg/v3/codegen/dotnet"
	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

const tool = "package-sdks"

type generator func(*schema.Package) (map[string][]byte, error)

var languages = map[string]generator{
	"dotnet": func(p *schema.Package) (map[string][]byte, error) {
		// The generator always fetches a logo, which is Pulumi's by default. This one is an empty file.
		logo := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer logo.Close()
		p.LogoURL = logo.URL
		return dotnet.GeneratePackage(tool, p, nil, nil)
	},
	"go": func(p *schema.Package) (map[string][]byte, error) {
		return gogen.GeneratePackage(tool, p, nil)
	},
	"nodejs": func(p *schema.Package) (map[string][]byte, error) {
		files, err := nodejs.GeneratePackage(tool, p, nil, nil, false, nil)
		return upOneFolder(files), err
	},
	"python": func(p *schema.Package) (map[string][]byte, error) {
		return python.GeneratePackage(tool, p, nil, nil)
	},
}

// upOneFolder mends imports of types/: this release of the generator takes filepath.Rel of Go before 1.26 for granted,
// whose result ended in "/.". The releases that do not have no generator for .NET.
func upOneFolder(files map[string][]byte) map[string][]byte {
	for name, content := range files {
		if path.Dir(name) != "types" {
			continue
		}
		content = bytes.ReplaceAll(content, []byte(`"./types/`), []byte(`"../types/`))
		files[name] = bytes.ReplaceAll(content, []byte(`"./utilities"`), []byte(`"../utilities"`))
	}
	return files
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintf(os.Stderr, "usage: %s SCHEMA FOLDER\n", tool)
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", tool, err)
		os.Exit(1)
	}
}

func generate(schemaFile, folder string) error {
	for language, generate := range languages {
		// A generator writes what it knows of its language into the package, so each has one of its own.
		bound, err := bind(schemaFile)
		if err != nil {
			return err
		}
		files, err := generate(bound)
		if err != nil {
			return fmt.Errorf("%s: %w", language, err)
		}
		for name, content := range files {
			path := filepath.Join(folder, language, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
		}
		fmt.Printf("%s: %d files\n", language, len(files))
	}
	return nil
}

// bind reads the schema and checks it as the Pulumi CLI does for a package that is published.
func bind(schemaFile string) (*schema.Package, error) {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		return nil, err
	}
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	bound, diagnostics, err := schema.BindSpec(spec, nil, schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	var wrong []error
	for _, each := range diagnostics {
		if each.Severity == hcl.DiagError {
			wrong = append(wrong, each)
		}
	}
	return bound, errors.Join(wrong...)
}
