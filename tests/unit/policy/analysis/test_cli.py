"""The commands: exit codes that fit CI, one clear line for each mistake."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from auditlog.cli import main
from auditlog.detections.catalogue import DETECTIONS
from auditlog.policy.presets import preset_names, preset_text

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"
WARNING = f"{HEAD}rules:\n  - level: Metadata\n    verbs: [delete]\n"
INFO = f"{HEAD}rules:\n  - level: Request\n    verbs: [create]\n    resources: [{{group: apps}}]\n  - level: None\n"
ERROR = f"{HEAD}rules:\n  - level: Metadata\n    verbs: [delete, PATCH]\n  - level: None\n"
EVENT = {
    "level": "Metadata",
    "auditID": "1",
    "stage": "ResponseComplete",
    "stageTimestamp": "2025-02-21T10:00:00Z",
    "requestReceivedTimestamp": "2025-02-21T10:00:00Z",
    "requestURI": "/api/v1/namespaces/prod/secrets/db",
    "verb": "get",
    "user": {"username": "alice", "groups": ["system:authenticated"]},
    "objectRef": {"resource": "secrets", "namespace": "prod", "name": "db"},
}


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    return tmp_path / "audit-policy.yaml"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("text", "fail_on", "expected"),
    [
        (ERROR, "error", 1),
        (WARNING, "error", 0),
        (WARNING, "warning", 1),
        (INFO, "warning", 0),
        (INFO, "info", 1),
    ],
)
def test_lint_fails_on_findings_of_the_severity_asked_for(
    capsys: pytest.CaptureFixture[str], policy_file: Path, text: str, fail_on: str, expected: int
) -> None:
    policy_file.write_text(text)
    assert run(capsys, "lint", str(policy_file), "--fail-on", fail_on)[0] == expected


def test_lint_fails_on_warnings_when_not_told(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(WARNING)
    code, out, _ = run(capsys, "lint", str(policy_file))
    assert code == 1
    assert f"{policy_file}:4:1: warning: " in out
    assert "[no-catch-all]" in out


def test_a_silence_on_the_command_line_makes_lint_pass(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(WARNING)
    code, out, _ = run(capsys, "lint", str(policy_file), "--ignore", "no-catch-all=deletes are all we want")
    assert code == 0
    assert "silenced: no-catch-all: deletes are all we want" in out


def test_lint_knows_the_version_and_the_log_mode(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(f'{HEAD}rules:\n  - level: Metadata\n    resources: [{{group: "*"}}]\n  - level: None\n')
    older = json.loads(run(capsys, "lint", str(policy_file), "--kubernetes", "1.34", "--format", "json")[1])
    newer = json.loads(run(capsys, "lint", str(policy_file), "--kubernetes", "v1.36.3", "--format", "json")[1])
    assert "refused" in {each["id"] for each in older["findings"]}
    assert "refused" not in {each["id"] for each in newer["findings"]}
    strict = run(capsys, "lint", str(policy_file), "--audit-log-mode", "blocking-strict")[1]
    assert "[strict-mode-cannot-reject]" in strict


def test_lint_writes_sarif(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(ERROR)
    code, out, _ = run(capsys, "lint", str(policy_file), "--format", "sarif")
    results = json.loads(out)["runs"][0]["results"]
    assert (code, [each["ruleId"] for each in results]) == (1, ["verb-case"])


def test_lint_lists_its_checks(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "lint", "--list")
    assert code == 0
    assert any(line.split()[:2] == ["wrong-group", "error"] for line in out.splitlines())


def test_a_policy_comes_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ERROR.encode())))
    code, out, _ = run(capsys, "lint", "-")
    assert code == 1
    assert out.startswith("standard input:6:21: error: ")


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_named_with_its_prefix(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(capsys, "lint", f"preset:{name}", "--fail-on", "info")[0] == 0
    assert run(capsys, "presets", name)[1] == preset_text(name)


def test_presets_are_listed_with_what_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "presets")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(preset_names())
    assert "minimal                  everything, at Metadata." in out.splitlines()


def test_explain_takes_a_phrase_in_one_argument_or_in_several(capsys: pytest.CaptureFixture[str]) -> None:
    together = run(capsys, "explain", "preset:low-write", "alice deletes configmap prod/app-config")
    apart = run(capsys, "explain", "preset:low-write", "alice", "deletes", "configmap", "prod/app-config")
    assert together == apart
    assert together[0] == 0
    assert together[1].splitlines()[0] == "alice (system:authenticated) delete configmaps prod/app-config: Metadata"


def test_explain_takes_an_audit_event(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "explain", "preset:secrets", json.dumps(EVENT), "--format", "json")
    value = json.loads(out)
    assert code == 0
    assert (value["level"], value["rule"], value["request"]["name"]) == ("Metadata", 1, "db")


def test_diff_tells_whether_there_is_a_difference(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(preset_text("secrets").replace("resources: [secrets, configmaps]", "resources: [secrets]"))
    code, out, _ = run(capsys, "diff", "preset:secrets", str(policy_file))
    assert code == 1
    assert out.splitlines() == [
        "everyone: any verb of configmaps: nothing is recorded any more (was Metadata)",
        f"1 of {len(DETECTIONS)} detections can never fire any more: cluster-configuration-changed",
    ]
    code, out, _ = run(capsys, "diff", "--full", "preset:secrets", str(policy_file))
    assert (code, out) == (1, "anyone: any verb of configmaps: Metadata -> None; rule 1 -> rule 2\n")
    assert run(capsys, "diff", "preset:secrets", "preset:secrets")[0] == 0
    value = json.loads(run(capsys, "diff", "preset:cis", "preset:secrets", "--format", "json")[1])
    assert value["different"] is True
    assert {each["direction"] for each in value["sentences"]} <= {"less", "more"}
    assert (value["volume"], value["cis"]["fails"] != []) == (None, True)


def test_diff_says_what_both_write_of_a_log(
    capsys: pytest.CaptureFixture[str], policy_file: Path, tmp_path: Path
) -> None:
    policy_file.write_text(f"{HEAD}rules:\n  - level: None\n    verbs: [get]\n  - level: Metadata\n")
    old = tmp_path / "old.yaml"
    old.write_text(f"{HEAD}rules:\n  - level: Metadata\n")
    log = tmp_path / "audit.log"
    log.write_text(f"{json.dumps(EVENT)}\n{json.dumps({**EVENT, 'auditID': '2', 'verb': 'delete'})}\n")
    _, out, _ = run(capsys, "diff", str(old), str(policy_file), "--log", str(log))
    assert "of the log's 2 events: " in out.splitlines()[-1]
    assert "(-50%)" in out.splitlines()[-1]
    value = json.loads(run(capsys, "diff", str(old), str(policy_file), "--log", str(log), "-o", "json")[1])
    assert [value["volume"][name]["events"] for name in ("recorded", "old", "new")] == [2, 2, 1]
    assert run(capsys, "diff", str(old), str(policy_file), "--log", "-")[0] == 2


def test_cis_tells_whether_every_check_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "cis", "preset:cis")[0] == 0
    assert run(capsys, "cis", "preset:low-write")[0] == 1
    assert json.loads(run(capsys, "cis", "preset:low-write", "--format", "json")[1])["passed"] is False


def test_coverage_shows_the_users_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "coverage", "preset:standard", "--user", "carol[system:nodes]")
    assert code == 0
    assert "any node, carol" in out
    assert json.loads(run(capsys, "coverage", "preset:minimal", "--format", "json")[1])["neverRecorded"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lint", "absent.yaml"), "absent.yaml: No such file or directory"),
        (("lint", "minimal"), "minimal: No such file or directory; did you mean preset:minimal?"),
        (("lint", "preset:minimum"), '"minimum" is not a preset, did you mean "minimal"'),
        (("lint", "preset:cis", "--kubernetes", "1.29"), "'1.29' is not a supported version; allowed are 1.30 to 1.37"),
        (("lint", "preset:cis", "--ignore", "no-such=why"), "'no-such' is no check; `lint --list` shows every ID"),
        (("lint", "preset:cis", "--ignore", "no-catch-all"), "the reason is missing"),
        (("lint", "preset:cis", "--fail-on", "never"), "invalid choice: 'never'"),
        (("lint",), "POLICY is missing"),
        (("explain", "preset:cis", "alice"), '"alice" is not a request. `explain --help` shows the forms'),
        (("explain", "preset:cis", '{"level": "Metadata"}'), "REQUEST is no audit event"),
        (("diff", "-", "-"), "only one of OLD and NEW can be - (standard input)"),
        (("coverage", "preset:cis", "--user", "[dev]"), '"[dev]" is not a user'),
        (("presets", "minimum"), '"minimum" is not a preset'),
    ],
)
def test_a_mistake_is_told_in_one_line_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_policy_that_cannot_be_read_names_line_and_key(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(f"{HEAD}rules:\n  - level: Metadata\n    resources: pods\n")
    for command in ("lint", "cis", "coverage"):
        code, out, err = run(capsys, command, str(policy_file))
        assert (code, out) == (2, "")
        assert f"{policy_file}:6:16: rules[0].resources: " in err


IGNORED = f"{HEAD}rules:\n  - level: Request\n    resources:\n      - group: apps\n        verbs: [create]\n"
EXAMINING = (("lint",), ("cis",), ("detections", "--policy"), ("explain",), ("diff", "preset:standard"), ("coverage",))


@pytest.mark.parametrize("command", EXAMINING, ids=lambda each: each[0])
@pytest.mark.parametrize("output", ["text", "json"])
def test_what_the_api_server_ignores_is_a_finding_and_the_answer_goes_on(
    capsys: pytest.CaptureFixture[str], policy_file: Path, command: tuple[str, ...], output: str
) -> None:
    policy_file.write_text(IGNORED)
    request = ("alice deletes deployments default/web",) if command[0] == "explain" else ()
    code, out, err = run(capsys, *command, str(policy_file), *request, "-o", output)
    assert code in (0, 1)
    assert err == ""
    if output == "text":
        assert f"{policy_file}:8:9: error: " in out
        assert "the rule matches every verb [ignored-key]" in out
        return
    found = [each for each in json.loads(out)["findings"] if each["id"] == "ignored-key"]
    assert [(each["path"], each["line"]) for each in found] == [("rules[0].resources[0].verbs", 8)]
    assert "belongs one level up" in found[0]["fix"]


def test_what_the_api_server_ignores_is_in_sarif(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(IGNORED)
    _, out, _ = run(capsys, "lint", str(policy_file), "-o", "sarif")
    assert "ignored-key" in {each["ruleId"] for each in json.loads(out)["runs"][0]["results"]}


def test_what_is_meant_is_not_said_above_an_answer(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_text(IGNORED.replace("[create]", "[create]  # lint: ignore ignored-key read by another tool"))
    _, out, _ = run(capsys, "cis", str(policy_file))
    assert "ignored-key" not in out


def test_a_policy_that_is_no_text_is_told(capsys: pytest.CaptureFixture[str], policy_file: Path) -> None:
    policy_file.write_bytes(b"\xff\xfe")
    assert run(capsys, "lint", str(policy_file)) == (2, "", f"auditlog: {policy_file}: not UTF-8 text\n")


def test_lint_names_the_detections_that_neither_bodies_nor_annotations_serve(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "lint", "preset:lean")
    assert code == 0
    assert out.splitlines()[0] == "preset:lean: no findings"
    assert out.splitlines()[1].startswith(
        f"preset:lean: note: 14 of {len(DETECTIONS)} detections can never fire, as neither"
    )
    assert run(capsys, "lint", "preset:lean", "--annotations")[1] == "preset:lean: no findings\n"
    assert run(capsys, "lint", "preset:standard")[1] == "preset:standard: no findings\n"
