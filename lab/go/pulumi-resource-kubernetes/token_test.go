package main

import "testing"

func TestTypeTokensNameKinds(t *testing.T) {
	cases := []struct {
		token, kind string
		patch       bool
	}{
		{"kubernetes:core/v1:ConfigMap", "/v1, Kind=ConfigMap", false},
		{"kubernetes:core/v1:ConfigMapPatch", "/v1, Kind=ConfigMap", true},
		{"kubernetes:apps/v1:DaemonSetPatch", "apps/v1, Kind=DaemonSet", true},
		{"kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
			"rbac.authorization.k8s.io/v1, Kind=ClusterRoleBinding", false},
		{"kubernetes:monitoring.coreos.com/v1:PrometheusRule", "monitoring.coreos.com/v1, Kind=PrometheusRule", false},
		{"kubernetes:example.com/v1:CrossPatch", "example.com/v1, Kind=CrossPatch", false},
	}
	for _, each := range cases {
		kind, err := kindOf(urnOf(each.token))
		if err != nil {
			t.Errorf("%s: %v", each.token, err)
			continue
		}
		if kind.String() != each.kind || isPatch(urnOf(each.token)) != each.patch {
			t.Errorf("%s: got %s, patch %t", each.token, kind, isPatch(urnOf(each.token)))
		}
	}
}

func TestTypeTokensOfNoKindAreRefused(t *testing.T) {
	for _, token := range []string{
		"kubernetes:helm.sh/v3:Release", "kubernetes:yaml:ConfigFile", "command:remote:Command",
	} {
		if kind, err := kindOf(urnOf(token)); err == nil {
			t.Errorf("%s: got %s, want an error", token, kind)
		}
	}
}
