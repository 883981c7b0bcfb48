"""The API server's own account of its flags, as a second witness beside /proc and the manifest."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.inspection.inspection import inspect_cluster, inspect_node
from auditlog.inspection.report import text_report
from auditlog.manifest import manifest
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.nodes.flagz import Contradiction, Witness, contradictions, read_flagz, witness
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import applied

LOG = "/var/log/kubernetes/audit/audit.log"


def flags(facts: Facts) -> dict[str, str]:
    assert facts.manifest is not None
    return manifest.flag_values(manifest.arguments(facts.manifest.text))


def saying(delimiter: str = "=", **changed: str) -> Facts:
    """A node with audit logging whose API server names its flags, with defaults, and ``changed`` over them."""
    facts = applied()
    named = {"audit-log-maxage": "0", "audit-webhook-config-file": "", "audit-webhook-initial-backoff": "10s"}
    named |= {name: value for name, value in flags(facts).items() if name.startswith("audit-")}
    named |= {name.replace("_", "-"): value for name, value in changed.items()}
    return dataclasses.replace(facts, flagz="".join(f"{name}{delimiter}{value}\n" for name, value in named.items()))


@pytest.mark.parametrize("delimiter", [":", ": ", "=", " "])
def test_every_delimiter_that_an_api_server_picks_by_chance_is_read(delimiter: str) -> None:
    facts = saying(delimiter)
    assert read_flagz(facts.flagz or "")["audit-log-path"] == LOG
    assert witness(facts, flags(facts)) is Witness.AGREES


def test_what_is_not_said_is_not_known_and_no_finding() -> None:
    report = inspect_node("cp1", applied())
    assert report.flagz is Witness.UNKNOWN
    assert "flagz-differs" not in [each.id for each in report.disagreements]
    assert "  /flagz      not known: the API server does not name its flags" in text_report(
        inspect_cluster({"cp1": applied()})
    )


def test_values_that_mean_the_same_are_no_difference() -> None:
    facts = saying(audit_log_maxage="30", audit_log_compress="true")
    process = facts.processes[-1]
    arguments = (*process.arguments, "--audit-log-compress", "--audit-webhook-initial-backoff=600s")
    facts = dataclasses.replace(facts, processes=(dataclasses.replace(process, arguments=arguments),))
    facts = dataclasses.replace(facts, flagz=(facts.flagz or "").replace("backoff=10s", "backoff=10m0s"))
    assert list(contradictions(facts, flags(facts))) == []


def test_an_api_server_that_logs_elsewhere_than_its_process_is_found() -> None:
    facts = saying(audit_log_path="/tmp/other.log", audit_webhook_config_file="/etc/hook.yaml")
    assert list(contradictions(facts, flags(facts))) == [
        Contradiction("audit-webhook-config-file", "/etc/hook.yaml", None),
        Contradiction("audit-log-path", "/tmp/other.log", LOG),
    ]
    report = inspect_node("cp1", facts)
    (found,) = [each for each in report.disagreements if each.id == "flagz-differs"]
    assert f"--audit-log-path=/tmp/other.log where its process has --audit-log-path={LOG}" in found.what
    assert (
        "--audit-webhook-config-file=/etc/hook.yaml where its process has no --audit-webhook-config-file" in found.what
    )
    assert report.flagz is Witness.DIFFERS


def test_without_a_process_the_manifest_is_compared() -> None:
    facts = dataclasses.replace(saying(audit_log_path="/tmp/other.log"), processes=())
    (found,) = [each for each in inspect_node("cp1", facts).disagreements if each.id == "flagz-differs"]
    assert f"where its manifest has --audit-log-path={LOG}" in found.what


def test_the_fact_is_read_from_what_the_node_prints() -> None:
    assert parse_facts(facts_output(saying())).flagz == saying().flagz
    assert parse_facts(facts_output(applied())).flagz is None
