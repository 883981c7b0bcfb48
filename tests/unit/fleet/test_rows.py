"""One row for each cluster: what is found, what cannot be known, and what the table, JSON and page make of it."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from auditlog.annotations.read import catalogue
from auditlog.annotations.render import static_manifests
from auditlog.fleet.page import html_page
from auditlog.fleet.report import exit_code, in_order, json_report, text_report
from auditlog.fleet.row import Audit, Drift, Row, row_of, unread_row
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from auditlog.policy.selection import SelectedPolicy
from auditlog.settings import AlertSettings, LokiRules, PolicySettings, Settings, WebhookSettings
from auditlog.settings.annotations import AnnotationDelivery, AnnotationSettings
from auditlog.settings.setting import Encrypted
from tests.unit.fleet.clusters import states, well
from tests.unit.plan.nodes import settings

STANDARD = SelectedPolicy(preset_text("standard"), "preset standard")
ALERTS = AlertSettings(loki=LokiRules.CONFIGMAP)


def wanted(**changes: object) -> Settings:
    found: Settings = dataclasses.replace(settings(), policy=PolicySettings("standard"), alerts=ALERTS)
    return dataclasses.replace(found, **changes)  # type: ignore[arg-type]


def row(state: str, **changes: object) -> Row:
    facts = states("prod")[state]
    return row_of("prod", wanted(**changes), STANDARD, "kubernetes-audit/prod", {"cp1": facts or "cp1: timed out"})


FOUND = {
    "off": (Audit.OFF, Drift.DRIFTED, "audit logging is off"),
    "drifted": (Audit.ON, Drift.DRIFTED, "cp1: the policy file /etc/kubernetes/audit-policy.yaml"),
    "undone": (Audit.ON, Drift.DRIFTED, "cp1: the manifest "),
    "silent": (Audit.ON, Drift.NONE, "a node has written nothing to its log for 180 minutes"),
    "full": (Audit.ON, Drift.NONE, "rotated files hold 0.5 hours"),
    "blind": (Audit.ON, Drift.DRIFTED, "deployed detections can never fire: "),
}


@pytest.mark.parametrize("state", FOUND)
def test_what_is_the_matter_is_found(state: str) -> None:
    audit, drift, finding = FOUND[state]
    found = row(state)
    assert found.drift is drift
    assert found.audit is audit or state == "undone"
    assert any(each.startswith(finding) or finding in each for each in found.findings), found.findings
    assert exit_code([found]) == 1


def test_a_cluster_as_its_stack_left_it_has_no_finding() -> None:
    found = row("well")
    assert found.findings == ()
    assert (found.audit, found.drift, found.blind, found.problems) == (Audit.ON, Drift.NONE, (), ())
    assert found.days is not None
    assert round(found.days, 1) == 3.1
    assert exit_code([found]) == 0


def test_scripts_of_another_version_are_named_and_are_no_finding() -> None:
    found = row("old")
    assert found.old_scripts == ("cp1",)
    assert found.findings == ()
    assert "1 with node scripts of another version" in text_report([found])


def test_what_does_not_answer_is_unknown_and_not_well() -> None:
    found = row("unreachable")
    assert (found.audit, found.drift, found.silent_seconds, found.days) == (Audit.UNKNOWN, Drift.UNKNOWN, None, None)
    assert found.findings == ()
    assert found.problems == ("cp1: timed out",)
    assert exit_code([found, row("well")]) == 2
    assert exit_code([found, row("off")]) == 1


def test_one_node_of_two_that_answers_leaves_drift_unknown() -> None:
    both = dataclasses.replace(settings("cp1", "cp2"), policy=PolicySettings("standard"))
    readings: dict[str, Facts | str] = {"cp1": well("prod"), "cp2": "cp2: timed out"}
    found = row_of("prod", both, STANDARD, "kubernetes-audit/prod", readings)
    assert (found.audit, found.drift) == (Audit.ON, Drift.UNKNOWN)
    assert exit_code([found]) == 2


def test_silence_is_a_fault_only_where_the_policy_records_the_lease() -> None:
    quiet = dataclasses.replace(well("prod", "low-write"), log_silent_seconds=7200)
    low = SelectedPolicy(preset_text("low-write"), "preset low-write")
    low_write = dataclasses.replace(wanted(alerts=AlertSettings()), policy=PolicySettings("low-write"))
    found = row_of("prod", low_write, low, "kubernetes-audit/prod", {"cp1": quiet})
    assert found.silent_seconds == 7200
    assert found.findings == ()


def test_where_a_file_is_made_from_a_secret_edits_are_found_and_the_rest_is_unknown() -> None:
    webhook = WebhookSettings("https://siem.example.com/audit", token=Encrypted("v1:A"))
    facts = well("prod")
    assert facts.manifest is not None
    found = row_of("prod", wanted(webhook=webhook), STANDARD, "kubernetes-audit/prod", {"cp1": facts})
    assert found.drift is Drift.UNKNOWN
    written = dataclasses.replace(facts.written, manifest="0" * 64)
    edited = dataclasses.replace(facts, written=written)
    found = row_of("prod", wanted(webhook=webhook), STANDARD, "kubernetes-audit/prod", {"cp1": edited})
    assert found.findings == ("cp1: the manifest was edited since the stack wrote it",)


def test_a_stack_of_another_owner_is_refused() -> None:
    found = row_of("prod", wanted(), STANDARD, "kubernetes-audit/another", {"cp1": well("prod")})
    assert found.drift is Drift.REFUSED


def test_a_stack_that_is_switched_off_wants_nothing() -> None:
    assert row("off", enabled=False).findings == ()
    assert row("well", enabled=False).findings[0] == "audit logging is on, and the stack file says enabled: false"


ROWS = [row(state) for state in ("well", "off", "unreachable", "silent")] + [unread_row("wrong", "no <YAML>")]


def test_the_table_has_eighty_columns_and_what_to_look_at_first() -> None:
    text = text_report([dataclasses.replace(each, cluster=f"{each.urgency}-{each.stack}") for each in ROWS], 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[1].startswith("0-prod")
    assert text.splitlines()[-1] == "5 clusters, 1 as they should be, 2 to look at, 2 not known in full"


def test_json_has_every_row_and_null_for_what_is_not_known() -> None:
    clusters = json.loads(json_report(ROWS))["clusters"]
    assert [each["stack"] for each in clusters] == [each.stack for each in in_order(ROWS)]
    (unread,) = [each for each in clusters if each["stack"] == "wrong"]
    assert {unread[key] for key in ("audit", "drift", "secondsSinceLastEvent", "daysOfDisk", "blindDetections")} == {
        None
    }


def test_the_page_shows_what_a_node_says_as_text_and_loads_nothing() -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    page = html_page(ROWS, datetime(2026, 1, 1, tzinfo=UTC))
    Reader().feed(page)
    assert "no &lt;YAML&gt;" in page
    assert not any({"src", "href"} & attributes.keys() for _, attributes in tags)
    assert sum(tag == "tr" for tag, _ in tags) > len(ROWS)


def test_annotations_from_files_that_a_node_cannot_read_are_a_difference() -> None:
    files = wanted(annotations=AnnotationSettings(AnnotationDelivery.FILES))
    text = static_manifests(catalogue())
    found = row_of("prod", files, STANDARD, "kubernetes-audit/prod", {"cp1": well("prod")}, text)
    assert found.drift is Drift.REFUSED
    assert any("this node runs Kubernetes 1.36; allowed before 1.37" in each for each in found.differences)
