"""Lint findings and explanations as text for people, JSON for programs, and SARIF 2.1.0 for code scanning.

SARIF: OASIS Standard "Static Analysis Results Interchange Format Version 2.1.0"; a silenced finding is a result with a
suppression, which code scanning shows as dismissed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from auditlog.policy.explain import Explanation
from auditlog.policy.lint import CHECK_SUMMARIES, Finding, Severity
from auditlog.policy.model import Level
from auditlog.policy.region_text import request_words

TOOL_NAME = "auditlog"
SARIF_VERSION = "2.1.0"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_SARIF_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def text_report(source: str, findings: Sequence[Finding]) -> str:
    """One block for each finding, silenced ones as single lines behind them, and a line that sums up."""
    lines: list[str] = []
    for finding in findings:
        if finding.silenced is None:
            lines.append(_headline(source, finding))
            lines.append(f"    {finding.fix}")
    for finding in findings:
        if finding.silenced is not None:
            lines.append(f"{_place(source, finding)}: silenced: {finding.id}: {finding.silenced}")
    return "\n".join([*lines, f"{source}: {_summary(findings)}", ""])


def findings_above(source: str, findings: Sequence[Finding]) -> str:
    """The findings that are not silenced as they stand above an answer that depends on them; "" without any."""
    said = [each for each in findings if each.silenced is None]
    lines = [line for each in said for line in (_headline(source, each), f"    {each.fix}")]
    return "\n".join([*lines, "", ""]) if lines else ""


def with_findings(answer: str, findings: Iterable[Finding]) -> str:
    """An answer in JSON, an object, with the findings that it depends on."""
    return _json({**json.loads(answer), "findings": findings_json(findings)})


def json_report(source: str, kubernetes_minor: int, findings: Sequence[Finding]) -> str:
    """One object: the policy, the version, and every finding with `silenced` null or the reason."""
    return _json({"policy": source, "kubernetes": f"1.{kubernetes_minor}", "findings": findings_json(findings)})


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Every finding as an object, `silenced` null or the reason."""
    return [
        {
            "id": each.id,
            "severity": each.severity.value,
            "path": each.path,
            "line": each.line,
            "column": each.column,
            "reason": each.reason,
            "fix": each.fix,
            "silenced": each.silenced,
            "also": [{"line": place.line, "column": place.column} for place in each.also],
        }
        for each in findings
    ]


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


def explanation_text(explanation: Explanation) -> str:
    """The decision, its stages, and for each earlier rule what kept it from matching."""
    request, decision = explanation.request, explanation.decision
    lines = [f"{request_words(request)}: {decision.level.value}"]
    if decision.rule_index is None:
        lines.append("  by no rule: requests that no rule matches are not recorded")
    else:
        lines.append(f"  by {_rule_name(decision.rule_index, explanation.line)}")
    if decision.level is not Level.NONE:
        stages = ", ".join(stage.value for stage in explanation.stages)
        lines.append(f"  written at {stages}" if stages else "  written never: every stage is omitted")
        if decision.level >= Level.REQUEST:
            lines.append(f"  managedFields are {'left out' if decision.omit_managed_fields else 'written'}")
    for passed in explanation.passed:
        lines.append(f"  not {_rule_name(passed.rule_index, passed.line)}: {passed.mismatch}")
    return "\n".join([*lines, ""])


def explanation_json(explanation: Explanation) -> str:
    """The same as one object; rules are counted from 1, null stands for "no rule matches"."""
    request, decision = explanation.request, explanation.decision
    value = {
        "request": {
            "user": request.user,
            "groups": list(request.groups),
            "verb": request.verb,
            "resourceRequest": request.resource_request,
            "apiGroup": request.api_group,
            "resource": request.resource,
            "subresource": request.subresource,
            "namespace": request.namespace,
            "name": request.name,
            "path": request.path,
        },
        "level": decision.level.value,
        "rule": None if decision.rule_index is None else decision.rule_index + 1,
        "line": explanation.line,
        "stages": [stage.value for stage in explanation.stages],
        "omitManagedFields": decision.omit_managed_fields,
        "notMatched": [
            {
                "rule": passed.rule_index + 1,
                "line": passed.line,
                "field": passed.mismatch.field,
                "wanted": passed.mismatch.wanted,
                "given": passed.mismatch.given,
            }
            for passed in explanation.passed
        ],
    }
    return _json(value)


def _rule_name(index: int, line: int) -> str:
    return f"rule {index + 1} (line {line})" if line else f"rule {index + 1}"


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
    if finding.also:
        artifact = location["artifactLocation"]
        result["relatedLocations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": {"startLine": place.line, "startColumn": place.column},
                }
            }
            for place in finding.also
        ]
    if finding.silenced is not None:
        kind = "inSource" if finding.silenced_line else "external"
        result["suppressions"] = [{"kind": kind, "justification": finding.silenced}]
    return result


def _headline(source: str, finding: Finding) -> str:
    lines = list(dict.fromkeys(str(place.line) for place in finding.also if place.line != finding.line))
    also = f" (also on line{'s' if len(lines) > 1 else ''} {', '.join(lines)})" if lines else ""
    return f"{_place(source, finding)}: {finding.severity.value}: {finding.reason}{also} [{finding.id}]"


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


def _count(flags: Iterable[bool]) -> int:
    return sum(flags)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
