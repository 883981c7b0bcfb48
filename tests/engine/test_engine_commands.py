"""The engine's own commands on a stack with audit logging: what docs/guides/engine-commands.md says of each."""

from __future__ import annotations

import json

from tests.engine.audited_cluster import Cluster, operations, succeed
from tests.engine.engine_stack import EngineStack, Step

pytest_plugins = ("tests.engine.cluster_fixtures",)

MANIFEST = "east-cp1-manifest"


def test_a_refresh_contacts_no_node_and_finds_no_drift_on_one(audited: EngineStack, cluster: Cluster) -> None:
    cluster.is_undone()
    del cluster.servers["cp1"].executions[:]
    before = audited.resources()
    succeed(audited.refresh())
    assert cluster.servers["cp1"].commands() == []
    assert audited.resources()[MANIFEST]["inputs"]["stdin"] == before[MANIFEST]["inputs"]["stdin"]
    assert [step.operation for step in succeed(audited.preview(cluster.program)).of(MANIFEST)] == ["update"]


def test_a_drift_check_by_refresh_finds_nothing(audited: EngineStack, cluster: Cluster) -> None:
    cluster.is_undone()
    run = succeed(audited.refresh(preview_only=True, expect_no_changes=True))
    assert "update" not in operations(run)


def test_an_update_that_refreshes_first_repairs_the_drift_that_the_program_reads(
    audited: EngineStack, cluster: Cluster
) -> None:
    cluster.is_undone("cp1")
    run = succeed(audited.up(cluster.program, refresh=True))
    assert "update" in {step.operation for step in run.of(MANIFEST)}
    assert any(" apply-manifest " in command for command in cluster.servers["cp1"].commands())


def test_excluded_nodes_are_not_changed_nor_proven(audited: EngineStack, cluster: Cluster) -> None:
    cluster.is_undone()
    del cluster.servers["cp2"].executions[:]
    succeed(audited.up(cluster.program, exclude=[audited.urn(f"east-cp2-{kind}") for kind in ("policy", "manifest")]))
    assert not any("apply-manifest" in command for command in cluster.servers["cp2"].commands())
    assert cluster.proven == ["cp1"]


def test_one_operation_at_a_time_is_the_order_that_the_nodes_have_anyway(
    audited: EngineStack, cluster: Cluster
) -> None:
    cluster.is_undone()
    run = succeed(audited.up(cluster.program, parallel=1))
    names = [step.name for step in run.steps]
    assert names.index(MANIFEST) < names.index("east-cp2-manifest")


def test_destroy_of_a_node_alone_is_refused_because_kubeadm_config_names_its_policy(
    audited: EngineStack, cluster: Cluster
) -> None:
    run = audited.destroy(target=[audited.urn(MANIFEST)])
    assert "east-cluster-configuration" in (run.error or "")
    assert not any("restore-manifest" in command for command in cluster.commands())


def test_a_preview_of_destroy_contacts_no_node(audited: EngineStack, cluster: Cluster) -> None:
    for server in cluster.servers.values():
        del server.executions[:]
    run = succeed(audited.destroy(preview_only=True))
    assert [step.operation for step in run.of(MANIFEST)] == ["delete"]
    assert cluster.commands() == []


def test_a_destroy_that_goes_on_after_an_error_keeps_what_the_node_still_needs(
    audited: EngineStack, cluster: Cluster
) -> None:
    cluster.refuse("cp2", "restore-manifest")
    run = audited.destroy(continue_on_error=True)
    assert run.error is not None
    left = audited.resources()
    assert {"east-cp2-manifest", "east-cp2-policy", "east-cp2-scripts"} <= left.keys()
    assert "east-cluster-configuration" not in left


def test_a_protected_node_is_not_destroyed(audited: EngineStack, cluster: Cluster) -> None:
    audited.pulumi("state", "protect", audited.urn(MANIFEST), "--yes")
    assert "protected" in (audited.destroy().error or "")
    assert not any("restore-manifest" in command for command in cluster.servers["cp1"].commands())
    assert {MANIFEST, "east-cp1-policy"} <= audited.resources().keys()
    audited.pulumi("state", "unprotect", audited.urn(MANIFEST), "--yes")
    succeed(audited.destroy())


def test_a_state_that_is_exported_and_imported_is_unchanged(audited: EngineStack, cluster: Cluster) -> None:
    exported = audited.pulumi("stack", "export")
    audited.pulumi("stack", "import", given=exported)
    assert operations(succeed(audited.preview(cluster.program))) == {"same"}


def test_cancel_of_an_idle_stack_changes_nothing(audited: EngineStack, cluster: Cluster) -> None:
    before = audited.resources()
    audited.pulumi("cancel", "--yes")
    assert audited.resources() == before
    assert operations(succeed(audited.preview(cluster.program))) == {"same"}


def test_a_stack_with_resources_is_not_removed(audited: EngineStack) -> None:
    assert "still has resources" in audited.pulumi("stack", "rm", "--yes", succeeds=False)
    assert MANIFEST in audited.resources()


def test_the_history_has_no_key(audited: EngineStack) -> None:
    printed = audited.pulumi("stack", "history", "--json")
    assert json.loads(printed)[0]["kind"] == "update"
    assert "PRIVATE KEY" not in printed


def test_a_preview_in_json_has_every_step_and_no_key(audited: EngineStack, cluster: Cluster) -> None:
    cluster.is_undone("cp1")
    run = succeed(audited.preview(cluster.program))
    assert run.of(MANIFEST)[0].operation == "update"
    assert run.of("east-cp2-manifest") == [Step("same", "east-cp2-manifest", {})]
    assert not any("PRIVATE KEY" in each.text for each in run.diagnostics)
