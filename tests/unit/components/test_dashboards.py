"""The dashboards' wiring: which objects there are for each mode, with what in them, and by which provider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from auditlog.observe.dashboards import all_dashboards, options_for
from tests.unit.components.program import PROJECT, Program, run_program, stack_config
from tests.unit.plan.nodes import settings, untouched

UIDS = [f"kubernetes-audit-{name}" for name in ("who", "security", "volume", "pipeline")]
KUBECONFIG = "apiVersion: v1\nkind: Config\n"


def run(monkeypatch: pytest.MonkeyPatch, **dashboards: Any) -> Program:
    config = {**stack_config(dashboards=dashboards), f"{PROJECT}:kubeconfig": KUBECONFIG}
    return run_program(monkeypatch, config, {"cp1": untouched()})


def test_without_a_mode_there_are_none_and_no_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config(), {"cp1": untouched()})
    assert not any(resource.type.startswith("kubernetes:") for resource in program.resources.values())
    assert program.outputs["dashboards"] == {}


def test_a_config_map_for_each_dashboard_as_the_sidecar_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, mode="configmap", namespace="grafana", folder="Audit")
    for dashboard in all_dashboards(options_for(settings())):
        resource = program.resources[dashboard.uid]
        assert (resource.type, resource.parent) == ("kubernetes:core/v1:ConfigMap", "dashboards")
        metadata = resource.inputs["metadata"]
        assert (metadata["name"], metadata["namespace"]) == (dashboard.uid, "grafana")
        assert metadata["labels"]["grafana_dashboard"] == "1"
        assert metadata["annotations"] == {"grafana_folder": "Audit"}
        assert resource.inputs["data"] == {f"{dashboard.uid}.json": dashboard.json}


def test_a_resource_of_the_operator_for_each_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, mode="grafana-operator", instanceSelector={"team": "platform"})
    for uid in UIDS:
        resource = program.resources[uid]
        assert resource.type == "kubernetes:grafana.integreatly.org/v1beta1:GrafanaDashboard"
        assert resource.inputs["metadata"]["namespace"] == "monitoring"
        spec = resource.inputs["spec"]
        assert spec["instanceSelector"] == {"matchLabels": {"team": "platform"}}
        assert spec["folder"] == "Kubernetes audit"
        assert json.loads(spec["json"])["uid"] == uid


def test_they_come_after_the_control_plane_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, mode="configmap")
    assert all("cluster-configuration" in program.resources[uid].depends_on for uid in UIDS)


def test_the_provider_gets_the_kubeconfig_as_a_secret_and_changes_config_maps_in_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = run(monkeypatch, mode="configmap").resources["cluster"]
    assert provider.type == "pulumi:providers:kubernetes"
    assert provider.inputs["kubeconfig"] == KUBECONFIG
    assert "kubeconfig" in provider.secrets
    assert provider.inputs["enableConfigMapMutable"] in (True, "true")


def with_file(path: Path) -> dict[str, str]:
    return {**stack_config(dashboards={"mode": "configmap"}), f"{PROJECT}:kubeconfigFile": str(path)}


def test_the_provider_gets_the_path_that_the_settings_name_and_nothing_of_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG)
    provider = run_program(monkeypatch, with_file(path), {"cp1": untouched()}).resources["cluster"]
    assert provider.inputs["kubeconfig"] == str(path)
    assert "kubeconfig" not in provider.secrets


@pytest.mark.parametrize(("name", "reason"), [("nowhere", "No such file or directory"), (".", "Is a directory")])
def test_a_path_that_leads_to_no_kubeconfig_is_named_before_a_node_is_contacted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    with pytest.raises(pulumi.RunError, match=f"kubeconfigFile: '{path}' cannot be read: {reason}; allowed: a kube"):
        run_program(monkeypatch, with_file(path), AssertionError("a node was contacted"))


def test_the_stack_says_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run(monkeypatch, mode="configmap").outputs["dashboards"]
    assert {uid: each["path"] for uid, each in outputs.items()} == {uid: f"/d/{uid}" for uid in UIDS}


@pytest.mark.parametrize(
    ("dashboards", "message"),
    [
        ({"mode": "helm"}, "dashboards.mode: is 'helm'; allowed: one of off, configmap, grafana-operator"),
        ({"mode": "configmap", "label": "grafana dashboard"}, "dashboards.label: is 'grafana dashboard'"),
        ({"mode": "configmap", "labelValue": 1}, "dashboards.labelValue: is 1"),
        ({"mode": "configmap", "namespace": "Monitoring"}, "dashboards.namespace: is 'Monitoring'"),
        ({"mode": "grafana-operator", "instanceSelector": {"a": 1}}, "dashboards.instanceSelector: is {'a': 1}"),
        ({"mode": "configmap", "apiServerMetrics": '{job="x"}'}, "dashboards.apiServerMetrics: is "),
        ({"mode": "configmap", "datasource": "x"}, "dashboards.datasource: is not a key of the configuration"),
    ],
)
def test_a_mistake_names_the_key(monkeypatch: pytest.MonkeyPatch, dashboards: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        run(monkeypatch, **dashboards)
    assert message in str(raised.value)


def test_dashboards_without_a_kubeconfig_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match=r"kubeconfig: is missing, and dashboards\.mode is 'configmap'"):
        run_program(monkeypatch, stack_config(dashboards={"mode": "configmap"}), {"cp1": untouched()})


def test_matchers_of_the_configuration_reach_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, mode="configmap", apiServerMetrics='job="my-api"')
    (text,) = program.resources["kubernetes-audit-pipeline"].inputs["data"].values()
    assert 'job=\\"my-api\\"' in text
