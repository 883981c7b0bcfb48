"""Lint, on one file for each case under `cases/`: a policy and everything that is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.policy.lint import CHECK_SUMMARIES, Severity, Silence, lint
from auditlog.policy.model import SUPPORTED_MINORS, Policy
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.validate import policy_as_read
from tests.unit.policy.public_mistakes import MISTAKES

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """`findings` and `silenced` are id and line, in the order of the text."""

    policy: str
    kubernetes_minor: int
    audit_log_mode: str | None
    findings: list[tuple[str, int]]
    silenced: list[tuple[str, int]]
    near_miss_of: list[str]


def load(path: Path) -> Case:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["about"]
    return Case(
        policy=document["policy"],
        kubernetes_minor=int(document["kubernetes"].removeprefix("1.")),
        audit_log_mode=document.get("audit_log_mode"),
        findings=[(each["id"], each["line"]) for each in document.get("findings", [])],
        silenced=[(each["id"], each["line"]) for each in document.get("silenced", [])],
        near_miss_of=document.get("near_miss_of", []),
    )


def all_cases() -> list[Any]:
    return [pytest.param(load(path), id=path.stem) for path in sorted(CASES.glob("*.yaml"))]


@pytest.mark.parametrize("case", all_cases())
def test_a_policy_has_exactly_the_findings_of_its_case(case: Case) -> None:
    found = lint(
        policy_as_read(case.policy, "case"), case.policy, case.kubernetes_minor, audit_log_mode=case.audit_log_mode
    )
    assert [(each.id, each.line) for each in found if each.silenced is None] == case.findings
    assert [(each.id, each.line) for each in found if each.silenced is not None] == case.silenced
    assert not {each.id for each in found if each.silenced is None}.intersection(case.near_miss_of)


def test_every_check_is_hit_by_a_case_and_nearly_hit_by_another() -> None:
    cases = [load(path) for path in CASES.glob("*.yaml")]
    public = {check_id for mistake in MISTAKES for check_id, _, _ in mistake.findings}
    assert public.union(check_id for case in cases for check_id, _ in case.findings) == set(CHECK_SUMMARIES)
    assert {check_id for case in cases for check_id in case.near_miss_of} == set(CHECK_SUMMARIES)


@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
@pytest.mark.parametrize("name", preset_names())
def test_a_preset_has_no_finding_that_is_not_silenced_with_a_reason(name: str, minor: int) -> None:
    text = preset_text(name)
    found = lint(read_policy(text, name), text, minor)
    assert [each for each in found if each.silenced is None] == []
    assert all(each.silenced for each in found)


def test_a_finding_says_where_it_is_why_and_what_to_do() -> None:
    found = lint(*_policy("  - level: Metadata\n    verbs: [PATCH, delete]\n  - level: None\n"), 36)
    (finding,) = found
    assert (finding.id, finding.severity, finding.path) == ("verb-case", Severity.ERROR, "rules[0].verbs[0]")
    assert (finding.line, finding.column, finding.rule_index) == (6, 13, 0)
    assert '"PATCH"' in finding.reason
    assert '"patch"' in finding.fix


def test_an_unreachable_rule_names_the_rules_that_hide_it() -> None:
    rules = "  - level: None\n    verbs: [get]\n  - level: None\n    verbs: [list]\n"
    rules += "  - level: Metadata\n    verbs: [get, list]\n  - level: Metadata\n    verbs: [delete]\n  - level: None\n"
    found = [each for each in lint(*_policy(rules), 36) if each.id == "unreachable-rule"]
    assert ["rule 1 (line 5) and rule 2 (line 7)" in each.reason for each in found] == [True]


def test_a_silence_from_outside_the_text_covers_the_whole_policy_and_must_be_needed() -> None:
    policy, text = _policy("  - level: Metadata\n    verbs: [PATCH, delete]\n  - level: None\n")
    (accepted,) = lint(policy, text, 36, silences=[Silence("verb-case", "generated")])
    assert (accepted.id, accepted.silenced) == ("verb-case", "generated")
    unused = lint(policy, text, 36, silences=[Silence("verb-case", "generated"), Silence("no-catch-all", "on purpose")])
    assert [(each.id, each.line) for each in unused if each.silenced is None] == [("silence-unused", 0)]


def test_what_is_written_about_silences_cannot_be_silenced() -> None:
    policy, text = _policy(
        "  - level: Metadata  # lint: ignore silence-unused why not\n    verbs: [delete]\n  - level: None\n"
    )
    assert [each.id for each in lint(policy, text, 36)] == ["silence-unknown-id"]


def _policy(rules: str) -> tuple[Policy, str]:
    text = f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n{rules}"
    return read_policy(text, "test"), text
