"""Questions whose log is read from nodes over SSH, against servers on loopback that run the real script."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from auditlog.cli import main
from auditlog.events.history_text import Observation, kept_text, told_lines
from auditlog.events.sources import find_logs
from auditlog.manifest.desired import sha256
from auditlog.nodes import log_files
from auditlog.nodes.log_files import NodeLog, fetch_logs
from auditlog.nodes.ssh import Access, Target
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.ssh_server import SshServer, serving


def event(user: str, time: str, verb: str = "delete") -> str:
    return (
        json.dumps(
            {
                "kind": "Event",
                "apiVersion": "audit.k8s.io/v1",
                "level": "Metadata",
                "auditID": f"{user}-{time}",
                "stage": "ResponseComplete",
                "requestURI": "/api/v1/namespaces/prod/configmaps/app",
                "verb": verb,
                "user": {"username": user},
                "objectRef": {"resource": "configmaps", "namespace": "prod", "name": "app", "apiVersion": "v1"},
                "responseStatus": {"code": 200},
                "requestReceivedTimestamp": f"{time}.000000Z",
                "stageTimestamp": f"{time}.100000Z",
            }
        )
        + "\n"
    )


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A node with audit logging, whose log was rotated twice."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    node = fake_node(tmp_path / "node", monkeypatch)
    node.audited()
    folder = node.log.parent
    with gzip.open(folder / "audit-2026-01-01T00-00-00.000.log.gz", "wt") as file:
        file.write(event("oldest", "2025-12-31T10:00:00"))
    (folder / "audit-2026-01-02T00-00-00.000.log").write_text(event("alice", "2026-01-01T10:00:00"))
    node.log.write_text(event("bob", "2026-01-02T10:00:00"))
    (folder / "audit.log.swp").write_text("an editor's\n")
    (folder / "other.log").write_text("another program's\n")
    return node


@pytest.fixture
def server(node: FakeNode, tmp_path: Path) -> Iterator[SshServer]:
    with serving(node.root) as started:
        key = tmp_path / "home" / ".ssh" / "id_ed25519"
        key.write_text(started.private_key)
        key.chmod(0o600)
        yield started


def target(server: SshServer, name: str = "cp1") -> Target:
    return Target(name, server.host, "ops", server.port, server.host_key)


def nodes(server: SshServer) -> list[str]:
    return ["--nodes", f"ops@{server.host}:{server.port}", "--host-key", server.host_key]


def test_the_log_and_what_was_rotated_away_arrives(server: SshServer, node: FakeNode, tmp_path: Path) -> None:
    fetched = fetch_logs([NodeLog(target(server), str(node.log))], None, Access(), None, tmp_path)
    assert fetched.problems == {}
    folder = fetched.folders["cp1"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [
        "audit-2026-01-01T00-00-00.000.log.gz",
        "audit-2026-01-02T00-00-00.000.log.gz",
        "audit.log",
    ]
    found = find_logs([f"cp1={folder / 'audit.log'}"])
    assert [Path(file.path).name for file in found.files][-1] == "audit.log"
    assert gzip.decompress((folder / "audit-2026-01-02T00-00-00.000.log.gz").read_bytes()).startswith(b'{"kind"')


def test_what_ended_long_before_stays_there(server: SshServer, node: FakeNode, tmp_path: Path) -> None:
    since = datetime(2026, 1, 2, 5, tzinfo=UTC)
    fetched = fetch_logs([NodeLog(target(server), str(node.log))], None, Access(), since, tmp_path)
    # The last file before shows that the log reaches over the time.
    assert sorted(path.name for path in fetched.folders["cp1"].iterdir()) == [
        "audit-2026-01-02T00-00-00.000.log.gz",
        "audit.log",
    ]


def test_a_rotation_meanwhile_loses_nothing(
    server: SshServer, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = log_files._Session._send

    async def rotate_first(session: log_files._Session, name: str) -> None:
        if name == "audit.log" and node.log.read_text().count("bob"):
            node.log.rename(node.log.with_name("audit-2026-01-03T00-00-00.000.log"))
            node.log.write_text(event("carol", "2026-01-03T10:00:00"))
        await send(session, name)

    monkeypatch.setattr(log_files._Session, "_send", rotate_first)
    fetched = fetch_logs([NodeLog(target(server), str(node.log))], None, Access(), None, tmp_path)
    names = sorted(path.name for path in fetched.folders["cp1"].iterdir())
    assert "audit-2026-01-03T00-00-00.000.log.gz" in names
    assert "carol" in (fetched.folders["cp1"] / "audit.log").read_text()


def test_a_node_without_the_log_and_one_that_does_not_answer(server: SshServer, tmp_path: Path) -> None:
    away = Target("cp2", "127.0.0.1", "ops", 1, server.host_key)
    logs = [NodeLog(target(server), "/no/such.log"), NodeLog(away, "/no/such.log")]
    fetched = fetch_logs(logs, None, Access(), None, tmp_path)
    assert fetched.folders == {}
    assert fetched.problems["cp1"].endswith("its log cannot be read: /no/such.log is not there")
    assert "the connection is refused" in fetched.problems["cp2"]


def test_a_question_reads_the_log_of_named_nodes(server: SshServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "--verb", "delete", "-o", "csv", *nodes(server)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert len(lines) == 4
    assert all("cp1" in line for line in lines[1:])
    assert [user for user in ("oldest", "alice", "bob") if user in printed.out] == ["oldest", "alice", "bob"]


def test_replay_reads_them_too(server: SshServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "-o", "json", "--processes", "1", *nodes(server)]) == 0
    assert json.loads(capsys.readouterr().out)["recorded"]["events"] == 3


@pytest.fixture
def project(server: SshServer, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with stacks: `prod` of the node and of one that does not answer, and three that cannot be meant."""
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    entry = {"host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}
    prod = {
        "cluster": "prod",
        "nodes": [{"name": "cp1", **entry}, {"name": "cp2", **entry, "port": 1}],
        "policy": {"preset": "standard", "omitStages": ["RequestReceived"]},
        "auditLog": {"path": str(node.log)},
    }
    others: dict[str, dict[str, object]] = {
        "prod": {},
        "stdout": {"auditLog": {"path": "-"}},
        "secret": {"policy": {"text": {"secure": "v1:bm9uZQ==:bm9uZQ=="}}},
        "wrong": {"policy": {"preset": "no-such"}},
    }
    for name, more in others.items():
        config = {f"kubernetes-audit:{key}": value for key, value in (prod | more).items()}
        (tmp_path / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("project")
def test_a_stack_names_the_nodes_and_a_missing_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["who", "--stack", "prod", "--verb", "delete"]) == 0
    text = capsys.readouterr().out
    assert "Note: a node is missing: cp2" in text
    assert "bob" in text
    # Nothing is certain without cp2.
    assert main(["who", "--stack", "prod", "--user", "nobody*", "--since", "2026-01-02"]) == 3


@pytest.mark.usefixtures("project")
def test_the_policy_of_a_stack_stands_wherever_a_policy_does(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("lint stack:prod", "coverage stack:prod", "detections --policy stack:prod", "cis stack:prod"):
        assert main(words.split()) in (0, 1), words
    capsys.readouterr()
    assert main(["diff", "stack:prod", "stack:Pulumi.prod.yaml", "-o", "json"]) == 0
    assert main(["explain", "stack:prod", "alice", "deletes", "configmap", "prod/app"]) == 0
    assert "Metadata" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["who", "--stack", "dev"], "stack dev: "),
        (["lint", "stack:dev"], "stack dev: "),
        (["who", "--nodes", ","], "names no node"),
        (["who", "--nodes", "ops@cp1", "audit.log"], "--nodes ops@cp1 and LOG (audit.log) are both given"),
        (["who", "--nodes", "ops@cp1:99999"], "is no host"),
        (["who", "--stack", "prod", "--bastion", "jump"], "--bastion and --host-key are for --nodes"),
        (["who", "--stack", "stdout"], "--stack stdout: it writes no log file"),
        (["lint", "stack:secret"], "stack secret: its policy is encrypted"),
        (["lint", "stack:wrong"], "stack wrong: policy: its settings are wrong"),
    ],
)
def test_what_cannot_be_meant_is_one_message(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert says in printed.err
    assert printed.err.count("\n") == 1


def test_a_damaged_line_of_a_nodes_history_refuses_no_question(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    monkeypatch.setattr(log_files, "POLICIES", str(folder))
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
    name = sha256(text)
    (folder / f"{name}.yaml").write_text(text)
    (folder / f"{'0' * 64}.yaml").write_text(text[:40])
    first, last = int(datetime(2025, 12, 1, tzinfo=UTC).timestamp()), int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    whole = f"{first} {last} {name} {first} {first} stack\n".encode()
    (folder / "history").write_bytes(whole + b"\xff\xfe\x00 176\n" + whole.replace(b"stack", b"sta"))
    assert main(["who", "--verb", "delete", "-o", "json", *nodes(server)]) == 0
    told = json.loads(capsys.readouterr().out)
    (doubt,) = (each for each in told["outcome"]["doubts"] if each["cause"] == "policy unknown")
    assert doubt["reason"].endswith("a line of its policy history is damaged")
    assert doubt["spans"][0]["start"] == "2026-01-01T00:00:01Z"
    assert any(each.startswith("a line of the policy history of cp1 is damaged") for each in told["reading"]["notes"])
    assert main(["policy-history", *nodes(server)]) == 0
    shown = capsys.readouterr().out
    assert "a line of its policy history is damaged" in shown.replace("\n", " ")
    assert "has a damaged text of policy 000000000000" in " ".join(shown.split())


def test_a_kept_history_is_added_to_what_the_nodes_tell(
    server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The node knows what the stack left, the watch what somebody put there by hand for a while."""
    folder, kept = tmp_path / "policies", tmp_path / "policies.json"
    folder.mkdir()
    monkeypatch.setattr(log_files, "POLICIES", str(folder))
    own, lowered = (f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{{level: {each}}}]\n" for each in _LEVELS)
    (folder / f"{sha256(own)}.yaml").write_text(own)
    first, edit, last = (int(datetime(2026, 1, day, tzinfo=UTC).timestamp()) for day in (1, 2, 3))
    (folder / "history").write_text(
        f"{first} {first + 60} {sha256(own)} {first} {first} stack\n{last} {last} {sha256(own)} {first} {last} found\n"
    )
    by_hand = Observation("cp1", edit + 3600, edit + 43_200, sha256(lowered), edit, edit, "seen")
    kept.write_text(kept_text({}, {"cp1": told_lines({sha256(lowered): lowered}, [by_hand])}))
    during = ("--since", "2026-01-02T09:30:00", "--until", "2026-01-02T10:30:00")
    reasons = []
    for policy in ((), ("--policy", f"history:{kept}")):
        assert main(["secrets", *during, *policy, "-o", "json", *nodes(server)]) == 3
        doubts = json.loads(capsys.readouterr().out)["outcome"]["doubts"]
        reasons.append([each["reason"] for each in doubts if each["cause"] in ("policy unknown", "not recorded")])
    assert "started anew unobserved" in reasons[0][0]
    assert len(reasons[1]) == 1
    assert f"rule 1 of policy {sha256(lowered)[:12]} drops reads of Secrets; in force on cp1" in reasons[1][0]


_LEVELS = ("Metadata", "None")


@pytest.mark.usefixtures("project")
def test_the_account_that_only_reads_tells_of_now_alone(server: SshServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy-history", "--stack", "prod", "--reading", "--keep", "policies.json", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["notes"][0] == (
        "the nodes were read as each node's own user: what they say of now, without the history that they keep"
    )
    assert told["notes"][1].startswith("a node is missing: cp2")
    # No API server runs on this machine.
    assert (told["periods"], json.loads(Path("policies.json").read_text())["nodes"]) == ([], {"cp1": []})
    assert any("facts" in command for command in server.commands())
    assert main(["policy-history", *nodes(server), "--reading"]) == 2
    assert "--reading is for --stack" in capsys.readouterr().err
