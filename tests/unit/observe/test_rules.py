"""Detections as rule files: what a stack's settings change in them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from auditlog.annotations.model import Entry
from auditlog.annotations.read import catalogue
from auditlog.detections.acts import ACTS, act_of, inhibit_rules
from auditlog.detections.catalogue import AREAS, DETECTIONS, find
from auditlog.detections.model import Events, Metrics
from auditlog.detections.schedule import LATE, schedule_of
from auditlog.events.budget import Budget
from auditlog.observe.rules import RuleScope, number
from auditlog.observe.rules_loki import loki_rules
from auditlog.observe.rules_prometheus import prometheus_rules
from auditlog.settings import AlertSettings
from tests.unit.plan.nodes import settings

NODES = ("cp1", "cp2")
BUDGET = Budget(30, 30 * 10**9)
SCOPE = RuleScope("prod", NODES, ("cp1", "10.0.20.100"), entries=catalogue(), budget=BUDGET)


def scope(entries: tuple[Entry, ...] = (), **alerts: Any) -> RuleScope:
    chosen = AlertSettings(**alerts)
    return RuleScope("prod", NODES, ("cp1", "10.0.20.100"), settings=chosen, entries=entries, budget=BUDGET)


def rules(text: str) -> dict[str, list[dict[str, Any]]]:
    """The rules of a file by their detection."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            found.setdefault(rule["labels"]["detection"], []).append(rule)
    return found


def test_a_rule_counts_what_annotations_tell_beside_what_bodies_do() -> None:
    with_both, bodies = (rules(loki_rules(each).text) for each in (SCOPE, scope()))
    (both,), (alone,) = with_both["privileged-container"], bodies["privileged-container"]
    query = alone["expr"].removesuffix(" > 0")
    assert both["expr"].startswith(f"({query} or sum by (")
    assert both["expr"].endswith(") > 0")
    assert with_both["exec-session"] == bodies["exec-session"]
    assert "write-without-annotations" not in bodies


def test_every_detection_is_in_exactly_one_of_the_files() -> None:
    in_loki, in_prometheus = set(rules(loki_rules(SCOPE).text)), set(rules(prometheus_rules(SCOPE).text))
    assert not in_loki & in_prometheus
    assert in_loki | in_prometheus == {each.id for each in DETECTIONS}
    assert in_prometheus == {each.id for each in DETECTIONS if isinstance(each.source, Metrics)}


def test_the_same_settings_give_the_same_text() -> None:
    assert loki_rules(SCOPE).text == loki_rules(scope(catalogue())).text
    assert prometheus_rules(SCOPE).text == prometheus_rules(scope()).text


def test_a_rule_is_whole() -> None:
    rule, flood = rules(loki_rules(SCOPE).text)["secret-sweep"]
    assert flood["expr"].startswith("sum by (cluster, user, sourceIP) (count_over")
    assert flood["expr"].endswith("[5m])) > 500")
    assert rule["alert"] == "KubernetesAuditSecretSweep"
    assert rule["expr"].startswith(
        "count by (cluster, user, sourceIP) (sum by (cluster, user, sourceIP, name) (count_over"
    )
    assert '{job="kubernetes-audit", cluster="prod"}' in rule["expr"]
    assert rule["expr"].endswith("[5m]))) > 20")
    assert rule["labels"] == {"severity": "warning", "detection": "secret-sweep", "act": "secret", "cluster": "prod"}
    assert "keep_firing_for" not in rule, "Loki's ruler drops it"
    assert rule["annotations"]["summary"].startswith(
        "{{ $labels.user }} read {{ $value | humanize }} different Secrets"
    )
    assert "False positives: Operators" in rule["annotations"]["description"]
    assert "runbook_url" not in rule["annotations"]


def test_groups_are_named_after_the_cluster_the_area_and_another_interval_than_a_minute() -> None:
    groups = {group["name"]: group["interval"] for group in yaml.safe_load(loki_rules(SCOPE).text)["groups"]}
    areas = ("identity", "credentials", "sessions", "access", "workloads", "tampering", "pipeline")
    assert {f"kubernetes-audit-prod-{area}" for area in areas} <= groups.keys()
    assert {interval for name, interval in groups.items() if name.rpartition("-")[2] in areas} == {"1m"}
    assert all(name.endswith(f"-{interval}") for name, interval in groups.items() if interval != "1m")
    assert prometheus_rules(SCOPE).names == ("kubernetes-audit-prod-pipeline",)


def test_how_often_a_rule_runs_follows_from_how_soon_somebody_should_look() -> None:
    intervals = {
        rule["labels"]["detection"]: (group["interval"], rule["expr"])
        for group in loki_rules(SCOPE).groups
        for rule in group["rules"]
    }
    for detection_id, interval, window in (
        ("exec-in-kube-system", "1m", "[2m]"),
        ("impersonation", "5m", "[6m]"),
        ("exec-session", "15m", "[16m]"),
        ("forbidden-burst", "150s", "[5m]"),
        ("rbac-change-rate", "5m", "[10m]"),
        ("deprecated-api-used", "1h", "[61m]"),
    ):
        assert intervals[detection_id][0] == interval
        assert window in intervals[detection_id][1]


def test_an_event_is_in_the_window_of_an_evaluation_also_when_it_comes_a_minute_late() -> None:
    for each in DETECTIONS:
        schedule = schedule_of(each)
        if isinstance(each.source, Events):
            assert schedule.window >= schedule.interval + LATE or each.threshold
            assert schedule.window >= 2 * schedule.interval or not each.threshold


def test_plain_text_stands_before_regular_expressions() -> None:
    for detection_id, found in rules(loki_rules(SCOPE).text).items():
        before, regular, _ = found[0]["expr"].partition("|~ `")
        detection = find(detection_id)
        assert detection is not None
        if regular and isinstance(detection.source, Events) and not detection.source.open:
            assert '|= `"objectRef":{"resource":"' in before, detection_id


def test_metrics_of_another_cluster_are_not_looked_at() -> None:
    for detection_id, found in rules(prometheus_rules(SCOPE).text).items():
        about_loki = detection_id in ("loki-refused-lines", "rule-evaluation-failures", "rules-not-evaluated")
        assert ('cluster=~"|prod"' in found[0]["expr"]) is not about_loki, detection_id


def test_only_refusals_of_the_stacks_own_tenant_ring() -> None:
    own = RuleScope("prod", NODES, tenant="team.a")
    (rule,) = rules(prometheus_rules(own).text)["loki-refused-lines"]
    assert 'tenant=~"team\\\\.a"' in rule["expr"]


def test_rules_go_to_the_tenant_of_the_events() -> None:
    assert RuleScope("prod").loki_folder == "fake"
    assert RuleScope("prod", tenant="team-a").loki_folder == "team-a"
    assert RuleScope("prod", tenant="team-a", settings=AlertSettings(loki_folder="b")).loki_folder == "b"


def test_where_no_rule_is_in_loki_its_silence_is_no_fault() -> None:
    assert "rules-not-evaluated" in rules(prometheus_rules(SCOPE).text)
    assert "rules-not-evaluated" not in rules(prometheus_rules(RuleScope("prod", is_in_loki=False)).text)


def test_an_alert_links_to_its_events() -> None:
    linked = scope(grafana="https://grafana.example.com/")
    (rule,) = rules(loki_rules(linked).text)["exec-session"]
    assert rule["annotations"]["dashboard_url"] == (
        "https://grafana.example.com/d/kubernetes-audit-who?from=now-1h&to=now&var-cluster=prod"
        "&var-user=%5E%5CQ{{ $labels.user | urlquery }}%5CE%24"
        "&var-namespace=%5E%5CQ{{ $labels.namespace | urlquery }}%5CE%24"
        "&var-name=%5E%5CQ{{ $labels.name | urlquery }}%5CE%24"
    )
    (rule,) = rules(prometheus_rules(linked).text)["shipper-down"]
    assert rule["annotations"]["dashboard_url"].startswith("https://grafana.example.com/d/kubernetes-audit-pipeline?")


def test_every_detection_of_an_act_is_one_and_a_graver_alert_holds_back_a_milder_one() -> None:
    acts = {each.id: act_of(each.id) for each in DETECTIONS}
    assert acts["exec-session"] == acts["exec-in-kube-system"] == "session"
    assert acts["shipper-down"] == ""
    assert {rule["source_matchers"][0] for rule in inhibit_rules()} == {'severity="critical"', 'severity="warning"'}
    assert all(find(each) is not None for detections in ACTS.values() for each in detections)


def test_a_threshold_of_the_stack_replaces_the_catalogues() -> None:
    changed = scope(thresholds={"secret-sweep": 7, "audit-disk-usage": 92.5, "no-events-from-node": 300})
    assert rules(loki_rules(changed).text)["secret-sweep"][0]["expr"].endswith(" > 7")
    assert rules(prometheus_rules(changed).text)["audit-disk-usage"][0]["expr"].endswith(" > 92.5")
    assert "[5m]" in rules(loki_rules(changed).text)["no-events-from-node"][0]["expr"]


def test_a_disabled_detection_has_no_rule() -> None:
    left = scope(disable=("secret-sweep", "audit-disk-usage"))
    assert "secret-sweep" not in loki_rules(left).text
    assert "audit-disk-usage" not in prometheus_rules(left).text


def test_an_area_without_detections_has_no_group() -> None:
    access = tuple(each.id for each in AREAS["access"])
    assert "kubernetes-audit-prod-access" in loki_rules(scope(disable=access[1:])).names
    assert "kubernetes-audit-prod-access" not in loki_rules(scope(disable=access)).names


def test_ignored_users_are_left_out_of_their_detection_alone() -> None:
    ignoring = rules(loki_rules(scope(ignore_users={"secret-sweep": ("system:serviceaccount:eso:eso",)})).text)
    assert '| user!="system:serviceaccount:eso:eso"' in ignoring["secret-sweep"][0]["expr"]
    assert "eso:eso" not in str({key: value for key, value in ignoring.items() if key != "secret-sweep"})


def test_silence_is_watched_on_every_node() -> None:
    silence = rules(loki_rules(SCOPE).text)["no-events-from-node"]
    assert [rule["expr"] for rule in silence] == [
        f'absent_over_time({{job="kubernetes-audit", cluster="prod", node="{node}"}} [1m])' for node in NODES
    ]
    assert "no-events-from-node" not in rules(loki_rules(RuleScope("prod")).text)


def test_the_volume_of_a_day_is_compared_with_the_budget_every_six_hours() -> None:
    (rule,) = rules(loki_rules(SCOPE).text)["audit-budget-missed"]
    query = 'sum by (cluster, node) (bytes_over_time({job="kubernetes-audit", cluster="prod"} [1d]))'
    assert rule["expr"] == f"{query} / 1000000000 > 1"
    intervals = {group["name"]: group["interval"] for group in loki_rules(SCOPE).groups}
    assert intervals["kubernetes-audit-prod-retention-6h"] == "6h"
    assert "audit-budget-missed" not in rules(loki_rules(RuleScope("prod", NODES)).text)


def test_an_alert_links_to_its_runbook_where_the_stack_says_where_they_are() -> None:
    linked = rules(loki_rules(scope(runbooks="https://example.com/runbooks/")).text)
    assert linked["impersonation"][0]["annotations"]["runbook_url"] == "https://example.com/runbooks/impersonation.md"


def test_the_disk_is_that_of_the_logs_folders_on_the_stacks_nodes() -> None:
    (rule,) = rules(prometheus_rules(SCOPE).text)["audit-disk-usage"]
    assert 'instance=~"(cp1|10\\\\.0\\\\.20\\\\.100)(:[0-9]+)?"' in rule["expr"]
    assert 'mountpoint=~"/var/log/kubernetes/audit|/var/log/kubernetes|/var/log|/var|/"' in rule["expr"]


def test_selectors_of_the_stack_replace_the_usual_ones() -> None:
    own = scope(selectors={"apiServer": 'job="kapi"', "nodeExporter": 'role="control-plane"'})
    text = prometheus_rules(own).text
    assert 'job="kapi"' in text
    assert "kubernetes-apiservers" not in text
    assert "cp1" not in text


def test_a_stack_gives_its_nodes_by_name_and_address() -> None:
    stack = settings()
    made = RuleScope.of(stack)
    assert (made.cluster, made.nodes, made.log_path) == (stack.cluster, ("cp1",), stack.log_file)
    assert made.addresses == ("cp1", stack.nodes[0].host)


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (20.0, "20"), (50_000_000, "50000000"), (0.5, "0.5")])
def test_a_threshold_is_written_as_people_write_it(value: float, text: str) -> None:
    assert number(value) == text
