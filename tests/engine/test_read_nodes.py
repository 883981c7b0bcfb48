"""How the program reads its nodes: with what its settings say, and with nothing of the person who runs it."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from auditlog.nodes.read_nodes import ReadError, read_nodes
from auditlog.nodes.ssh import Account
from auditlog.settings import Host
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.ssh_server import SshServer, new_key, public_text, serving


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A node with audit logging, and a person whose SSH configuration leads astray."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  Hostname 192.0.2.1\n  ProxyCommand false\n")
    node = fake_node(tmp_path / "node", monkeypatch)
    node.audited()
    return node


def host(server: SshServer) -> Host:
    return Host("cp1", server.host, server.host_key, user="ops", port=server.port)


def test_paths_come_from_the_settings(server: SshServer, node: FakeNode) -> None:
    facts = read_nodes([host(server)], None, Account(server.private_key), str(node.policy), str(node.log))
    assert server.commands() == [f"sudo -n sh -s facts policy={node.policy} log={node.log} webhook= nodes=cp1"]
    assert facts["cp1"].hostname == "cp1"
    assert facts["cp1"].policy is not None
    assert facts["cp1"].policy.text == node.policy.read_text()
    assert facts["cp1"].log_path == str(node.log)


def test_one_node_is_asked_for_kubeadm_config_and_a_machine_that_joins_is_not_that_one(
    server: SshServer, node: FakeNode
) -> None:
    joining, first, second = (
        dataclasses.replace(host(server), name=name, joining=name == "cp0") for name in ("cp0", "cp1", "cp2")
    )
    nodes = [joining, first, second]
    facts = read_nodes(nodes, None, Account(server.private_key), str(node.policy), str(node.log))
    commands = server.commands()
    assert len(commands) == 3
    assert sorted(command.endswith(" kubeadm-config=no") for command in commands) == [False, True, True]
    assert list(facts) == ["cp0", "cp1", "cp2"]
    read = {each.kubeadm_config for each in facts.values()}
    assert len(read) == 1
    assert None not in read


def test_where_the_first_node_cannot_tell_kubeadm_config_the_others_are_asked(
    server: SshServer, node: FakeNode
) -> None:
    node.tell_kubeadm_config_from(2)
    first, second = (dataclasses.replace(host(server), name=name) for name in ("cp1", "cp2"))
    facts = read_nodes([first, second], None, Account(server.private_key), str(node.policy), str(node.log))
    assert facts["cp1"].kubeadm_config is None
    assert facts["cp1"].kubeadm_config_error == "connection refused"
    assert facts["cp2"].kubeadm_config is not None
    assert len(server.commands()) == 3


def test_through_a_bastion(server: SshServer, node: FakeNode) -> None:
    read_nodes([host(server)], host(server), Account(server.private_key), str(node.policy), str(node.log))
    assert server.tunnels == [f"{server.host}:{server.port}"]


def _knows_no_names(known: Callable[..., Any]) -> Callable[..., Any]:
    """``socket.getaddrinfo`` without a name server."""

    def look_up(name: Any, *arguments: Any, **options: Any) -> Any:
        if str(name).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(name, *arguments, **options)

    return look_up


def test_every_node_that_cannot_be_read_is_named_in_one_run_with_what_to_do(
    server: SshServer, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.refuse()
    monkeypatch.setattr(socket, "getaddrinfo", _knows_no_names(socket.getaddrinfo))
    stranger = dataclasses.replace(host(server), name="cp2", host_key=public_text(new_key()))
    closed = dataclasses.replace(host(server), name="cp3", port=1)
    unnamed = dataclasses.replace(host(server), name="cp5", host="cp5.invalid")
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as other:
        locked = dataclasses.replace(host(other), name="cp4")
        nodes = [host(server), stranger, closed, locked, unnamed]
        with pytest.raises(ReadError) as raised:
            read_nodes(nodes, None, Account(server.private_key), "/etc/p", "/var/log/l")
    said = {problem.partition(" ")[0]: problem for problem in raised.value.problems}
    assert list(said) == ["cp1", "cp2", "cp3", "cp4", "cp5"]
    assert "sudo: a password is required (user 'ops' needs sudo without a password" in said["cp1"]
    offered, configured = (asyncssh.import_public_key(key) for key in (server.host_key, stranger.host_key))
    assert (
        f"another host key than hostKey says: it offers {' '.join(server.host_key.split()[:2])}, "
        f"{offered.get_fingerprint()}, and hostKey has ssh-ed25519 {configured.get_fingerprint()}. " in said["cp2"]
    )
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Only if they are equal" in said["cp2"]
    assert said["cp3"].startswith(f"cp3 ({server.host}:1): the connection is refused: ")
    assert "user 'ops' is not let in with sshPrivateKey" in said["cp4"]
    assert said["cp5"].startswith(f"cp5 (cp5.invalid:{server.port}): the name cannot be resolved: ")
    assert all("\n" not in problem for problem in raised.value.problems)


def test_a_node_that_the_bastion_cannot_reach(server: SshServer) -> None:
    closed = dataclasses.replace(host(server), port=1)
    with pytest.raises(ReadError, match="the bastion cannot reach it: "):
        read_nodes([closed], host(server), Account(server.private_key), "/etc/p", "/var/log/l")


def test_a_key_that_is_not_let_in(server: SshServer) -> None:
    with pytest.raises(ReadError) as raised:
        read_nodes([host(server)], None, Account(new_key().export_private_key().decode()), "/etc/p", "/var/log/l")
    assert "user 'ops' is not let in with sshPrivateKey" in str(raised.value)


def test_a_key_that_is_none(server: SshServer) -> None:
    with pytest.raises(ReadError, match="sshPrivateKey: "):
        read_nodes([host(server)], None, Account("nothing"), "/etc/p", "/var/log/l")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An SSH agent without keys."""
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as running:
        while not socket.exists():
            assert running.poll() is None
            time.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield socket
        running.terminate()


def test_without_a_key_those_of_the_agent_are_offered(
    server: SshServer, node: FakeNode, agent: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReadError, match=r"the SSH agent .* holds no key"):
        read_nodes([host(server)], None, Account(None), str(node.policy), str(node.log))
    key = tmp_path / "key"
    key.write_text(server.private_key)
    key.chmod(0o600)
    environment = os.environ | {"SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", str(key)], check=True, capture_output=True, env=environment)
    facts = read_nodes([host(server)], None, Account(None), str(node.policy), str(node.log))
    assert facts["cp1"].policy is not None


def test_without_a_key_and_without_an_agent(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    with pytest.raises(ReadError, match=r"SSH_AUTH_SOCK is '/nowhere', where no SSH agent answers"):
        read_nodes([host(server)], None, Account(None), "/etc/p", "/var/log/l")


def test_an_account_that_only_reads_chooses_nothing(server: SshServer, node: FakeNode) -> None:
    account = Account(server.private_key, "auditor")
    node.refuse()
    with pytest.raises(ReadError) as raised:
        read_nodes([host(server)], None, account, str(node.policy), str(node.log))
    assert server.commands() == ["sudo -n /etc/kubernetes/audit-logging/facts"]
    assert server.executions[0].stdin == ""
    assert "sudo: a password is required" in str(raised.value)
    assert 'auditor ALL=(root) NOPASSWD: /etc/kubernetes/audit-logging/facts ""' in str(raised.value)
