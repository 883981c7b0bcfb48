"""`inspect` against an SSH server on loopback that runs the node's scripts on a folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncssh
import pytest
import yaml

from auditlog.cli import main
from auditlog.manifest.desired import POLICY_ANNOTATION
from auditlog.nodes.facts import parse_facts
from auditlog.plan.plan import make_plan
from auditlog.policy.presets import preset_names, preset_text
from auditlog.settings import parse_settings
from tests.engine.fake_node import FakeNode
from tests.engine.ssh_server import SshServer, new_key, public_text, serving
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import applied

Inspect = Callable[..., "Result"]
WELL = dataclasses.replace(
    applied(), policy_path="/etc/kubernetes/audit-policy.yaml", log_path="/var/log/kubernetes/audit/audit.log"
)


class Result(NamedTuple):
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without SSH configuration, and no agent."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture
def server(tmp_path: Path, home: Path, node: FakeNode) -> Iterator[SshServer]:  # noqa: ARG001
    with serving(tmp_path) as started:
        (home / ".ssh" / "id_ed25519").write_text(started.private_key)
        (home / ".ssh" / "known_hosts").write_text(f"[{started.host}]:{started.port} {started.host_key}\n")
        yield started


@pytest.fixture
def inspect(server: SshServer, capsys: pytest.CaptureFixture[str]) -> Inspect:
    """Runs the command on the server, or on the HOSTs given."""

    def run(*arguments: str, hosts: tuple[str, ...] = ()) -> Result:
        code = main(["inspect", *(hosts or (address(server),)), *arguments])
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return run


def address(server: SshServer) -> str:
    return f"ops@{server.host}:{server.port}"


def test_a_node_is_reported_on_and_not_changed(inspect: Inspect, node: FakeNode, server: SshServer) -> None:
    node.audited()
    before = node.snapshot()
    result = inspect()
    assert node.snapshot() == before
    assert result.code == 1
    assert result.stderr == ""
    assert result.stdout.startswith(
        f"{address(server)} (cp1): kubelet does not run\n  audit       on, Kubernetes 1.36.3\n"
    )
    assert result.stdout.count("[") == 2
    assert "kubelet does not run [kubelet-down]" in result.stdout
    assert "no API server runs on this node [no-process]" in result.stdout
    assert server.commands() == ["sudo -n sh -s facts flagz=yes"]


def test_a_node_whose_api_server_restarts_is_told_so_first(inspect: Inspect, node: FakeNode) -> None:
    refused = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"
    node.answer(facts_output(dataclasses.replace(WELL, kubeadm_config=None, kubeadm_config_error=refused)))
    result = inspect()
    assert result.code == 1
    first, *others = result.stdout.splitlines()
    assert " (cp1): the API server does not answer" in first
    assert "did you specify" not in result.stdout
    assert any(line.startswith("    - kube-system/kubeadm-config cannot be read while the API") for line in others)


def test_a_node_without_audit_logging(inspect: Inspect) -> None:
    result = inspect("--json")
    assert result.code == 1
    value = json.loads(result.stdout)
    assert value["nodes"][0]["audit_is_on"] is False
    assert [each["id"] for each in value["nodes"][0]["disagreements"]] == ["kubelet-down", "no-process", "audit-off"]


def test_policy_and_log_are_found_by_the_flags_of_the_manifest(inspect: Inspect, node: FakeNode) -> None:
    node.audited()
    (node.log.parent / "audit-2025-02-21T00-00-00.000.log").write_bytes(b"x" * 1000)
    (node.log.parent / "audit-2025-02-20T00-00-00.000.log.gz").write_bytes(b"x" * 100)
    (node.log.parent / "audition.log").write_bytes(b"x" * 10_000)
    (found,) = json.loads(inspect("--json").stdout)["nodes"]
    assert found["policy"]["path"] == str(node.policy)
    assert found["policy"]["preset"] == "low-write"
    assert found["log"]["path"] == str(node.log)
    assert found["disk"]["used"] == 1103
    assert found["disk"]["free"] > 0


@pytest.mark.parametrize(
    "line",
    [
        "    - --audit-policy-file={path}\n",
        '    - "--audit-policy-file={path}" # the policy\n',
        "    - --audit-policy-file\n    # the policy\n    - '{path}'\n",
        "    - --audit-policy-file=/etc/other.yaml\n    - --audit-policy-file={path}\n",
        "    # - --audit-policy-file=/etc/x\n    - --audit-policy-file={path}\n    #- --audit-policy-file=/x/y\n",
    ],
)
def test_flags_in_every_spelling(inspect: Inspect, node: FakeNode, server: SshServer, line: str) -> None:
    node.audited()
    text = node.manifest.read_text()
    written = f"    - --audit-policy-file={node.policy}\n"
    assert written in text
    node.manifest.write_text(text.replace(written, line.replace("{path}", str(node.policy))))
    (found,) = json.loads(inspect("--json").stdout)["nodes"]
    assert found["policy"]["preset"] == "low-write"
    assert len(server.commands()) == 1, "the node found it by itself"


def test_a_flow_list(inspect: Inspect, node: FakeNode, server: SshServer) -> None:
    node.audited()
    document = yaml.safe_load(node.manifest.read_text())
    node.manifest.write_text(yaml.safe_dump(document, default_flow_style=True, width=80))
    (found,) = json.loads(inspect("--json").stdout)["nodes"]
    assert found["policy"]["preset"] == "low-write"
    assert len(server.commands()) == 1


def test_files_that_are_mounted_from_elsewhere_are_read_where_they_are(
    inspect: Inspect, node: FakeNode, server: SshServer
) -> None:
    node.audited()
    text = node.manifest.read_text()
    for old, new in (
        (f"--audit-policy-file={node.policy}", "--audit-policy-file=/inside/policy.yaml"),
        (f"mountPath: {node.policy}", "mountPath: /inside/policy.yaml"),
        (f"--audit-log-path={node.log}", "--audit-log-path=/inside/log/audit.log"),
        (f"mountPath: {node.log.parent}", "mountPath: /inside/log"),
    ):
        assert old in text
        text = text.replace(old, new)
    node.manifest.write_text(text)
    (found,) = json.loads(inspect("--json").stdout)["nodes"]
    assert found["policy"]["path"] == str(node.policy)
    assert found["policy"]["preset"] == "low-write"
    assert found["disk"]["used"] == 3
    assert [command.count("=") for command in server.commands()] == [1, 4]


def test_all_is_well(inspect: Inspect, node: FakeNode) -> None:
    node.answer(facts_output(WELL))
    result = inspect()
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.endswith("  nothing found\n")


def test_nodes_are_read_at_once_and_one_that_fails_does_not_hide_the_others(
    inspect: Inspect, node: FakeNode, server: SshServer
) -> None:
    node.answer(facts_output(WELL))
    result = inspect("--json", hosts=(address(server), f"ops@{server.host}:1"))
    assert result.code == 2
    value = json.loads(result.stdout)
    assert [each["name"] for each in value["nodes"]] == [address(server)]
    assert list(value["unreadable"]) == [f"ops@{server.host}:1"]
    assert value["well"] is False
    assert f"auditlog: ops@{server.host}:1 ({server.host}:1): " in result.stderr


def test_an_unknown_host_key_is_refused_with_how_to_get_and_check_it(
    inspect: Inspect, server: SshServer, home: Path
) -> None:
    (home / ".ssh" / "known_hosts").unlink()
    result = inspect()
    assert result.code == 2
    assert "its host key is not in known_hosts" in result.stderr
    assert f"ssh-keyscan -t ed25519 -p {server.port} {server.host}" in result.stderr
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in result.stderr
    assert asyncssh.import_public_key(server.host_key).get_fingerprint() in result.stderr
    assert server.commands() == []


def test_another_host_key_than_the_known_one_is_refused(inspect: Inspect, server: SshServer, home: Path) -> None:
    known = new_key()
    (home / ".ssh" / "known_hosts").write_text(f"[{server.host}]:{server.port} {public_text(known)}\n")
    result = inspect()
    assert (result.code, server.commands()) == (2, [])
    offered = asyncssh.import_public_key(server.host_key).get_fingerprint()
    assert "it answers with another host key than known_hosts says: it offers ssh-ed25519 " in result.stderr
    assert f", {offered}, and known_hosts has ssh-ed25519 {known.get_fingerprint()}. " in result.stderr
    assert f"remove the line (ssh-keygen -R '[{server.host}]:{server.port}')" in result.stderr


def test_a_configuration_that_accepts_any_host_key_is_refused(inspect: Inspect, server: SshServer, home: Path) -> None:
    (home / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile none\n")
    result = inspect()
    assert (result.code, server.commands()) == (2, [])
    assert "accepts any host key" in result.stderr


def test_a_host_key_on_the_command_line(inspect: Inspect, node: FakeNode, server: SshServer, home: Path) -> None:
    node.answer(facts_output(WELL))
    (home / ".ssh" / "known_hosts").unlink()
    assert inspect("--host-key", server.host_key).code == 0
    assert inspect("--host-key", f"[{server.host}]:{server.port} {server.host_key}").code == 0
    wrong = inspect("--host-key", public_text(new_key()))
    assert wrong.code == 2
    assert "another host key than --host-key says: it offers ssh-ed25519 " in wrong.stderr
    assert f", {asyncssh.import_public_key(server.host_key).get_fingerprint()}, and --host-key has " in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cp1", "--host-key", "ssh-rsa AAAA"], "with an Ed25519 or ECDSA key"),
        (
            [
                "cp1",
                "--host-key",
                "cp2 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
            ],
            "'cp2' is none of the hosts; here they are called cp1",
        ),
        (
            [
                "cp1",
                "cp2",
                "--host-key",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
            ],
            "whose is it?",
        ),
        (["cp1", "cp1"], "a HOST is given twice"),
        (["cp1:ssh"], "'cp1:ssh' is no host"),
        (["cp1:70000"], "'cp1:70000' is no host"),
        (["cp1", "--identity", "/nonexistent/key"], "--identity /nonexistent/key: No such file"),
        (["cp1", "--write-config", "Prod!"], "--write-config 'Prod!': allowed: a name of"),
    ],
)
def test_arguments_that_cannot_be_used(
    arguments: list[str],
    message: str,
    home: Path,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_identity_that_is_encrypted_or_no_key(inspect: Inspect, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(new_key().export_private_key("pkcs8-pem", passphrase="x"))
    encrypted = inspect("--identity", str(key))
    key.write_text("nothing")
    no_key = inspect("--identity", str(key))
    for result in (encrypted, no_key):
        assert (result.code, result.stdout) == (2, "")
        assert f"--identity {key}: allowed: a private key in OpenSSH or PEM form that is not encrypted" in result.stderr


def test_a_key_that_opens_nothing(inspect: Inspect, tmp_path: Path, server: SshServer) -> None:
    key = tmp_path / "key"
    key.write_bytes(new_key().export_private_key())
    result = inspect("--identity", str(key))
    assert (result.code, server.commands()) == (2, [])
    assert "none of the keys is let in; give one with --identity" in result.stderr


def test_an_identity_file(inspect: Inspect, node: FakeNode, tmp_path: Path, server: SshServer, home: Path) -> None:
    node.answer(facts_output(WELL))
    (home / ".ssh" / "id_ed25519").unlink()
    key = tmp_path / "key"
    key.write_text(server.private_key)
    assert inspect("--identity", str(key)).code == 0


def test_the_ssh_configuration_names_host_user_and_port(
    inspect: Inspect, node: FakeNode, server: SshServer, home: Path
) -> None:
    node.answer(facts_output(WELL))
    (home / ".ssh" / "config").write_text(
        f"Host prod-cp1\n  Hostname {server.host}\n  Port {server.port}\n  User ops\n"
    )
    result = inspect(hosts=("prod-cp1",))
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith("prod-cp1 (cp1): audit logging is on")
    assert server.commands() == ["sudo -n sh -s facts flagz=yes"]


def test_a_bastion(inspect: Inspect, node: FakeNode, server: SshServer) -> None:
    node.answer(facts_output(WELL))
    result = inspect("--bastion", f"jump@{server.host}:{server.port}")
    assert (result.code, result.stderr) == (0, "")
    assert server.tunnels == [f"{server.host}:{server.port}"]


def test_a_bastion_that_cannot_be_reached(inspect: Inspect, server: SshServer) -> None:
    result = inspect("--bastion", f"jump@{server.host}:1")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"auditlog: bastion ({server.host}:1): ")


def test_a_user_without_sudo(inspect: Inspect, node: FakeNode) -> None:
    (node.root / "bin" / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    result = inspect()
    assert result.code == 2
    assert "reading it ended with status 1: sudo: a password is required" in result.stderr


def test_a_draft_for_which_the_plan_edits_nothing(inspect: Inspect, node: FakeNode, server: SshServer) -> None:
    assert WELL.manifest is not None
    lines = WELL.manifest.text.splitlines(keepends=True)
    by_hand = dataclasses.replace(WELL.manifest, text="".join(line for line in lines if POLICY_ANNOTATION not in line))
    facts = dataclasses.replace(WELL, manifest=by_hand, owner=None, before_manifest=None, before_kubeadm_config=None)
    node.answer(facts_output(facts))
    result = inspect("--write-config", "prod", "--bastion", f"jump@{server.host}:{server.port}")
    assert (result.code, result.stderr) == (0, "")
    config = yaml.safe_load(result.stdout)["config"]
    values = {key.removeprefix("kubernetes-audit:"): value for key, value in config.items()}
    settings = parse_settings(values, preset_names())
    host_key = " ".join(server.host_key.split()[:2])
    assert values["nodes"] == [
        {"name": "cp1", "host": server.host, "user": "ops", "port": server.port, "hostKey": host_key}
    ]
    assert values["bastion"] == {"host": server.host, "user": "jump", "port": server.port, "hostKey": host_key}
    plan = make_plan(settings, preset_text("low-write"), {"cp1": parse_facts(facts_output(facts))}, "o/prod")
    assert [step.reasons for step in plan.nodes] == [()]
    assert plan.nodes[0].manifest.in_sync
    assert plan.nodes[0].policy.in_sync
    assert plan.kubeadm_config.in_sync


def test_a_draft_for_a_node_that_lost_the_record_of_its_stack_says_so(inspect: Inspect, node: FakeNode) -> None:
    facts = dataclasses.replace(WELL, owner=None, before_manifest=None, before_kubeadm_config=None)
    node.answer(facts_output(facts))
    result = inspect("--write-config", "prod")
    assert result.code == 1
    assert "the stack's record on the node is gone" in result.stdout


def test_a_draft_for_a_node_of_another_stack_says_whose_it_is(inspect: Inspect, node: FakeNode) -> None:
    node.answer(facts_output(WELL))
    result = inspect("--write-config", "prod")
    assert result.code == 1
    owned = "cp1: managed by the Pulumi stack kubernetes-audit/test, and a preview of any other stack is refused"
    assert result.stderr == f"auditlog: {owned}; the draft says what to do\n"
    assert result.stdout.startswith(f"# {owned}\n")
    assert yaml.safe_load(result.stdout)["config"]["kubernetes-audit:cluster"] == "prod"


def test_a_draft_that_leaves_something_to_decide(inspect: Inspect) -> None:
    result = inspect("--write-config", "prod")
    assert result.code == 1
    assert "# This file does not say, or changes:\n#   - there is no policy on cp1" in result.stdout
    assert yaml.safe_load(result.stdout)["config"]["kubernetes-audit:cluster"] == "prod"


def test_no_draft_of_half_a_cluster(inspect: Inspect, node: FakeNode, server: SshServer) -> None:
    node.answer(facts_output(WELL))
    result = inspect("--write-config", "prod", hosts=(address(server), f"ops@{server.host}:1"))
    assert (result.code, result.stdout) == (2, "")
