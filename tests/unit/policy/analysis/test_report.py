"""Reports of findings: for people, for programs, and for code scanning."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from auditlog.policy.lint import CHECK_SUMMARIES, Finding, Severity
from auditlog.policy.report import json_report, sarif_report, text_report

_ERROR = Finding("wrong-group", Severity.ERROR, "rules[0]", 7, 9, "is elsewhere", "name the other group")
_INFO = Finding("newer-api", Severity.INFO, "rules[1]", 9, 5, "comes later", "wait")
_SILENCED = Finding("no-catch-all", Severity.WARNING, "rules", 5, 1, "ends", "go on", "we only want Secrets", 4)
_WITHOUT_PLACE = Finding("silence-unused", Severity.ERROR, "", 0, 0, "finds nothing", "remove it")


def test_the_text_has_a_place_a_reason_and_a_fix_for_each_finding_and_a_line_that_sums_up() -> None:
    assert text_report("audit.yaml", [_ERROR, _INFO, _SILENCED]).splitlines() == [
        "audit.yaml:7:9: error: is elsewhere [wrong-group]",
        "    name the other group",
        "audit.yaml:9:5: info: comes later [newer-api]",
        "    wait",
        "audit.yaml:5:1: silenced: no-catch-all: we only want Secrets",
        "audit.yaml: 1 error, 1 info; 1 silenced",
    ]


def test_the_text_of_no_findings_says_so() -> None:
    assert text_report("audit.yaml", []) == "audit.yaml: no findings\n"


def test_the_json_keeps_what_is_silenced() -> None:
    value = json.loads(json_report("audit.yaml", 34, [_ERROR, _SILENCED]))
    assert (value["policy"], value["kubernetes"]) == ("audit.yaml", "1.34")
    assert [each["silenced"] for each in value["findings"]] == [None, "we only want Secrets"]
    assert value["findings"][0] == {
        "id": "wrong-group",
        "severity": "error",
        "path": "rules[0]",
        "line": 7,
        "column": 9,
        "reason": "is elsewhere",
        "fix": "name the other group",
        "silenced": None,
        "also": [],
    }


def test_the_sarif_log_has_the_structure_that_the_standard_requires() -> None:
    log = json.loads(sarif_report("policies/my audit.yaml", [_ERROR, _INFO, _SILENCED, _WITHOUT_PLACE]))
    assert_sarif(log)
    results = log["runs"][0]["results"]
    assert [each["level"] for each in results] == ["error", "note", "warning", "error"]
    assert results[0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "policies/my%20audit.yaml"},
        "region": {"startLine": 7, "startColumn": 9},
    }
    assert results[2]["suppressions"] == [{"kind": "inSource", "justification": "we only want Secrets"}]
    assert [("suppressions" in each) for each in results] == [False, False, True, False]
    assert "region" not in results[3]["locations"][0]["physicalLocation"]


def test_a_silence_from_the_command_line_is_an_external_suppression() -> None:
    finding = replace(_SILENCED, silenced_line=0)
    log = json.loads(sarif_report("audit.yaml", [finding]))
    assert log["runs"][0]["results"][0]["suppressions"][0]["kind"] == "external"


def test_a_sarif_log_without_results_is_still_a_log() -> None:
    log = json.loads(sarif_report("audit.yaml", []))
    assert_sarif(log)
    assert log["runs"][0]["results"] == []


def test_an_absolute_path_stays_a_uri() -> None:
    log = json.loads(sarif_report("/etc/kubernetes/audit.yaml", [_ERROR]))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "/etc/kubernetes/audit.yaml"}


def assert_sarif(log: dict[str, Any]) -> None:
    """What SARIF 2.1.0 requires of the objects used here (sections 3.13, 3.14, 3.19, 3.27, 3.28, 3.30, 3.35, 3.49)."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    assert isinstance(log["runs"], list)
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert isinstance(driver["name"], str)
    assert driver["name"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert ids == list(CHECK_SUMMARIES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["defaultConfiguration"]["level"] in {"note", "warning", "error"}
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert ids[result["ruleIndex"]] == result["ruleId"]
        for location in result["locations"]:
            physical = location["physicalLocation"]
            assert " " not in physical["artifactLocation"]["uri"]
            for number in physical.get("region", {}).values():
                assert number >= 1
        for suppression in result.get("suppressions", []):
            assert suppression["kind"] in {"inSource", "external"}
