// The policy oracle on k8s.io/apiserver 0.37, the code of Kubernetes 1.37.
package main

import oracle "kubernetes-audit/lab/policy-oracle"

func main() {
	oracle.Main()
}
