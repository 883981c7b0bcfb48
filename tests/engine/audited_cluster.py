"""A cluster of two nodes that a program has audited, under the real engine (fixtures: ``cluster_fixtures``)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from auditlog.nodes.facts import Facts
from auditlog.proof.tasks import Task
from auditlog.proof.verdict import Failure, Proven
from components.audit_logging import AuditLogging
from tests.engine.engine_stack import Run
from tests.engine.ssh_server import SshServer
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import applied, remote, untouched

NODES = ("cp1", "cp2")
OWNER = "engine-test/test/east"
SUDO = """case $* in *"echo declared"*) echo declared; cat >/dev/null; exit ;; esac
cat >/dev/null
case $* in *"sh -s facts "*)
    grep -v '^end$' facts
    [ ! -e unproven ] || echo "unproven $(base64 -w 0 <unproven)"
    echo end ;;
esac
[ ! -e refused ] || case $* in *"$(cat refused)"*) echo "refused" >&2; exit 1 ;; esac
case $* in *"node.sh apply-manifest "* | *"sh -s owe-proof"*) date +%s.%N >unproven ;; esac"""


@dataclasses.dataclass
class Cluster:
    """Two nodes, each a folder with an SSH server, and a proof whose outcome the test chooses.

    ``proven`` are the nodes that were proven, in the order of the runs; ``more`` are further arguments of the program.
    ``kubeconfig`` leads to where what goes into the cluster is made. With ``cut_off`` a run ends before its proof.
    """

    servers: Mapping[str, SshServer]
    outcome: Proven | Failure
    proven: list[str] = dataclasses.field(default_factory=list)
    more: dict[str, Any] = dataclasses.field(default_factory=dict)
    kubeconfig: str = ""
    cut_off: bool = False

    def agree(self, facts: Facts, *nodes: str) -> None:
        """From now on these are the facts of the nodes, of all when none are named."""
        for name in nodes or NODES:
            self.servers[name].folder.joinpath("facts").write_text(
                facts_output(
                    dataclasses.replace(
                        facts, hostname=name, entry=name if facts.owner else None, edits_back=facts.owner is not None
                    )
                )
            )

    def is_applied(self, note: Proven | Failure | None = None) -> None:
        """From now on the nodes are as the stack left them, with a note of their last proof."""
        written = json.dumps((note or self.outcome).outputs())
        self.agree(dataclasses.replace(applied(), owner=OWNER, proof=written))

    def is_undone(self, *nodes: str) -> None:
        """From now on somebody has put the manifest from before on the nodes."""
        note = json.dumps(self.outcome.outputs())
        self.agree(dataclasses.replace(untouched(), manifest=remote(MANIFEST, 3000), proof=note), *nodes)

    def program(self) -> None:
        """The program: the nodes as a component, and its outputs."""
        nodes = [
            {"name": name, "host": each.host, "port": each.port, "user": "ops", "hostKey": each.host_key}
            for name, each in self.servers.items()
        ]
        key = pulumi.Output.secret(next(iter(self.servers.values())).private_key)
        arguments = {"cluster": "test", "nodes": nodes, "policy": {"preset": "low-write"}, "sshPrivateKey": key}
        if self.kubeconfig:
            arguments["kubeconfig"] = pulumi.Output.secret(self.kubeconfig)
        audit = AuditLogging("east", {**arguments, **self.more})
        for name in ("nodes", "proof"):
            pulumi.export(name, audit.outputs[name])

    def refuse(self, node: str, command: str) -> None:
        """From now on commands with this text fail on the node."""
        self.servers[node].folder.joinpath("refused").write_text(command)

    async def prove(self, tasks: Sequence[Task], *_: object) -> Mapping[str, Proven | Failure]:
        """Stands for the proof. Each node keeps that it was made, unless the run is cut off before."""
        if self.cut_off:
            raise RuntimeError("cut off")
        for task in tasks:
            self.proven.append(task.node.name)
            (self.servers[task.node.name].folder / "unproven").unlink()
        return {task.node.name: self.outcome for task in tasks}

    def commands(self) -> list[str]:
        return [command for each in self.servers.values() for command in each.commands()]


def succeed(run: Run) -> Run:
    assert run.error is None, run.error
    return run


def operations(run: Run) -> set[str]:
    return {step.operation for step in run.steps}
