"""Runs of every kind, under the real engine: which of them prove that events arrive, and what they make of outputs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pulumi
import pytest

from auditlog.apiserver.facts import Facts
from auditlog.proof.tasks import Task
from auditlog.proof.verdict import Failure, Proven
from components import proof
from components.audit_logging import AuditLogging
from tests.engine.engine_stack import EngineStack, Run
from tests.engine.fake_node import fake_node
from tests.engine.ssh_server import SshServer, new_key, serving
from tests.unit.apiserver.facts_output import facts_output
from tests.unit.apiserver.kubeadm_files import MANIFEST
from tests.unit.apiserver.nodes import applied, remote, untouched

NODES = ("cp1", "cp2")
OWNER = "engine-test/test/east"
_SUDO = 'cat >/dev/null; case $* in *"sh -s facts "*) cat facts ;; esac'


@dataclasses.dataclass
class Cluster:
    """Two nodes, each a folder with an SSH server, and a proof whose outcome the test chooses.

    ``proven`` are the nodes that were proven, in the order of the runs.
    """

    servers: Mapping[str, SshServer]
    outcome: Proven | Failure
    proven: list[str] = dataclasses.field(default_factory=list)

    def agree(self, facts: Facts, *nodes: str) -> None:
        """From now on these are the facts of the nodes, of all when none are named."""
        for name in nodes or NODES:
            self.servers[name].folder.joinpath("facts").write_text(
                facts_output(dataclasses.replace(facts, hostname=name))
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
        audit = AuditLogging("east", arguments)
        for name in ("nodes", "proof"):
            pulumi.export(name, audit.outputs[name])

    def commands(self) -> list[str]:
        return [command for each in self.servers.values() for command in each.commands()]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    fake_node(tmp_path / "node", monkeypatch)._command("sudo", _SUDO)
    for name in NODES:
        (tmp_path / name).mkdir()
    key = new_key()
    with serving(tmp_path / "cp1", key) as first, serving(tmp_path / "cp2", key) as second:
        outcome = Proven("e1", "2026-01-01T00:00:00+00:00", "/var/log/audit.log", 0.02)
        made = Cluster(dict(zip(NODES, (first, second), strict=True)), outcome)

        async def prove(tasks: Sequence[Task], *_: object) -> Mapping[str, Proven | Failure]:
            made.proven += [task.node.name for task in tasks]
            return {task.node.name: made.outcome for task in tasks}

        monkeypatch.setattr(proof, "prove_nodes", prove)
        made.agree(untouched())
        yield made


@pytest.fixture
def audited(engine_stack: EngineStack, cluster: Cluster) -> EngineStack:
    """The stack after the first ``up``; what has been proven until then is forgotten."""
    succeed(engine_stack.up(cluster.program))
    assert sorted(cluster.proven) == list(NODES)
    cluster.is_applied()
    del cluster.proven[:]
    return engine_stack


def succeed(run: Run) -> Run:
    assert run.error is None, run.error
    return run


def operations(run: Run) -> set[str]:
    return {step.operation for step in run.steps}


def test_an_update_that_changes_nothing_proves_nothing_and_keeps_every_output(
    audited: EngineStack, cluster: Cluster
) -> None:
    before = audited.outputs()
    assert before["proof"] == dict.fromkeys(NODES, cluster.outcome.outputs())
    cluster.outcome = Failure("Loki is down")
    assert operations(succeed(audited.preview(cluster.program))) == {"same"}
    assert operations(succeed(audited.up(cluster.program))) == {"same"}
    assert cluster.proven == []
    assert audited.outputs() == before


def test_an_update_of_a_target_proves_that_node_alone(audited: EngineStack, cluster: Cluster) -> None:
    cluster.is_undone()
    succeed(audited.up(cluster.program, target=[audited.urn("east-cp1-manifest")]))
    assert cluster.proven == ["cp1"]


def test_a_first_update_with_targets_proves_no_node_that_it_does_not_create(
    engine_stack: EngineStack, cluster: Cluster
) -> None:
    urn = "urn:pulumi:test::engine-test::kubernetes-audit:index:AuditLogging"
    scripts = f"{urn}$kubernetes-audit:index:NodeScripts"
    targets = [f"{urn}::east", f"{scripts}::east-node-scripts", f"{scripts}$command:remote:Command::east-cp1-scripts"]
    succeed(engine_stack.up(cluster.program, target=targets))
    assert cluster.proven == []


@pytest.mark.parametrize("kind", ["refresh", "destroy"])
def test_refresh_and_destroy_that_run_the_program_prove_nothing(
    audited: EngineStack, cluster: Cluster, kind: str
) -> None:
    cluster.outcome = Failure("Loki is down")
    cluster.is_undone()
    succeed(getattr(audited, kind)(cluster.program))
    assert cluster.proven == []
    assert bool(audited.resources()) == (kind == "refresh")


def test_a_plan_that_was_saved_is_applied(
    engine_stack: EngineStack, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_EXPERIMENTAL", "true")
    plan = str(tmp_path / "plan.json")
    succeed(engine_stack.preview(cluster.program, plan=plan))
    succeed(engine_stack.up(cluster.program, plan=plan))
    cluster.is_applied()
    cluster.is_undone("cp2")
    cluster.outcome = Proven("e2", "2026-01-02T00:00:00+00:00", "/var/log/audit.log", 0.5)
    succeed(engine_stack.preview(cluster.program, plan=plan))
    succeed(engine_stack.up(cluster.program, plan=plan))
    assert engine_stack.outputs()["proof"]["cp2"] == cluster.outcome.outputs()
    assert cluster.proven[-1] == "cp2"


def test_a_proof_that_failed_is_made_again_by_the_next_update_and_by_no_later_one(
    engine_stack: EngineStack, cluster: Cluster
) -> None:
    cluster.outcome = Failure("Loki is down", at="2026-01-01T00:00:00+00:00")
    assert "cp1: Loki is down" in (engine_stack.up(cluster.program).error or "")
    cluster.is_applied()
    del cluster.proven[:]
    cluster.outcome = Proven("e1", "2026-01-02T00:00:00+00:00", "/var/log/audit.log", 0.02)
    preview = succeed(engine_stack.preview(cluster.program))
    assert [step.operation for step in preview.of("east-cp1-manifest")] == ["update"]
    succeed(engine_stack.up(cluster.program))
    assert sorted(cluster.proven) == list(NODES)
    cluster.is_applied()
    assert operations(succeed(engine_stack.preview(cluster.program))) == {"same"}


def test_the_digest_is_compared_when_the_program_runs_for_destroy(
    audited: EngineStack, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    previewed = audited.destroy(cluster.program, preview_only=True).messages("info")
    (digest,) = [text.removeprefix("plan digest: ") for text in previewed if text.startswith("plan digest: ")]
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", f"east={'0' * 64}")
    assert "The plan is not the one that was previewed" in (audited.destroy(cluster.program).error or "")
    assert audited.resources()
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", digest)
    succeed(audited.destroy(cluster.program))
    assert audited.resources() == {}
