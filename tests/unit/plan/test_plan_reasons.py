"""Why a node is to be changed: each kind of drift has its own sentence, told apart from a change of the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from auditlog.manifest import manifest
from auditlog.manifest.desired import POLICY_ANNOTATION, sha256
from auditlog.nodes.fact_types import KubeadmConfig, Process, StrayManifest, Written
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import Plan, make_plan
from auditlog.policy.presets import preset_text
from auditlog.settings import LogSettings, Settings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings

POLICY_PATH = "/etc/kubernetes/audit-policy.yaml"
STRAY = StrayManifest("kube-apiserver.yaml.bak", 4000)


def written() -> Facts:
    """A node as ``up`` leaves it, with the stack's record of what it wrote."""
    facts = applied()
    assert facts.manifest is not None
    assert facts.kubeadm_config is not None
    record = Written(sha256(facts.manifest.text), sha256(POLICY), sha256(facts.kubeadm_config.text))
    return dataclasses.replace(facts, written=record)


def changed(**fields: object) -> Facts:
    return dataclasses.replace(written(), **fields)  # type: ignore[arg-type]


def with_manifest(change: Callable[[str], str], started: int = 3000) -> Facts:
    """The manifest after a change that kubelet has taken."""
    live = written().manifest
    assert live is not None
    text = change(live.text)
    return changed(manifest=remote(text, 2900), processes=(Process(3, started, manifest.arguments(text)),))


def plan(facts: Facts, wanted: Settings | None = None, policy: str = POLICY) -> Plan:
    return make_plan(wanted or settings(), policy, {"cp1": facts}, OWNER)


def reasons(facts: Facts) -> tuple[str, ...]:
    return plan(facts).nodes[0].reasons


def test_in_sync_has_no_reason_and_no_warning() -> None:
    planned = plan(written())
    assert planned.nodes[0].in_sync
    assert planned.nodes[0].warnings == planned.warnings == ()
    assert planned.kubeadm_config_reasons == ()
    assert not planned.nodes[0].is_record_only
    assert not planned.is_kubeadm_config_record_only


def test_a_manifest_that_was_edited_is_told_with_what_is_other() -> None:
    facts = with_manifest(lambda text: text.replace("maxage=30", "maxage=3"))
    assert reasons(facts) == (
        "the manifest was edited since this stack wrote it",
        "the manifest has --audit-log-maxage=3, not 30",
    )


def test_a_mount_that_was_removed_or_made_read_only() -> None:
    mount = "    - mountPath: /var/log/kubernetes/audit\n      name: audit-logs\n"
    volume = (
        "  - hostPath:\n      path: /var/log/kubernetes/audit\n      type: DirectoryOrCreate\n    name: audit-logs\n"
    )
    removed = with_manifest(lambda text: text.replace(mount, "").replace(volume, ""))
    assert reasons(removed)[1:] == ("the manifest does not mount /var/log/kubernetes/audit to be written to",)


def test_a_manifest_that_kubeadm_wrote_without_audit_logging() -> None:
    (reason,) = reasons(with_manifest(lambda _: MANIFEST))
    assert reason.startswith(
        "the manifest was replaced by one without audit logging since this stack wrote it: by kubeadm"
    )


def test_other_settings_are_no_edit() -> None:
    wanted = dataclasses.replace(settings(), log=LogSettings(max_age=60))
    assert plan(written(), wanted).nodes[0].reasons == ("the manifest has --audit-log-maxage=30, not 60",)


def test_another_policy_in_the_settings_is_no_edit() -> None:
    node = plan(written(), policy=preset_text("minimal")).nodes[0]
    assert node.reasons == (f"the policy file {POLICY_PATH} is the one before this change",)
    assert node.policy_reasons == node.reasons


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (None, f"the policy file {POLICY_PATH} was deleted since this stack wrote it"),
        (remote("rules: []", 3000), f"the policy file {POLICY_PATH} was edited since this stack wrote it"),
    ],
)
def test_a_policy_file_that_was_deleted_or_edited(policy: object, reason: str) -> None:
    assert reasons(changed(policy=policy)) == (reason,)


def test_the_same_deletion_later_is_another_one() -> None:
    first = plan(changed(policy=None, policy_folder_changed=3000)).nodes[0].policy.token
    assert plan(changed(policy=None, policy_folder_changed=3001)).nodes[0].policy.token != first


def test_what_an_unfinished_change_left_is_no_edit_by_hand() -> None:
    facts = with_manifest(lambda text: text.replace(sha256(POLICY), "placed-first"))
    assert manifest.policy_annotation(facts.manifest.text if facts.manifest else "") == "placed-first"
    assert "the manifest was edited since this stack wrote it" in reasons(facts)
    assert facts.manifest is not None
    left = frozenset({sha256(facts.manifest.text), sha256("rules: []")})
    half_way = dataclasses.replace(facts, unfinished_change=True, unfinished_sha256=left)
    assert reasons(half_way) == ("an earlier change of the node was cut off and is to be finished",)
    other_policy = dataclasses.replace(half_way, policy=remote("rules: []", 2900))
    assert reasons(other_policy) == (
        f"the policy file {POLICY_PATH} is the one before this change",
        "an earlier change of the node was cut off and is to be finished",
    )


def test_a_process_that_is_older_than_its_policy() -> None:
    def without_annotation(text: str) -> str:
        return "".join(line for line in text.splitlines(keepends=True) if POLICY_ANNOTATION not in line)

    facts = with_manifest(without_annotation, started=3000)
    assert reasons(facts) == ()
    touched = dataclasses.replace(facts, policy=remote(POLICY, 3001))
    assert reasons(touched)[-1] == "the running API server is older than its policy file"


def test_a_process_with_other_arguments_is_named_to_be_ended() -> None:
    process = Process(7, 2500, ("kube-apiserver",))
    node = plan(changed(processes=(process,))).nodes[0]
    assert node.reasons == ("the running API server has other arguments than the manifest",)
    assert node.processes_to_end == (process,)


def test_an_annotation_of_another_policy() -> None:
    facts = with_manifest(lambda text: text.replace(sha256(POLICY), "0" * 64))
    assert reasons(facts) == (
        "the manifest was edited since this stack wrote it",
        "the manifest names the hash of another policy file",
    )


def test_a_kubeadm_config_that_was_reverted() -> None:
    planned = plan(changed(kubeadm_config=KubeadmConfig(CLUSTER_CONFIGURATION, "9")))
    assert planned.nodes[0].in_sync
    assert planned.kubeadm_config_reasons == (
        "kubeadm-config lacks audit-policy-file, audit-log-path, audit-log-maxage, audit-log-maxbackup, "
        "audit-log-maxsize: the next kubeadm upgrade or join would drop it",
        "kubeadm-config was changed since this stack wrote it",
    )


def test_another_value_in_kubeadm_config_is_not_called_lacking() -> None:
    config = written().kubeadm_config
    assert config is not None
    assert config.text.count("value: '30'") == 1
    planned = plan(changed(kubeadm_config=KubeadmConfig(config.text.replace("value: '30'", "value: '3'"), "9")))
    assert planned.kubeadm_config_reasons[0] == (
        "kubeadm-config has audit-log-maxage=3, not 30: the next kubeadm upgrade or join would write it"
    )


def test_a_stray_manifest_is_moved_where_that_is_wanted() -> None:
    wanted = dataclasses.replace(settings(), quarantine_strays=True)
    node = plan(changed(stray_manifests=(STRAY,)), wanted).nodes[0]
    assert node.quarantined == (STRAY,)
    assert node.reasons == (
        "kube-apiserver.yaml.bak in /etc/kubernetes/manifests defines kube-apiserver too and is moved to the archive",
    )


def test_a_manifest_that_kubeadm_wrote_anew_with_audit_logging_changes_the_record_only() -> None:
    node = plan(with_manifest(lambda text: text.replace("    image:", "    - --profiling=false\n    image:"))).nodes[0]
    assert node.in_sync
    assert node.is_record_only


def test_a_kubeadm_config_that_an_upgrade_wrote_changes_the_record_only() -> None:
    config = written().kubeadm_config
    assert config is not None
    upgraded = KubeadmConfig(config.text.replace("v1.36.3", "v1.36.4"), "9")
    planned = plan(changed(kubeadm_config=upgraded))
    assert planned.kubeadm_config.in_sync
    assert planned.is_kubeadm_config_record_only


def test_a_node_that_keeps_no_record_is_never_called_record_only() -> None:
    planned = plan(dataclasses.replace(written(), written=Written()))
    assert not planned.nodes[0].is_record_only
    assert not planned.is_kubeadm_config_record_only
