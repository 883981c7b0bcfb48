// The policy oracle on k8s.io/apiserver 0.36, the code of Kubernetes 1.36.
package main

import oracle "kubernetes-audit/lab/policy-oracle"

func main() {
	oracle.Main()
}
