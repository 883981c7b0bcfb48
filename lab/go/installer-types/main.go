// installer-types KIND FILE: whether the YAML is what an installer of clusters takes, decoded strictly into its own types.
package main

import (
	"fmt"
	"os"

	controlplane "sigs.k8s.io/cluster-api/api/controlplane/kubeadm/v1beta2"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: installer-types cluster-api|kind FILE"))
	}
	text, err := os.ReadFile(os.Args[2])
	fail(err)
	switch os.Args[1] {
	case "cluster-api":
		fail(yaml.UnmarshalStrict(text, &controlplane.KubeadmControlPlane{}))
	case "kind":
		fail(yaml.UnmarshalStrict(text, &v1alpha4.Cluster{}))
	default:
		fail(fmt.Errorf("%q is no installer; allowed: cluster-api, kind", os.Args[1]))
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
