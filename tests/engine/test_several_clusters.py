"""Three clusters in one program, under the real engine: read and planned at the same time, each with its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_command
import pytest

from auditlog.plan.plan import Plan, make_plan
from components.audit_logging import AuditLogging
from tests.engine.audited_cluster import succeed
from tests.engine.engine_stack import EngineStack
from tests.engine.fake_node import fake_node
from tests.engine.ssh_server import SshServer, serving
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import untouched

CLUSTERS = ("east", "north", "west")
MANY_TURNS = 1200
"""After as many tenths of a second a node stops waiting for another one, and its program fails."""

# A node answers once every node has been asked, and the one of west once the other clusters have been planned, too: a
# program that reads or plans one cluster after the other never gets an answer.
SUDO = f"""wait_for() {{ turns=0; until [ -e "$1" ]; do
    sleep 0.1; turns=$((turns + 1)); [ $turns -lt {MANY_TURNS} ] || {{ echo "no $1" >&2; exit 1; }}
done; }}
case $* in *"echo declared"*) echo declared; cat >/dev/null; exit ;; esac
cat >/dev/null
case $* in *"sh -s facts "*)
    touch asked
    for other in ../*/waits-for-all; do wait_for "${{other%/*}}/asked"; done
    [ ! -e waits-for-plans ] || {{ wait_for ../planned-east; wait_for ../planned-north; }}
    cat facts ;;
esac"""


@dataclass
class Clusters:
    """Three nodes, one for each cluster, each with a key of its own. ``planned`` are the clusters in that order."""

    folder: Path
    servers: dict[str, SshServer] = field(default_factory=dict)
    planned: list[str] = field(default_factory=list)

    def program(self) -> None:
        """The program; west has a provider of its own and a policy that is secret."""
        for name, server in self.servers.items():
            node = {"name": "cp1", "host": server.host, "port": server.port, "user": "ops", "hostKey": server.host_key}
            rule = {"level": "Metadata", "namespaces": [f"namespace-of-{name}"]}
            document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule, {"level": "None"}]}
            policy: Any = {"inline": document}
            arguments: dict[str, Any] = {
                "cluster": name,
                "nodes": [node],
                "policy": pulumi.Output.secret(policy) if name == "west" else policy,
                "proof": {"enabled": False},
                "sshPrivateKey": pulumi.Output.secret(server.private_key),
            }
            given = {"command": pulumi_command.Provider("of-west")} if name == "west" else {}
            AuditLogging(name, arguments, pulumi.ResourceOptions(providers=given))

    def begin(self) -> None:
        """Forgets what was asked and planned before."""
        del self.planned[:]
        for file in (*self.folder.glob("*/asked"), *self.folder.glob("planned-*")):
            file.unlink()


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clusters]:
    fake_node(tmp_path / "fakes", monkeypatch)._command("sudo", SUDO)
    made = Clusters(tmp_path / "clusters")

    def plan(settings: Any, *more: Any) -> Plan:
        made.planned.append(settings.cluster)
        (made.folder / f"planned-{settings.cluster}").touch()
        return make_plan(settings, *more)

    monkeypatch.setattr("components.declared_nodes.make_plan", plan)
    with contextlib.ExitStack() as started:
        for name in CLUSTERS:
            folder = made.folder / name
            folder.mkdir(parents=True)
            (folder / "facts").write_text(facts_output(untouched()))
            (folder / "waits-for-all").touch()
            made.servers[name] = started.enter_context(serving(folder))
        (made.folder / "west" / "waits-for-plans").touch()
        yield made


def test_they_are_read_and_planned_at_the_same_time(engine_stack: EngineStack, clusters: Clusters) -> None:
    for run in (engine_stack.preview, engine_stack.up):
        clusters.begin()
        succeed(run(clusters.program))
        assert sorted(clusters.planned[:2]) == ["east", "north"]
        assert clusters.planned[2:] == ["west"]
    applied = {name: [line for line in each.commands() if " apply-manifest " in line] for name, each in _of(clusters)}
    assert {name: len(lines) for name, lines in applied.items()} == dict.fromkeys(CLUSTERS, 1)
    assert all(f"owner=engine-test/test/{name} " in lines[0] for name, lines in applied.items())

    used = {name: resource["provider"].split("::")[-2] for name, resource in engine_stack.resources().items()}
    assert {provider for name, provider in used.items() if name.startswith("west-")} == {"of-west"}
    assert {provider for name, provider in used.items() if name.startswith(("east-", "north-"))} == {"default_1_2_1"}

    state = engine_stack.state()
    assert not [name for name, server in _of(clusters) if server.private_key.splitlines()[1] in state]
    assert [name for name in CLUSTERS if f"namespace-of-{name}" in state] == ["east", "north"]


def _of(clusters: Clusters) -> list[tuple[str, SshServer]]:
    return list(clusters.servers.items())
