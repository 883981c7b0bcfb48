"""The commands, with what they print and their exit codes."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from auditlog.cli import main
from auditlog.cli.times import moment as parse_moment
from auditlog.events.layout import safe, table
from auditlog.events.render import human_bytes
from tests.unit.events.generate import ALICE, ANONYMOUS, START, encode, event, lines

ROOT = Path(__file__).parents[3]


def auditlog(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command in this process, which has everything imported: a Python of its own takes most of a test's time."""
    words = [str(each) for each in arguments]
    with contextlib.ExitStack() as open_until_read:
        given, out, err = (
            open_until_read.enter_context(TemporaryFile("w+", encoding="utf-8", newline="")) for _ in range(3)
        )
        given.buffer.write(stdin)
        given.seek(0)
        with (
            contextlib.chdir(ROOT),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "stdin", given)
            try:
                code = main(words)
            except SystemExit as ended:
                code = int(ended.code or 0)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


def auditlog_alone(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    command = [sys.executable, "-m", "auditlog", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.log"
    reference = {"resource": "configmaps", "namespace": "prod", "name": "app-config", "apiVersion": "v1"}
    uri = "/api/v1/namespaces/prod/configmaps/app-config"
    deletion = event(ALICE, "delete", uri, START, reference=reference, audit_id="the-deletion")
    path.write_bytes(encode(deletion) + b"".join(lines(1, 500, seconds_between=1)))
    return path


@pytest.mark.parametrize("auditlog", [auditlog, auditlog_alone], ids=["here", "in a process of its own"])
def test_who_deleted_it(log: Path, auditlog: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = auditlog("who", "--verb", "delete", "--name", "app-config", "-o", "wide", log)
    assert (done.returncode, done.stderr) == (0, "")
    header, row, *rest = done.stdout.splitlines()
    assert header.split() == ["TIME", "NODE", "USER", "VERB", "OBJECT", "CODE", "FROM", "WITH"]
    assert "2025-02-21 00:00:00Z" in row
    assert "alice@example.org" in row
    assert "configmaps prod/app-config" in row
    assert any("501 events from 2025-02-21 00:00:00Z" in line for line in rest)
    assert "- which policy was in force is not known, and it may drop such requests." in rest


def test_an_empty_answer_is_certain_only_where_policy_and_nodes_are_known(log: Path) -> None:
    asked = ["who", "--verb", "delete", "--name", "no-such", str(log)]
    done = auditlog(*asked)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("Cannot be known: no such request in these logs")
    assert auditlog(*asked, "--policy", "preset:minimal").returncode == 3
    done = auditlog(*asked, "--policy", policy_of_the_log(log), "--nodes", "1")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("Certainly none: no such request. This holds from 2025-02-21 00:00:00Z to\n")


def test_what_is_not_covered_is_said(log: Path) -> None:
    done = auditlog("who", "--name", "no-such", "--since", "2025-02-20", "--until", "2025-02-22", "-o", "wide", log)
    assert done.returncode == 3
    assert f"NOT COVERED on {log}: from 2025-02-20 00:00:00Z to 2025-02-21 00:00:00Z." in done.stdout
    assert "Asked for: from 2025-02-20 00:00:00Z to 2025-02-22 00:00:00Z." in done.stdout


def policy_of_the_log(log: Path) -> Path:
    """One that writes what the made-up log has: bodies of ConfigMaps that were updated, and final events."""
    policy = log.with_name("policy.yaml")
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
        "- level: RequestResponse\n  verbs: [update]\n  resources: [{group: '', resources: [configmaps]}]\n"
        "- level: Metadata\n"
    )
    return policy


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
        ("gaps", 1, "Certainly none: no gap over 60 seconds."),
        ("anonymous", 0, "refused"),
        ("escalations", 1, "Certainly none: no binding to cluster-admin"),
        ("secrets", 0, "human"),
        ("deprecated", 1, "Certainly none: no use of a deprecated API"),
    ],
)
def test_every_question_reads_standard_input_and_answers_twice(log: Path, question: str, code: int, text: str) -> None:
    known = ["--policy", str(policy_of_the_log(log)), "--nodes", "1"]
    done = auditlog(question, *known, "-", stdin=log.read_bytes())
    assert (done.returncode, done.stderr) == (code, "")
    assert text in done.stdout
    value = json.loads(auditlog(question, *known, "-o", "json", log).stdout)
    assert (value["question"], value["outcome"]["exit_code"]) == (question, code)


def test_what_is_found_is_exit_code_0(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    rbac = "rbac.authorization.k8s.io"
    reference = {"resource": "clusterrolebindings", "name": "x", "apiGroup": rbac, "apiVersion": "v1"}
    body = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    old = {"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.40"}
    probes = [event(ANONYMOUS, "get", "/livez", START + timedelta(seconds=number)) for number in range(3)]
    content = [
        *probes,
        event(ANONYMOUS, "get", "/metrics", START),
        event(
            ALICE,
            "create",
            f"/apis/{rbac}/v1/clusterrolebindings",
            START,
            reference=reference,
            annotations=old,
            request_object=body,
            level="Request",
        ),
        event(ALICE, "get", "/version", START.replace(hour=1)),
    ]
    path.write_bytes(b"".join(map(encode, content)))
    for question in ("gaps", "anonymous", "escalations", "deprecated"):
        done = auditlog(question, path)
        assert (done.returncode, done.stderr) == (0, ""), question
    assert auditlog("secrets", path).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verb", "delte"], '"delte" is not a verb, did you mean "delete"'),
        (["--resource", "podz"], "--resource podz: no resource podz is built in or in these logs; did you mean pods?"),
        (["--user", "example"], "names hold it, with their events: alice@example.org ("),
    ],
)
def test_a_slip_is_an_error_and_not_an_empty_answer(log: Path, arguments: list[str], message: str) -> None:
    done = auditlog("who", *arguments, log)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", ["deleted", "DELETE", "deleting", "removed", "get,delete"])
@pytest.mark.parametrize("resource", ["cm", "ConfigMap", "configmaps"])
@pytest.mark.parametrize("user", ["alice", "alice@example.org", "ALICE"])
def test_names_are_taken_as_people_write_them(log: Path, verb: str, resource: str, user: str) -> None:
    code = main(["who", "--verb", verb, "--resource", resource, "--user", user, "--name", "app-config", str(log)])
    assert code == 0


def test_the_only_user_whose_name_holds_it_is_answered_for(log: Path) -> None:
    done = auditlog("who", "--verb", "delete", "--user", "alice", "-o", "wide", log)
    assert "Note: nobody is called alice; this is about alice@example.org, the only user whose name" in done.stdout


def test_a_name_that_the_log_does_not_have_is_said(log: Path) -> None:
    done = auditlog("who", "--user", "mallory", "--namespace", "prodd", "-o", "wide", log)
    assert done.returncode == 3
    assert "Note: no event in these logs is of a user whose name holds mallory." in done.stdout
    assert "Note: no event in these logs is about the namespace prodd (did you mean prod?)." in done.stdout


def test_a_custom_resource_in_the_log_is_known_and_another_is_said_to_be_missing(log: Path) -> None:
    reference = {"resource": "widgets", "namespace": "prod", "name": "w", "apiGroup": "x.io", "apiVersion": "v1"}
    log.write_bytes(log.read_bytes() + encode(event(ALICE, "get", "/w", START, reference=reference)))
    assert auditlog("who", "--resource", "widgets", log).returncode == 0
    done = auditlog("who", "--resource", "gizmos", log)
    assert done.returncode == 3
    assert "no event in these logs is about the resource gizmos" in done.stdout
    assert "did you mean widgets?" in auditlog("who", "--resource", "widget", log).stderr


def test_exec_stands_for_the_subresource(log: Path) -> None:
    reference = {"resource": "pods", "namespace": "a", "name": "b", "apiVersion": "v1", "subresource": "exec"}
    log.write_bytes(encode(event(ALICE, "get", "/api/v1/namespaces/a/pods/b/exec", START, reference=reference)))
    for question in (["--verb", "exec"], ["--verb", "execs", "--resource", "po"]):
        assert "pods/exec a/b" in auditlog("who", *question, log).stdout


def test_who_without_a_filter_leaves_the_clusters_own_leases_out(log: Path) -> None:
    short, whole = auditlog("who", log).stdout, auditlog("who", "--all", log).stdout
    assert ("leases.coordination" in short, "leases.coordination" in whole) == (False, True)
    assert "events about the cluster's own leases and events; --all shows them." in " ".join(short.split())


@pytest.mark.parametrize("question", ["who", "secrets", "anonymous", "gaps"])
def test_nothing_is_wider_than_a_terminal(log: Path, question: str) -> None:
    short = log.with_name("a.log")
    short.write_bytes(log.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "auditlog", question, "cp1=a.log"],
        cwd=short.parent,
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert done.stderr == b""
    assert max(map(len, done.stdout.decode().splitlines())) <= 80


@pytest.mark.parametrize(
    "content",
    [
        b"apiVersion: v1\nkind: Config\n",
        b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 20,
        b"I0101 00:00:00.0 1 server.go:1] started\n" * 3,
        b"\x1f\x8bno gzip at all",
        b'{"level":"info","msg":"hello"}\n',
    ],
    ids=["yaml", "binary", "text", "gzip", "json"],
)
@pytest.mark.parametrize("question", ["who", "gaps", "replay"])
def test_what_is_no_audit_log_is_an_error_that_names_the_file(tmp_path: Path, content: bytes, question: str) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(content)
    for given in (path, tmp_path):
        done = auditlog(question, given)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"auditlog: {path}: no audit log: it holds no event (")


NOW = datetime(2025, 2, 21, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-02-20T10:00:00Z", "2025-02-20T10:00:00+00:00"),
        ("2025-02-20 10:00", "2025-02-20T10:00:00+00:00"),
        ("2025-02-20T10:00:00+02:00", "2025-02-20T10:00:00+02:00"),
        ("1h30m", "2025-02-21T11:00:15+00:00"),
        ("2d", "2025-02-19T12:30:15+00:00"),
        ("1w2d", "2025-02-12T12:30:15+00:00"),
        ("today", "2025-02-21T00:00:00+00:00"),
        ("Yesterday", "2025-02-20T00:00:00+00:00"),
        ("9:40", "2025-02-21T09:40:00+00:00"),
        ("19:40", "2025-02-20T19:40:00+00:00"),
        ("12:30:15", "2025-02-21T12:30:15+00:00"),
    ],
)
def test_times_are_taken_as_people_write_them(text: str, moment: str) -> None:
    assert parse_moment(text, UTC, NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "h", "99999999999w", "2025-13-01"])
def test_what_is_no_time_is_said_with_what_is(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a time: 2025-02-21T10:00:00Z, "):
        parse_moment(text, UTC, NOW)


def test_a_stack_file_gives_policy_and_nodes(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy_of_the_log(log)
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    nodes = "".join(
        f"    - {{name: {name}, host: 10.0.0.{number}{more}}}\n"
        for number, (name, more) in enumerate([("cp1", ""), ("old", ", gone: true"), ("new", ", joining: true")], 1)
    )
    stack = tmp_path / "Pulumi.prod.yaml"
    stack.write_text(f"config:\n  policy: {{file: policy.yaml}}\n  nodes:\n{nodes}")
    monkeypatch.chdir(tmp_path)
    for name in ("prod", str(stack)):
        assert main(["deprecated", "--stack", name, f"cp1={log}"]) == 1
    stack.write_text(stack.read_text().replace(", gone: true", ""))
    assert main(["deprecated", "--stack", "prod", f"cp1={log}"]) == 3
    assert main(["deprecated", "--stack", "test", f"cp1={log}"]) == 2


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
        (
            ["who"],
            "or nodes with --nodes or --stack, or --loki URL",
        ),
        (["what"], "invalid choice: 'what'"),
        (["who", "/no/such/log"], "/no/such/log: No such file or directory"),
        (["who", "--since", "soon", "-"], "'soon' is not a time"),
        (["who", "--nodes", "0", "-"], "--nodes is 0"),
        (["who", "--since", "2025-02-02", "--until", "2025-02-01", "-"], "is later than --until"),
        (["who", "--limit", "0", "-"], "--limit is 0"),
        (["gaps", "--over", "nan", "-"], "'nan' is no span of time above zero"),
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
        assert process.wait(timeout=600) == 141


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
        _, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (130, b"")


def wait_until_reading(pid: int) -> None:
    """Returns once all that was written to the process's standard input has been taken out of the pipe."""
    with Path(f"/proc/{pid}/fd/0").open("rb") as pipe:
        import array
        import fcntl
        import termios

        for _ in range(60_000):
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


@pytest.mark.parametrize("command", ["who", "timeline", "report", "replay"])
def test_a_command_that_reads_files_waits_for_no_library_that_reads_nodes(command: str) -> None:
    program = (
        "import sys\nfrom auditlog.cli import main\n"
        f"try: main([{command!r}, '--help'])\nexcept SystemExit: pass\n"
        "print(*({'asyncssh', 'cryptography', 'pulumi'} & sys.modules.keys()), end='', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
