"""Reports as people and programs get them."""

from __future__ import annotations

import dataclasses
import json

from auditlog.cli.output import fitted
from auditlog.inspection.inspection import inspect_cluster
from auditlog.inspection.report import json_report, text_report
from auditlog.nodes.fact_types import StrayManifest
from auditlog.nodes.facts import Facts
from tests.unit.inspection.test_inspection import with_manifest
from tests.unit.plan.nodes import POLICY, applied, remote, untouched

SCREEN = 50


def text(facts: Facts) -> str:
    return text_report(inspect_cluster({"ops@10.0.0.11": facts}))


def test_a_node_that_is_well() -> None:
    lines = text(applied()).splitlines()
    assert lines[0] == "ops@10.0.0.11 (cp1): audit logging is on, Kubernetes 1.36.3"
    assert lines[1].startswith("  backend     /var/log/kubernetes/audit/audit.log, blocking, files of 100 MB")
    assert any("the preset low-write, valid for Kubernetes 1.36" in line for line in lines)
    assert "  managed by  the Pulumi stack kubernetes-audit/test" in lines
    assert "  not recorded:" in lines
    assert lines[-1] == "  nothing found"


def test_what_keeps_everything_else_from_being_true_comes_first() -> None:
    refused = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"
    facts = dataclasses.replace(applied(), kubeadm_config=None, kubeadm_config_error=refused)
    lines = fitted(text(facts), 80).splitlines()
    assert " ".join(map(str.strip, lines[:2])) == (
        "ops@10.0.0.11 (cp1): the API server does not answer, though its process has run since 1970-01-01 00:33:30 UTC"
    )
    assert lines[2] == "  audit       on, Kubernetes 1.36.3"
    assert all(len(line) <= 80 for line in lines)
    found = lines.index("  found:")
    assert lines[found + 1].startswith("    - the API server does not answer")
    assert "did you specify" not in text(facts)


def test_a_node_without_audit_logging() -> None:
    shown = text(untouched())
    assert shown.startswith("ops@10.0.0.11 (cp1): audit logging is OFF, Kubernetes 1.36.3\n  backend     none\n")
    assert "    - the manifest has neither a policy nor a backend [audit-off]\n      -> nobody can tell" in shown
    assert "nothing found" not in shown


def test_a_node_with_much_wrong_stays_one_screen_in_lines_of_a_hundred() -> None:
    rules = "".join(f"- level: RequestResponse\n  verbs: [v{number}]\n" for number in range(20))
    policy = remote(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}", 3000)
    facts = dataclasses.replace(
        applied(),
        policy=policy,
        stray_manifests=(StrayManifest("kube-apiserver.yaml.bak", 4000),),
        kubeadm_config=untouched().kubeadm_config,
        log_free_bytes=1000,
    )
    report = inspect_cluster({"cp1": facts})
    assert report.nodes[0].policy is not None
    assert len(report.nodes[0].policy.lint) > 5
    assert all(len(line) <= 80 for line in fitted(text_report(report), 80).splitlines())
    lines = fitted(text_report(report), 100).splitlines()
    assert len(lines) <= SCREEN
    assert any("more: auditlog lint" in line for line in lines)


def test_other_flags_are_shown_once_each() -> None:
    extra = "    - --audit-log-compress=true\n    - --secure-port=6443\n"
    shown = text(with_manifest(applied(), "    - --secure-port=6443\n", extra))
    assert "  also        --audit-log-compress=true\n" in shown
    assert "--audit-log-maxage" not in shown.split("found:")[0]


def test_what_a_node_says_cannot_steer_the_terminal() -> None:
    shown = text(dataclasses.replace(applied(), hostname="cp1\x1b[2J"))
    assert "\x1b" not in shown


def test_what_nodes_do_not_have_in_common_comes_last() -> None:
    other = with_manifest(applied(), "--audit-log-maxage=30", "--audit-log-maxage=7")
    shown = text_report(inspect_cluster({"cp1": applied(), "cp2": other}))
    assert (
        "\nThe nodes disagree:\n    - the nodes have different values of --audit-log-maxage: cp1: 30, cp2: 7" in shown
    )


def test_json_has_everything() -> None:
    facts = dataclasses.replace(applied(), stray_manifests=(StrayManifest("old.yaml", 4000),))
    value = json.loads(json_report(inspect_cluster({"cp1": facts}), {"cp2": "no answer"}))
    assert value["well"] is False
    assert value["unreadable"] == {"cp2": "no answer"}
    (node,) = value["nodes"]
    assert node["audit_is_on"] is True
    assert {"name": "audit-log-maxage", "value": "30"} in node["flags"]
    assert node["log"]["max_backup"] == 10
    assert node["policy"]["preset"] == "low-write"
    assert node["policy"]["not_recorded"]
    assert node["disk"]["worst_case"] == 1100 * 1024**2
    assert [each["id"] for each in node["disagreements"]] == ["stray-manifest"]


def test_json_of_a_cluster_that_is_well() -> None:
    assert json.loads(json_report(inspect_cluster({"cp1": applied()}), {}))["well"] is True


def test_lint_findings_name_line_and_fix() -> None:
    policy = remote(POLICY.replace("  - RequestReceived", "  - RequestReceived\n  - ResponseComplete"), 2000)
    shown = text(dataclasses.replace(applied(), policy=policy))
    assert "[outcome-omitted]" in shown
    assert "-> do not omit ResponseComplete" in shown
