"""The commands, run as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from auditlog.events.layout import safe, table
from auditlog.events.render import human_bytes
from tests.unit.events.generate import ALICE, ANONYMOUS, START, encode, event, lines

ROOT = Path(__file__).parents[3]


def auditlog(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "auditlog", *map(str, arguments)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    reference = {"resource": "configmaps", "namespace": "prod", "name": "app-config", "apiVersion": "v1"}
    uri = "/api/v1/namespaces/prod/configmaps/app-config"
    deletion = event(ALICE, "delete", uri, START, reference=reference, audit_id="the-deletion")
    path.write_bytes(encode(deletion) + b"".join(lines(1, 500, seconds_between=1)))
    return path


def test_who_deleted_it(log: Path) -> None:
    done = auditlog("who", "--verb", "delete", "--name", "app-config", log)
    assert (done.returncode, done.stderr) == (0, "")
    header, row, *rest = done.stdout.splitlines()
    assert header.split() == ["TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "FROM", "WITH"]
    assert "2025-02-21 00:00:00Z" in row
    assert "alice@example.org" in row
    assert "configmaps prod/app-config" in row
    assert any("501 events from 2025-02-21 00:00:00Z" in line for line in rest)


def test_who_found_nothing(log: Path) -> None:
    done = auditlog("who", "--name", "no-such", "--since", "2025-02-20", "--until", "2025-02-22", log)
    assert done.returncode == 1
    assert done.stdout.startswith("No such request in these logs.\n")
    assert f"NOT COVERED on {log}: from 2025-02-20 00:00:00Z to 2025-02-21 00:00:00Z." in done.stdout


def test_json_is_for_programs(log: Path) -> None:
    done = auditlog("who", "--verb", "delete", "--name", "app-config", "--json", log)
    value = json.loads(done.stdout)
    assert value["question"] == "who"
    assert [each["audit_id"] for each in value["answer"]["matches"]] == ["the-deletion"]
    assert value["answer"]["coverage"]["nodes"][0]["events"] == 501
    assert value["reading"]["damage"] == {"count": 0, "examples": []}


@pytest.mark.parametrize(
    ("question", "code", "text"),
    [
        ("gaps", 0, "No gap over 60 s."),
        ("anonymous", 0, "refused"),
        ("escalations", 0, "No binding to cluster-admin"),
        ("secrets", 0, "human"),
        ("deprecated", 0, "No use of a deprecated API."),
    ],
)
def test_every_question_reads_standard_input_and_answers_twice(log: Path, question: str, code: int, text: str) -> None:
    done = auditlog(question, "-", stdin=log.read_bytes())
    assert (done.returncode, done.stderr) == (code, "")
    assert text in done.stdout
    assert json.loads(auditlog(question, "--json", log).stdout)["question"] == question


def test_findings_are_exit_code_1(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    rbac = "rbac.authorization.k8s.io"
    reference = {"resource": "clusterrolebindings", "name": "x", "apiGroup": rbac, "apiVersion": "v1"}
    old = {"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.40"}
    content = [
        event(ANONYMOUS, "get", "/metrics", START),
        event(ALICE, "create", f"/apis/{rbac}/v1/clusterrolebindings", START, reference=reference, annotations=old),
        event(ALICE, "get", "/version", START.replace(hour=1)),
    ]
    path.write_bytes(b"".join(map(encode, content)))
    for question in ("gaps", "anonymous", "escalations", "deprecated"):
        done = auditlog(question, path)
        assert (done.returncode, done.stderr) == (1, ""), question
    assert auditlog("secrets", path).returncode == 1


def test_unreadable_lines_are_named_and_do_not_change_the_exit_code(log: Path) -> None:
    log.write_bytes(b"garbage\n" + log.read_bytes()[:-30])
    for command in ("secrets", "replay"):
        done = auditlog(command, log)
        assert done.returncode == 0
        assert f"  {log}:1: not JSON" in done.stdout
        assert f"  {log}:502: cut off: the last line is incomplete" in done.stdout


def test_a_node_without_events_is_named(log: Path, tmp_path: Path) -> None:
    empty = tmp_path / "cp2" / "audit.log"
    empty.parent.mkdir()
    empty.touch()
    assert "cp2: the log has no event at all." in auditlog("gaps", f"cp1={log}", f"cp2={empty}").stdout


def test_replay_reports_tables_and_the_life_of_the_space(log: Path) -> None:
    space = ["--audit-log-maxsize", "100", "--audit-log-maxbackup", "10", "--loki-budget", "50GiB"]
    done = auditlog("replay", "--policy", "preset:low-write", *space, log)
    assert (done.returncode, done.stderr) == (0, "")
    for title in ("BY LEVEL", "BY RULE OF THE TRIED POLICY", "BY USER", "BY RESOURCE", "BY NAMESPACE"):
        assert title in done.stdout
    assert "WHAT THIS LOG CANNOT TELL" in done.stdout
    value = json.loads(auditlog("replay", "--policy", "preset:low-write", "--json", *space, log).stdout)
    assert value["recorded"] == {"events": 501, "bytes": log.stat().st_size}
    assert 0 < value["written"]["bytes"] < value["recorded"]["bytes"]
    assert [each["budget"] for each in value["lifetimes"]] == [f"disk of {log}", "Loki, all nodes"]


def test_replay_takes_a_policy_file(log: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n")
    value = json.loads(auditlog("replay", "--policy", policy, "--json", log).stdout)
    assert value["written"] == {"events": 0, "bytes": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["who"], "no log given: name a log file, a folder, - for standard input, or --loki URL"),
        (["what"], "invalid choice: 'what'"),
        (["who", "/no/such/log"], "/no/such/log: No such file or directory"),
        (["who", "--since", "yesterday", "-"], "'yesterday' is not a time"),
        (["who", "--since", "2025-02-02", "--until", "2025-02-01", "-"], "is later than --until"),
        (["who", "--limit", "0", "-"], "--limit is 0"),
        (["gaps", "--over", "nan", "-"], "--over is nan"),
        (["replay", "--policy", "no-such", "-"], "a policy file, preset:NAME"),
        (["replay", "--top", "0", "-"], "--top is 0"),
        (["replay", "--audit-log-maxsize", "100", "-"], "are needed together"),
        (["replay", "--loki-budget", "much", "-"], "'much' is not a size"),
    ],
)
def test_a_wrong_argument_is_one_clear_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    done = auditlog(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_policy_that_is_wrong_is_named_with_its_place(log: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- levle: None\n")
    done = auditlog("replay", "--policy", policy, log)
    assert done.returncode == 2
    assert "levle" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_the_command_quietly(log: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "auditlog", "who", "--json", str(log)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


@pytest.mark.parametrize("command", ["gaps", "replay"])
def test_ctrl_c_ends_the_command_quietly_with_130(log: Path, command: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "auditlog", command, "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell starts its background jobs, and so a test run in one, with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdin is not None
        process.stdin.write(log.read_bytes())
        process.stdin.flush()
        # The pipe is empty once the command reads: from then on Ctrl-C meets it at work.
        wait_until_reading(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")


def wait_until_reading(pid: int) -> None:
    """Returns once all that was written to the process's standard input has been taken out of the pipe."""
    with Path(f"/proc/{pid}/fd/0").open("rb") as pipe:
        import array
        import fcntl
        import termios

        for _ in range(6000):
            left = array.array("i", [0])
            fcntl.ioctl(pipe, termios.FIONREAD, left)
            if left[0] == 0:
                return
            time.sleep(0.01)
    raise AssertionError("the command does not read its standard input")


def test_control_characters_from_clients_do_not_reach_the_terminal() -> None:
    assert safe("curl\x1b[2J\n8 ü") == "curl\\x1b[2J\\n8 ü"
    assert list(table(("A", "B"), [("1", "x"), ("22", "y")], right=[0])) == [" A  B", " 1  x", "22  y"]


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e12, "2.5 TB")])
def test_bytes_for_people(size: float, text: str) -> None:
    assert human_bytes(size) == text
