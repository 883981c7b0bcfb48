"""Runs of every kind, under the real engine: which of them prove that events arrive, and what they make of outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.plan.reasons import PROOF_OWED
from auditlog.proof.verdict import Failure, Proven
from tests.engine.audited_cluster import NODES, Cluster, operations, succeed
from tests.engine.engine_stack import EngineStack, Run
from tests.engine.kubernetes_api import KubernetesApi

pytest_plugins = ("tests.engine.cluster_fixtures", "tests.engine.kubernetes_fixtures")


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


def test_a_node_whose_update_ended_before_the_proof_is_proven_by_the_next_update_however_often_that_happens(
    engine_stack: EngineStack, cluster: Cluster
) -> None:
    for cut_off in (" apply-manifest ", " apply-kubeadm-config "):
        cluster.refuse("cp2" if "manifest" in cut_off else "cp1", cut_off)
        assert engine_stack.up(cluster.program).error is not None
        for node in NODES:
            cluster.refuse(node, "what no command says")
        cluster.is_applied()
    assert cluster.proven == []
    preview = succeed(engine_stack.preview(cluster.program))
    assert [step.operation for step in preview.of("east-cp1-manifest")] == ["update"]
    assert any(f"cp1: {PROOF_OWED}" in text for text in preview.messages("info"))
    succeed(engine_stack.up(cluster.program))
    assert sorted(cluster.proven) == list(NODES)
    assert operations(succeed(engine_stack.preview(cluster.program))) == {"same"}


def test_what_ends_between_the_change_of_alloy_and_the_proof_is_proven_by_the_next_update(
    audited: EngineStack, cluster: Cluster, kubernetes_api: KubernetesApi, namespace: str
) -> None:
    cluster.kubeconfig = kubernetes_api.kubeconfig()
    alloy = {"mode": "snippet", "namespace": f"{namespace}-alloy"}
    cluster.more |= {"loki": {"url": "http://loki.invalid"}, "alloy": alloy, "dashboards": {"mode": "off"}}
    cluster.cut_off = True
    error = audited.up(cluster.program).error or ""
    assert "cut off" in error, error
    cluster.cut_off = False
    preview = succeed(audited.preview(cluster.program))
    assert any(f"cp1: {PROOF_OWED}" in text for text in preview.messages("info"))
    succeed(audited.up(cluster.program))
    assert sorted(cluster.proven) == list(NODES)
    assert operations(succeed(audited.preview(cluster.program))) == {"same"}
    del cluster.proven[:]
    cluster.more["loki"] = {"url": "http://loki.invalid", "tenant": "ops"}
    cluster.refuse("cp2", " owe-proof")
    error = audited.up(cluster.program).error or ""
    assert "owe-proof ended with status 1: refused" in error, error
    assert cluster.proven == []


def digest_in(run: Run) -> str:
    (digest,) = [text for text in run.messages("info") if text.startswith("plan digest: ")]
    return digest.removeprefix("plan digest: ")


def test_switching_off_does_exactly_what_was_previewed(
    audited: EngineStack, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    enabled = digest_in(succeed(audited.preview(cluster.program)))
    cluster.more["enabled"] = False
    previewed = digest_in(succeed(audited.preview(cluster.program)))
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", enabled)
    assert "The plan is not the one that was previewed" in (audited.up(cluster.program).error or "")
    assert not any("restore-" in command for command in cluster.commands())
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", previewed)
    succeed(audited.up(cluster.program))
    assert audited.resources() == {}
    assert sum(" restore-manifest " in command for command in cluster.commands()) == len(NODES)


def test_the_digest_is_compared_when_the_program_runs_for_destroy(
    audited: EngineStack, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = digest_in(audited.destroy(cluster.program, preview_only=True))
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", f"east={'0' * 64}")
    assert "The plan is not the one that was previewed" in (audited.destroy(cluster.program).error or "")
    assert audited.resources()
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", digest)
    succeed(audited.destroy(cluster.program))
    assert audited.resources() == {}
