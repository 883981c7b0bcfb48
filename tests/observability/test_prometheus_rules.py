"""Prometheus's own promtool decides when the rules on metrics fire. The lab's set-up installs it; no lab is needed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.detections.catalogue import DETECTIONS, find
from auditlog.detections.model import Metrics
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.dashboards.alert_link import alert_link
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_prometheus import prometheus_rules
from lab.host import which
from tests.grafana import opened

ON_METRICS = tuple(each.id for each in DETECTIONS if isinstance(each.source, Metrics))
SCOPE = RuleScope("prod", ("cp1", "cp2"), ("cp1", "cp2"), tenant="fake")

API = 'job="apiserver", instance="10.0.0.1:6443"'
OTHER_API = 'job="apiserver", instance="10.0.0.2:6443"'
VAR_LOG = 'job="node-exporter", instance="cp1:9100", mountpoint="/var/log"'
ALLOY = 'job="alloy", instance="cp1:12345"'
LOKI = 'job="loki", instance="loki:3100"'
FAILED_EVALUATIONS = f"loki_prometheus_rule_evaluation_failures_total{{{LOKI}, rule_group="
SIZE = f"node_filesystem_size_bytes{{{VAR_LOG}}}"
FREE = f"node_filesystem_avail_bytes{{{VAR_LOG}}}"


@dataclass(frozen=True)
class Case:
    """Series, with a value for each minute as promtool writes them, and how many alerts they have fired by a minute."""

    series: Mapping[str, str]
    minute: int
    alerts: int


def _shipper(newest: str, taken: str, sent: str) -> dict[str, str]:
    """What Alloy says: the seconds since 1970 of the event that it handed on last, and how many came and went."""

    def own(kind: str) -> str:
        return f'{ALLOY}, component_id="{kind}.audit"'

    return {
        f"kubernetes_audit_newest_event_seconds{{{ALLOY}}}": newest,
        f"otelcol_exporter_loki_entries_processed{{{own('otelcol.exporter.loki')}}}": taken,
        f"loki_write_sent_entries_total{{{own('loki.write')}}}": sent,
        f'loki_write_dropped_entries_total{{{own("loki.write")}, reason="line_too_long"}}': "0x40",
    }


def _lost(errors: str, up: str = "1x40", started: str = "", plugin: str = "log", cluster: str = "") -> dict[str, str]:
    """Errors of an API server's audit backend, what its scrapes give, and when its process began."""
    own = f'{API}, cluster="{cluster}"' if cluster else API
    return {
        f'apiserver_audit_error_total{{{own}, plugin="{plugin}"}}': errors,
        f"up{{{own}}}": up,
        **({f"process_start_time_seconds{{{own}}}": started} if started else {}),
    }


def _groups(last: str, missed: str = "0x40", group: str = "sessions-5m") -> dict[str, str]:
    """What Loki says of one of the rule groups, of five minutes: when it was evaluated last, and what was left out."""
    own = f'{LOKI}, rule_group="/rules/a.yaml;kubernetes-audit-prod-{group}"'
    return {
        f"up{{{LOKI}}}": "1x60",
        f"loki_prometheus_rule_group_last_evaluation_timestamp_seconds{{{own}}}": last,
        f"loki_prometheus_rule_group_interval_seconds{{{own}}}": "300x60",
        f"loki_prometheus_rule_group_iterations_missed_total{{{own}}}": missed,
    }


NEW_ALLOY = 'job="alloy", instance="cp1-again:12345"'
_ENTRIES = "otelcol_exporter_loki_entries_processed"
_EXPORTER = 'component_id="otelcol.exporter.loki.audit"'


def _counted(api: str, read: str, node: str = "") -> dict[str, str]:
    """What the API server counted and Alloy read; with the label ``node`` where Prometheus has it."""
    label = f', node="{node}"' if node else ""
    return {
        f"apiserver_audit_event_total{{{API}{label}}}": api,
        f"{_ENTRIES}{{{ALLOY}, {_EXPORTER}{label}}}": read,
    }


CASES: dict[str, tuple[Case, ...]] = {
    "audit-off-on-node": (
        Case({f"apiserver_request_total{{{API}}}": "0+100x30"}, 15, 1),
        Case({f"apiserver_request_total{{{API}}}": "0+100x30"}, 3, 0),
        Case(  # dropped requests count as well: a policy that records little is no fault
            {
                f"apiserver_request_total{{{API}}}": "0+100x30",
                f'apiserver_audit_level_total{{{API}, level="None"}}': "0+90x30",
            },
            15,
            0,
        ),
        Case(
            {
                f"apiserver_request_total{{{API}}}": "0+100x30",
                f'apiserver_audit_level_total{{{API}, level="None"}}': "0+90x30",
                f"apiserver_request_total{{{OTHER_API}}}": "0+100x30",
                f'apiserver_audit_level_total{{{OTHER_API}, level="Metadata"}}': "7x30",
            },
            15,
            1,
        ),
    ),
    "audit-events-lost": (
        Case(_lost("_x10 3x20"), 12, 1),
        Case(_lost("_x10 3x20"), 14, 1),
        Case(_lost("_x10 3x20"), 20, 0),
        Case(_lost("2x10 9x10", plugin="buffered"), 13, 1),
        Case(_lost("3x30"), 20, 0),
        Case(_lost("0+5x30", plugin="webhook"), 20, 0),
        # Scrapes that are missing, longer than the window: old errors are no new ones, new ones count afterwards.
        Case(_lost("3x5 _x20 3x20", up="1x5 _x20 1x20"), 27, 0),
        Case(_lost("3x5 _x20 5x20", up="1x5 _x20 1x20"), 27, 1),
        Case(_lost("_x26 1x20", up="1x5 _x20 1x20"), 28, 1),
        # A restart: what the new process has counted is new, the rest was known.
        Case(_lost("5x10 0x10"), 12, 0),
        Case(_lost("5x10 2x10"), 12, 1),
        # A process that begins with an error, under an address that was never scraped; and a Prometheus that begins.
        Case(_lost("_x10 1x20", up="_x10 1x20", started="_x10 540x20"), 12, 1),
        Case(_lost("7x30", started="-86400x30"), 3, 0),
        Case(_lost("7x30", started="-86400x30"), 7, 0),
        # Another cluster in the same Prometheus, and this one by its name.
        Case(_lost("2x10 9x10", cluster="dev"), 13, 0),
        Case(_lost("2x10 9x10", cluster="prod"), 13, 1),
    ),
    "webhook-delivery-failures": (
        Case(_lost("_x10 400x10", plugin="webhook"), 12, 1),
        Case(_lost("0+5x30"), 20, 0),
    ),
    "audit-requests-rejected": (
        Case({f"apiserver_audit_requests_rejected_total{{{API}}}": "0x10 4x10"}, 12, 1),
        Case({f"apiserver_audit_requests_rejected_total{{{API}}}": "0x30"}, 3, 0),
        Case({f"apiserver_audit_requests_rejected_total{{{API}}}": "0x10 4x20"}, 20, 0),
    ),
    "audit-disk-usage": (
        Case(
            {
                SIZE: "100x20",
                FREE: "19x20",
            },
            10,
            1,
        ),
        Case(
            {
                SIZE: "100x20",
                FREE: "21x20",
            },
            10,
            0,
        ),
        Case(
            {
                'node_filesystem_size_bytes{instance="cp1:9100", mountpoint="/srv"}': "100x20",
                'node_filesystem_avail_bytes{instance="cp1:9100", mountpoint="/srv"}': "1x20",
                'node_filesystem_size_bytes{instance="worker-1:9100", mountpoint="/"}': "100x20",
                'node_filesystem_avail_bytes{instance="worker-1:9100", mountpoint="/"}': "1x20",
            },
            10,
            0,
        ),
    ),
    "audit-disk-forecast": (
        Case(
            {
                SIZE: "100x480",
                FREE: "39-0.05x480",
            },
            420,
            1,
        ),
        Case(
            {
                SIZE: "100x480",
                FREE: "30x480",
            },
            420,
            0,
        ),
        Case(  # half of it is free: time enough
            {
                SIZE: "100x480",
                FREE: "80-0.05x480",
            },
            420,
            0,
        ),
    ),
    "audit-volume-surge": (
        Case({f"apiserver_audit_event_total{{{API}}}": "0+60x1440 86400+600x60"}, 1490, 1),
        Case({f"apiserver_audit_event_total{{{API}}}": "0+60x1500"}, 1490, 0),
        Case({f"apiserver_audit_event_total{{{API}}}": "0+1x1440 1440+30x60"}, 1490, 0),
    ),
    "shipper-down": (
        Case({f"up{{{ALLOY}}}": "1x5 0x20"}, 15, 1),
        Case({f"up{{{API}}}": "1x20"}, 15, 1),
        Case({f"up{{{ALLOY}}}": "1x5 0x2 1x20"}, 15, 0),
        # One pod of two is gone, target and all; and one that goes on under another address.
        Case(
            {
                f"up{{{ALLOY}}}": "1x40",
                f"up{{{NEW_ALLOY}}}": "1x10",
                f'kubernetes_audit_newest_event_seconds{{{ALLOY}, node="cp1"}}': "0+60x40",
                f'kubernetes_audit_newest_event_seconds{{{NEW_ALLOY}, node="cp2"}}': "0+60x10",
            },
            25,
            1,
        ),
        Case(
            {
                f"up{{{ALLOY}}}": "1x10",
                f"up{{{NEW_ALLOY}}}": "_x11 1x30",
                f'kubernetes_audit_newest_event_seconds{{{ALLOY}, node="cp1"}}': "0+60x10",
                f'kubernetes_audit_newest_event_seconds{{{NEW_ALLOY}, node="cp1"}}': "_x11 660+60x30",
            },
            25,
            0,
        ),
    ),
    "shipper-dropped-lines": (
        Case({f'loki_write_dropped_entries_total{{{ALLOY}, reason="line_too_long"}}': "0x10 1x10"}, 12, 1),
        Case({f'loki_write_dropped_entries_total{{{ALLOY}, reason="line_too_long"}}': "0x30"}, 3, 0),
    ),
    "audit-events-unread": (
        Case(_counted(api="0+100x70", read="0+50x70"), 50, 1),
        Case(_counted(api="0+100x70", read="0+100x70"), 50, 0),
        Case(_counted(api="0+100x70", read="0x70"), 50, 1),
        Case(_counted(api="7x70", read="0x70"), 50, 0),  # a quiet node
        Case(_counted(api="0+1x70", read="0x70"), 50, 0),  # what scrapes may differ by
        *(Case(_counted(api="0+100x30 0+100x40", read="0+100x70"), minute, 0) for minute in (32, 45, 61, 65)),
        *(Case(_counted(api="0+100x70", read="0+100x30 0+100x40"), minute, 0) for minute in (32, 45, 61, 65)),
        # A restarted Alloy that reads again from where it was sure, and one in a new pod.
        Case(_counted(api="0+100x70", read="0+100x30 0+150x2 300+100x38"), 45, 0),
        *(
            Case(
                {
                    **_counted(api="0+100x90", read="0+100x30"),
                    f"{_ENTRIES}{{{NEW_ALLOY}, {_EXPORTER}}}": "_x31 200+100x60",
                },
                minute,
                0,
            )
            for minute in (33, 45, 61, 64, 75, 85)
        ),
        # A burst, which one of the two is asked about a minute later.
        Case(_counted(api="0+10x40 9000+10x30", read="0+10x41 9010+10x29"), 41, 0),
        # Rotation, an outage of Loki and a compression are nothing to either counter.
        Case(
            {
                **_counted(api="0+100x70", read="0+100x70", node="cp1"),
                **_counted(api="0+100x70", read="0+80x70", node="cp2"),
            },
            50,
            1,
        ),
        # Loss on one node that is a small part of the cluster's.
        Case(
            {
                **_counted(api="0+1000x70", read="0+1000x70", node="cp1"),
                **_counted(api="0+30x70", read="0+10x70", node="cp2"),
            },
            50,
            1,
        ),
        # Only one of the two says which node it is: the cluster as a whole is compared.
        Case(
            {
                f'apiserver_audit_event_total{{{API}, node="cp1"}}': "0+100x70",
                f"{_ENTRIES}{{{ALLOY}, {_EXPORTER}}}": "0+50x70",
            },
            50,
            1,
        ),
    ),
    "shipper-behind": (
        Case(_shipper(newest="0x40", taken="100x40", sent="90x40"), 20, 1),
        Case(_shipper(newest="0x40", taken="100x40", sent="100x40"), 20, 0),
        Case(_shipper(newest="0+60x40", taken="0+100x40", sent="0+90x40"), 20, 0),
    ),
    "loki-refused-lines": (
        Case(
            {
                f'loki_discarded_samples_total{{{LOKI}, tenant="fake", reason="line_too_long"}}': "_x10 1x10",
                f"up{{{LOKI}}}": "1x40",
            },
            12,
            1,
        ),
        Case({f'loki_discarded_samples_total{{{LOKI}, tenant="other", reason="line_too_long"}}': "0+1x30"}, 12, 0),
        Case({f'loki_discarded_samples_total{{{LOKI}, tenant="fake", reason="line_too_long"}}': "8x30"}, 20, 0),
    ),
    "rules-not-evaluated": (
        Case(_groups("0+60x60"), 40, 0),
        Case(_groups("0+60x10 600x50"), 50, 1),
        Case(_groups("-62135596800x60"), 40, 0),  # loaded, and not evaluated yet
        Case(_groups("0+60x60", missed="0x10 0+1x50"), 40, 1),
        Case({f"up{{{LOKI}}}": "1x60"}, 40, 1),
        Case(_groups("0+60x60", group="eu-sessions"), 40, 1),  # another cluster's group is none of this one's
        Case({f"up{{{API}}}": "1x60"}, 40, 0),  # nothing of Loki is scraped here
    ),
    "api-server-metrics-missing": (
        Case({f"process_start_time_seconds{{{API}}}": "0x40"}, 30, 0),
        Case({f"up{{{LOKI}}}": "1x40"}, 30, 1),
        Case({f'process_start_time_seconds{{{API}, cluster="dev"}}': "0x40"}, 30, 1),
    ),
    "rule-evaluation-failures": (
        Case(
            {f'{FAILED_EVALUATIONS}"a;kubernetes-audit-prod-access-5m"}}': "0+1x40"},
            30,
            1,
        ),
        Case({f'{FAILED_EVALUATIONS}"a;other"}}': "0+1x40"}, 30, 0),
    ),
}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = which("promtool")
    assert program is not None, "promtool is missing: python -m lab up installs it, with the Debian package prometheus"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def only(detection_id: str) -> list[dict[str, Any]]:
    """The groups of the rule file with this detection's rules alone: promtool evaluates every rule for every minute."""
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if rule["labels"]["detection"] == detection_id]}
        for group in prometheus_rules(SCOPE).groups
    ]
    return [group for group in groups if group["rules"]]


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(prometheus_rules(SCOPE).text)
    return path


def test_promtool_takes_the_rule_file(rule_file: Path) -> None:
    checked = promtool("check", "rules", str(rule_file))
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(ON_METRICS)} rules found" in checked.stdout


def test_every_detection_on_metrics_has_cases_for_both_answers() -> None:
    assert set(CASES) == set(ON_METRICS)
    assert all({case.alerts > 0 for case in cases} == {True, False} for cases in CASES.values())


@pytest.mark.parametrize("detection_id", ON_METRICS)
def test_it_fires_when_it_should_and_only_then(detection_id: str, tmp_path: Path) -> None:
    rule_file = tmp_path / "rules.yaml"
    rule_file.write_text(yaml.safe_dump({"groups": only(detection_id)}))
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{detection="{detection_id}", alertstate="firing"}}) or vector(0)',
                    "eval_time": f"{case.minute}m",
                    "exp_samples": [{"labels": "{}", "value": case.alerts}],
                }
            ],
        }
        for case in CASES[detection_id]
    ]
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "evaluation_interval": "1m", "tests": tests}))
    ran = promtool("test", "rules", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_link_from_an_alert_opens_the_search_for_its_user_alone(tmp_path: Path) -> None:
    """Loki's ruler fills in annotations with the same templates (github.com/prometheus/prometheus/template)."""
    detection = find("impersonation")
    assert detection is not None
    link = alert_link("https://grafana.example.com", "prod", detection)
    user, impersonated, address = "a&b=c+d .x", "carol", "10.0.0.1"
    rule = {"alert": "A", "expr": "x > 0", "annotations": {"dashboard_url": link}}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    labels = {"user": user, "impersonated": impersonated, "sourceIP": address}
    series = "x{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
    opened_url = (
        "https://grafana.example.com/d/kubernetes-audit-who?from=now-1h&to=now&var-cluster=prod"
        "&var-user=%5E%5CQa%26b%3Dc%2Bd+.x%5CE%24&var-sourceIP=%5E%5CQ10.0.0.1%5CE%24"
    )
    expected = {"exp_labels": labels, "exp_annotations": {"dashboard_url": opened_url}}
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "1x5"}],
        "alert_rule_test": [{"eval_time": "2m", "alertname": "A", "exp_alerts": [expected]}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(tmp_path / "rules.yaml")], "tests": [test]}))
    ran = promtool("test", "rules", str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (who,) = (each for each in all_dashboards(DashboardOptions()) if each.uid == "kubernetes-audit-who")
    assert opened(opened_url, json.loads(who.json))["user"] == f"^\\Q{user}\\E$"
