"""The alerts' wiring: which objects there are for each mode, with what in them, and what a preview says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pytest
import yaml

from auditlog.events.loki import LokiError
from auditlog.observe import ruler_state
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules
from auditlog.settings import AlertSettings, LokiRules, PrometheusRules
from tests.unit.components.program import ARRIVED, PROJECT, Program, run_program, stack_config
from tests.unit.plan.nodes import settings, untouched

KUBECONFIG = "apiVersion: v1\nkind: Config\n"
CLUSTER = settings().cluster


def run(monkeypatch: pytest.MonkeyPatch, preset: str = "standard", **alerts: Any) -> Program:
    config = {**stack_config(alerts=alerts, policy={"preset": preset}), f"{PROJECT}:kubeconfig": KUBECONFIG}
    return run_program(monkeypatch, config, {"cp1": untouched()})


def scope(**alerts: Any) -> RuleScope:
    own = AlertSettings(**alerts)
    return replace(RuleScope.of(settings()), settings=own, is_in_loki=own.loki is not LokiRules.OFF)


def test_off_is_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run_program(monkeypatch, stack_config(), {"cp1": untouched()})
    assert "alerts" not in program.resources
    assert program.outputs["ruleGroups"] == {}


def test_loki_rules_are_a_config_map_as_the_sidecar_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki="configmap", namespace="loki", lokiFolder="tenant-a", disable=["exec-session"])
    resource = program.resources["loki-rules"]
    assert (resource.type, resource.parent) == ("kubernetes:core/v1:ConfigMap", "alerts")
    metadata = resource.inputs["metadata"]
    assert (metadata["name"], metadata["namespace"]) == (f"kubernetes-audit-{CLUSTER}-loki-rules", "loki")
    assert metadata["labels"]["loki_rule"] == ""
    assert metadata["annotations"] == {"k8s-sidecar-target-directory": "tenant-a"}
    text = loki_rules(scope(loki=LokiRules.CONFIGMAP, disable=("exec-session",))).text
    assert resource.inputs["data"] == {f"kubernetes-audit-{CLUSTER}-loki-rules.yaml": text}
    assert "prometheus-rules" not in program.resources
    assert len(text.encode()) < 500_000, "a ConfigMap takes at most 1 MiB"


def test_prometheus_rules_are_a_config_map(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = run(monkeypatch, prometheus="configmap", labels={"team": "a"}).resources["prometheus-rules"]
    assert resource.type == "kubernetes:core/v1:ConfigMap"
    assert resource.inputs["metadata"]["labels"]["team"] == "a"
    text = prometheus_rules(scope()).text
    assert resource.inputs["data"] == {f"kubernetes-audit-{CLUSTER}-prometheus-rules.yaml": text}


def test_prometheus_rules_are_a_resource_of_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, prometheus="prometheusrule", labels={"release": "kube-prometheus-stack"})
    resource = program.resources["prometheus-rules"]
    assert resource.type == "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
    assert resource.inputs["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    (group,) = resource.inputs["spec"]["groups"]
    assert group["name"] == f"kubernetes-audit-{CLUSTER}-pipeline"
    assert group["rules"][0]["alert"] == "KubernetesAuditOffOnNode"


def test_loki_rules_are_a_resource_that_alloy_finds_and_no_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki="prometheusrule", labels={"release": "kube-prometheus-stack"})
    resource = program.resources["loki-rules"]
    assert resource.type == "kubernetes:monitoring.coreos.com/v1:PrometheusRule"
    labels = resource.inputs["metadata"]["labels"]
    assert labels["kubernetes-audit/rules"] == "loki"
    assert "release" not in labels
    made = scope(loki=LokiRules.PROMETHEUS_RULE)
    assert [group["name"] for group in resource.inputs["spec"]["groups"]] == list(loki_rules(made).names)


LOKI = {"url": "https://loki.example.com", "tenant": "team-a", "username": "u", "password": "p"}
BY_API = {"alerts": {"loki": "ruler-api"}, "loki": LOKI, "alloy": {"mode": "off"}}


@pytest.fixture
def in_ruler(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the ruler has; an entry ``problem`` stands for one that cannot be asked."""
    live: dict[str, Any] = {}

    def read(*_: object) -> dict[str, Any]:
        if "problem" in live:
            raise LokiError(live["problem"])
        return live

    monkeypatch.setattr(ruler_state, "read_ruler", read)
    return live


def api_scope() -> RuleScope:
    return replace(scope(loki=LokiRules.RULER_API), tenant="team-a")


def test_rules_by_api_are_a_command_for_each_group_and_need_no_kubeconfig(
    monkeypatch: pytest.MonkeyPatch, in_ruler: dict[str, Any]
) -> None:
    program = run_program(monkeypatch, stack_config(**BY_API), {"cp1": untouched()})
    groups = loki_rules(api_scope()).groups
    commands = {name: each for name, each in program.resources.items() if name.startswith("loki-rules-")}
    assert len(commands) == len(groups)
    assert {each.type for each in commands.values()} == {"command:local:Command"}
    assert "cluster" not in program.resources, "no provider of Kubernetes"
    command = commands["loki-rules-sessions"]
    assert command.parent == "alerts"
    assert yaml.safe_load(command.inputs["stdin"])["name"] == f"kubernetes-audit-{CLUSTER}-sessions"
    assert command.inputs["environment"]["RULER_ACCESS"] == 'header = "X-Scope-OrgID: team-a"\nuser = "u:p"'
    assert command.secrets == {"environment"}
    assert command.deleted_before_replaced
    assert "cluster-configuration" in command.depends_on
    assert program.outputs["ruleGroups"] == {"loki": [group["name"] for group in groups]}
    assert not in_ruler


def test_what_is_in_order_in_the_ruler_stays(monkeypatch: pytest.MonkeyPatch, in_ruler: dict[str, Any]) -> None:
    in_ruler |= {group["name"]: group for group in loki_rules(api_scope()).groups}
    del in_ruler[f"kubernetes-audit-{CLUSTER}-sessions"]
    program = run_program(monkeypatch, stack_config(**BY_API), {"cp1": untouched()}, preview=True)
    ignored = {name: each.ignore_changes for name, each in program.resources.items() if name.startswith("loki-rules-")}
    assert ignored.pop("loki-rules-sessions") == ()
    assert set(ignored.values()) == {("create", "update", "delete")}
    assert [each for each in program.messages if "ruler" in each] == [
        f"{CLUSTER}: kubernetes-audit-{CLUSTER}-sessions is not in the ruler"
    ]


def test_a_ruler_that_cannot_be_asked_is_told_and_nothing_is_called_drift(
    monkeypatch: pytest.MonkeyPatch, in_ruler: dict[str, Any]
) -> None:
    in_ruler["problem"] = "https://loki.example.com cannot be reached"
    program = run_program(monkeypatch, stack_config(**BY_API), {"cp1": untouched()}, preview=True)
    assert any("what the ruler has now is not known" in message for message in program.messages)
    assert program.resources["loki-rules-sessions"].ignore_changes == ("create", "update", "delete")


def test_rules_by_api_need_curl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pulumi.RunError, match=r"alerts\.loki: is 'ruler-api', and there is no curl"):
        run_program(monkeypatch, stack_config(**BY_API), {"cp1": untouched()})


def test_the_api_knows_tenants_and_no_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(**{**BY_API, "alerts": {"loki": "ruler-api", "lokiFolder": "a"}})
    with pytest.raises(pulumi.RunError, match=r"alerts\.lokiFolder: is given with loki 'ruler-api'"):
        run_program(monkeypatch, config, {"cp1": untouched()})


def test_a_preview_says_that_an_operator_may_ask_for_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    for labels, said in (({}, True), ({"release": "kube-prometheus-stack"}, False)):
        alerts = {"prometheus": "prometheusrule", "labels": labels}
        config = {**stack_config(alerts=alerts), f"{PROJECT}:kubeconfig": KUBECONFIG}
        messages = run_program(monkeypatch, config, {"cp1": untouched()}, preview=True).messages
        assert any("alerts.labels is empty" in message for message in messages) is said


def test_rules_go_to_the_tenant_of_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    loki = {"url": "https://loki.example.com", "tenant": "team-a"}
    config = {**stack_config(alerts={"loki": "configmap"}, loki=loki), f"{PROJECT}:kubeconfig": KUBECONFIG}
    program = run_program(monkeypatch, config, {"cp1": untouched()})
    annotations = program.resources["loki-rules"].inputs["metadata"]["annotations"]
    assert annotations == {"k8s-sidecar-target-directory": "team-a"}


def test_they_come_after_the_control_plane_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, loki="configmap", prometheus="configmap")
    for name in ("loki-rules", "prometheus-rules"):
        assert "cluster-configuration" in program.resources[name].depends_on


def test_the_names_of_the_groups_are_an_output(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run(monkeypatch, loki="configmap", prometheus="prometheusrule").outputs["ruleGroups"]
    made = scope(loki=LokiRules.CONFIGMAP, prometheus=PrometheusRules.PROMETHEUS_RULE)
    assert outputs == {"loki": list(loki_rules(made).names), "prometheus": list(prometheus_rules(made).names)}


def test_alerts_without_a_kubeconfig_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match=r"kubeconfig: is missing, and alerts\.loki is 'configmap'"):
        run_program(monkeypatch, stack_config(alerts={"loki": "configmap"}), {"cp1": untouched()})


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        (
            {"loki": "ruler"},
            "alerts.loki: is 'ruler', did you mean 'ruler-api'; allowed: one of configmap, prometheusrule, ruler-api",
        ),
        ({"loki": "ruler-api"}, "alerts.loki: is 'ruler-api' and there is no loki.url; allowed: the key loki"),
        (
            {"rulerUrl": "https://loki"},
            "alerts.rulerUrl: is given with loki 'off'; allowed: only with loki 'ruler-api'",
        ),
        ({"prometheus": "yes"}, "alerts.prometheus: is 'yes'; allowed: one of configmap, prometheusrule, off"),
        ({"namespace": "Monitoring"}, "alerts.namespace: is 'Monitoring'"),
        ({"disable": ["secret-sweeps"]}, "alerts.disable: has 'secret-sweeps', did you mean 'secret-sweep'"),
        ({"thresholds": {"secret-sweep": "20"}}, "alerts.thresholds.secret-sweep: is '20'; allowed: a number of 0 or"),
        ({"thresholds": {"secret-sweep": -1}}, "alerts.thresholds.secret-sweep: is -1"),
        ({"thresholds": {"secret-sweep": True}}, "alerts.thresholds.secret-sweep: is True"),
        ({"thresholds": ["secret-sweep"]}, "alerts.thresholds: is ['secret-sweep']; allowed: a mapping"),
        ({"thresholds": {"sweep": 1}}, "alerts.thresholds: has 'sweep'"),
        ({"ignoreUsers": {"shipper-down": ["bob"]}}, "alerts.ignoreUsers: has 'shipper-down'"),
        (
            {"ignoreUsers": {"exec-session": "bob"}},
            "alerts.ignoreUsers.exec-session: is 'bob'; allowed: a list",
        ),
        ({"selectors": {"kubelet": 'job="a"'}}, "alerts.selectors: has 'kubelet'; allowed: apiServer, nodeExporter"),
        ({"selectors": {"alloy": "{}"}}, "alerts.selectors.alloy: is '{}'; allowed: PromQL matchers"),
        ({"labels": {"a b": "c"}}, "alerts.labels: is {'a b': 'c'}"),
        ({"lokiFolder": "a/b"}, "alerts.lokiFolder: is 'a/b'; allowed: the name of a Loki tenant"),
        ({"runbooks": "docs/runbooks"}, "alerts.runbooks: is 'docs/runbooks'; allowed: a URL"),
        ({"rules": []}, "alerts.rules: is not a key of the configuration"),
    ],
)
def test_a_mistake_names_the_key(monkeypatch: pytest.MonkeyPatch, alerts: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run(monkeypatch, **alerts)
    assert message in str(caught.value)


def test_a_preview_says_what_the_policy_hides_from_the_detections(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        **stack_config(alerts={"loki": "configmap", "disable": ["secret-sweep"]}, policy={"preset": "low-write"}),
        f"{PROJECT}:kubeconfig": KUBECONFIG,
    }
    messages = run_program(monkeypatch, config, {"cp1": untouched()}, preview=True).messages
    said = [message for message in messages if message.startswith("detection")]
    assert any("detection cluster-admin-bound can never fire: what it looks for is recorded without" in m for m in said)
    assert any("detection secrets-listed-everywhere can never fire" in message for message in said)
    assert any(message.startswith("detections that see only a part") and "impersonation" in message for message in said)
    assert not any("secret-sweep" in message for message in said), "it is off"
    repeated = run_program(monkeypatch, config, {"cp1": untouched()}).messages
    assert repeated == [f"cp1: {ARRIVED.sentence}"], "the preview has said the rest"


def test_there_are_none_while_audit_logging_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {**stack_config(alerts={"loki": "configmap"}, enabled=False), f"{PROJECT}:kubeconfig": KUBECONFIG}
    assert "alerts" not in run_program(monkeypatch, config, {"cp1": untouched()}).resources
