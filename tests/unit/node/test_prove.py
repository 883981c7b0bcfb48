"""The node's part of the proof: a request, and its event in the log."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from auditlog.ledger.alloy import AlloyPod, AlloyState
from auditlog.ledger.files import parse_alloy_state
from auditlog.proof.node_answer import LogAnswer, parse_log_answer
from tests.unit.node.shell import run
from tests.unit.proof.events import NAME, line

ARGUMENTS = f"endpoint=https://127.0.0.1:6443 verb=create kind=configmap namespace=kube-system marker={NAME} seconds=0"
ROOT = "id() { echo 0; }\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log without the marker, on a node whose kubectl does nothing but answer."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "audit.log"
    file.write_text(line(objectRef={"name": "another"}) + "\n")
    kubectl(tmp_path, "echo 'configmap/x created (server dry run)'")
    return file


def kubectl(folder: Path, script: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/kubectl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/kubectl").chmod(0o700)


def proven(folder: Path, log: Path | str, more: str = "") -> LogAnswer:
    result = run(folder, f"{ROOT}prove {ARGUMENTS} log={log} {more}")
    assert result.stderr == ""
    return parse_log_answer(result.stdout)


def test_the_event_is_found_with_its_file_and_the_time(log: Path, tmp_path: Path) -> None:
    with log.open("a") as stream:
        stream.write(line(stage="RequestReceived") + "\n" + line() + "\n")
    answer = proven(tmp_path, log)
    assert (answer.line, answer.path) == (line(), str(log))
    assert answer.seen >= int(log.stat().st_mtime)


def test_it_is_looked_for_in_the_file_that_the_log_was_rotated_to_meanwhile(log: Path, tmp_path: Path) -> None:
    (tmp_path / "audit-2026-01-02T00-00-00.000.log").write_text(line(auditID="older") + "\n")
    rotated = tmp_path / "audit-2026-01-01T00-00-00.000.log"
    kubectl(tmp_path, f"mv {log} {rotated}; echo '{line()}' >>{rotated}; echo >{log}")
    assert proven(tmp_path, log).path == str(rotated)


def test_a_line_that_is_still_being_written_is_none(log: Path, tmp_path: Path) -> None:
    log.write_text(line()[:-10])
    assert proven(tmp_path, log).line is None


METRICS = """case "$*" in
    *metrics*) echo "apiserver_audit_event_total 7"; echo 'apiserver_audit_error_total{plugin="log"} 2' ;;
    *) echo made ;;
esac"""


def test_where_it_is_not_found_the_api_servers_answer_and_its_errors_are_told(log: Path, tmp_path: Path) -> None:
    kubectl(tmp_path, METRICS)
    assert proven(tmp_path, log) == LogAnswer(said="made", errors=2)
    kubectl(tmp_path, "echo 'connection refused' >&2; exit 1")
    assert proven(tmp_path, log) == LogAnswer(said="connection refused", errors=None)


@pytest.mark.parametrize(
    ("verb", "kind", "words"),
    [
        ("create", "configmap", "create configmap m --dry-run=server"),
        ("create", "secret", "create secret generic m --dry-run=server"),
        ("create", "serviceaccount", "create serviceaccount m --dry-run=server"),
        ("get", "pod", "get pod m"),
    ],
)
def test_no_request_makes_anything(tmp_path: Path, verb: str, kind: str, words: str) -> None:
    kubectl(tmp_path, 'echo "$*"')
    said = run(tmp_path, f"request_marker https://127.0.0.1:6443 {verb} {kind} payments m").stdout
    assert said.endswith(f"-n payments {words}\n")


def test_the_address_of_a_service_is_asked_of_the_api_server(log: Path, tmp_path: Path) -> None:
    kubectl(tmp_path, 'case "$*" in *"-n monitoring get service loki "*) printf 10.96.0.7 ;; esac')
    assert proven(tmp_path, log, "service=monitoring/loki").service == "10.96.0.7"
    assert proven(tmp_path, log, "service=monitoring/other").service == ""


def test_only_root_looks_into_the_log(log: Path, tmp_path: Path) -> None:
    result = run(tmp_path, f"id() {{ case $1 in -u) echo 7 ;; *) echo ops ;; esac; }}\nprove {ARGUMENTS} log={log}")
    assert result.stderr == "error: looking into the log needs root; got user ops\n"
    assert result.returncode == 1


def test_the_pods_of_alloy_are_told_with_what_they_wait_for(tmp_path: Path) -> None:
    kubectl(tmp_path, "printf 'pod cp1 Running true \\npod cp2 Pending false ImagePullBackOff\\npod  Pending  \\n'")
    printed = run(tmp_path, "alloy_state namespace=audit-of-a-test").stdout
    assert parse_alloy_state(printed) == AlloyState(
        (
            AlloyPod("cp1", "Running", True),
            AlloyPod("cp2", "Pending", False, "ImagePullBackOff"),
            AlloyPod("", "Pending", False),
        )
    )


def test_the_note_is_for_the_next_reading_of_facts(tmp_path: Path) -> None:
    note = '{"failed":"it is not in there"}'
    assert run(tmp_path, 'keep_proof "proof=$(cat)"', given=note).returncode == 0
    assert (tmp_path / "state/proof").read_text() == f"{note}\n"
    facts = run(tmp_path, f"{ROOT}facts policy=/nowhere log=/nowhere webhook=").stdout
    (told,) = [each.split(" ")[1] for each in facts.splitlines() if each.startswith("proof ")]
    assert base64.b64decode(told).decode() == f"{note}\n"


def test_an_update_owes_the_proof_until_one_is_kept(tmp_path: Path) -> None:
    def owed() -> list[str]:
        facts = run(tmp_path, f"{ROOT}facts policy=/nowhere log=/nowhere webhook=").stdout
        return [line for line in facts.splitlines() if line.startswith("unproven ")]

    assert owed() == []
    (tmp_path / "state").mkdir()
    seen = set()
    for _ in range(2):
        assert run(tmp_path, "owe_proof").returncode == 0
        seen |= {*owed()}
    assert len(seen) == 2
    assert run(tmp_path, 'keep_proof "proof={}"').returncode == 0
    assert owed() == []


def test_a_change_of_alloy_owes_it_where_the_node_is_a_stacks(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run(tmp_path, "owe_proof_if_owned").returncode == 0
    assert not state.exists()
    state.mkdir()
    (state / "owner").write_text("the stack\n")
    assert run(tmp_path, "owe_proof_if_owned").returncode == 0
    assert (state / "unproven").read_text()
