"""Lint findings as text for people, JSON for programs, and SARIF 2.1.0 for code scanning.

SARIF: OASIS Standard "Static Analysis Results Interchange Format Version 2.1.0"; a silenced finding is a result with a
suppression of kind inSource, which code scanning shows as dismissed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from auditlog.policy.lint import CHECK_SUMMARIES, Finding, Severity

TOOL_NAME = "auditlog"
SARIF_VERSION = "2.1.0"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def text_report(source: str, findings: Sequence[Finding]) -> str:
    """One block for each finding, silenced ones as single lines behind them, and a line that sums up."""
    lines: list[str] = []
    for finding in findings:
        if finding.silenced is None:
            lines.append(f"{_place(source, finding)}: {finding.severity.value}: {finding.reason} [{finding.id}]")
            lines.append(f"    {finding.fix}")
    for finding in findings:
        if finding.silenced is not None:
            lines.append(f"{_place(source, finding)}: silenced: {finding.id}: {finding.silenced}")
    return "\n".join([*lines, f"{source}: {_summary(findings)}", ""])


def json_report(source: str, kubernetes_minor: int, findings: Sequence[Finding]) -> str:
    """One object: the policy, the version, and every finding with `silenced` null or the reason."""
    found = [
        {
            "id": each.id,
            "severity": each.severity.value,
            "path": each.path,
            "line": each.line,
            "column": each.column,
            "reason": each.reason,
            "fix": each.fix,
            "silenced": each.silenced,
        }
        for each in findings
    ]
    return _json({"policy": source, "kubernetes": f"1.{kubernetes_minor}", "findings": found})


def sarif_report(source: str, findings: Sequence[Finding]) -> str:
    """A SARIF log with one run. `source` becomes the artifact's URI, relative when it is a relative path."""
    rules = [
        {
            "id": check_id,
            "shortDescription": {"text": summary},
            "defaultConfiguration": {"level": _SARIF_LEVELS[severity]},
        }
        for check_id, (severity, summary) in CHECK_SUMMARIES.items()
    ]
    indexes = {check_id: index for index, check_id in enumerate(CHECK_SUMMARIES)}
    driver = {"name": TOOL_NAME, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(source, each, indexes[each.id]) for each in findings],
    }
    return _json({"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]})


def _sarif_result(source: str, finding: Finding, rule_index: int) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": quote(source, safe="/:")}}
    if finding.line:
        location["region"] = {"startLine": finding.line, "startColumn": finding.column}
    result: dict[str, Any] = {
        "ruleId": finding.id,
        "ruleIndex": rule_index,
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": f"{finding.reason}. Fix: {finding.fix}"},
        "locations": [{"physicalLocation": location}],
    }
    if finding.silenced is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.silenced}]
    return result


def _place(source: str, finding: Finding) -> str:
    return f"{source}:{finding.line}:{finding.column}" if finding.line else source


def _summary(findings: Sequence[Finding]) -> str:
    counted = [
        f"{count} {severity.value}{'s' if count > 1 and severity is not Severity.INFO else ''}"
        for severity in reversed(Severity)
        if (count := _count(each.severity is severity for each in findings if each.silenced is None))
    ]
    silenced = _count(each.silenced is not None for each in findings)
    return ", ".join(counted or ["no findings"]) + (f"; {silenced} silenced" if silenced else "")


def _count(flags: Iterable[bool] | Iterator[bool]) -> int:
    return sum(flags)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
