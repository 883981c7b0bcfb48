"""Settings that leave the stack: what goes with them, and what stays because people made it."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.manifest import kubeadm_config, manifest, manifest_edit
from auditlog.manifest.desired import audit_configuration, sha256
from auditlog.manifest.ownership import Owned, owned_by
from auditlog.nodes.fact_types import KubeadmConfig, Process
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.settings import Delivery, LogFormat, LogSettings, Mode, Settings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings, untouched

BATCH = LogSettings(format=LogFormat.JSON, delivery=Delivery(mode=Mode.BATCH))


def wanting(log: LogSettings) -> Settings:
    return dataclasses.replace(settings(), log=log)


def plan(wanted: Settings, facts: Facts) -> Plan:
    return make_plan(wanted, POLICY, {"cp1": facts}, OWNER)


def after_up(wanted: Settings, facts: Facts) -> Facts:
    """The node once ``up`` has done what the plan says."""
    planned = plan(wanted, facts)
    node = planned.nodes[0]
    started = applied().processes[0].started
    return dataclasses.replace(
        facts,
        manifest=remote(node.manifest.desired, 2000),
        policy=remote(POLICY, 2000),
        before_manifest=facts.before_manifest or facts.manifest,
        before_kubeadm_config=facts.before_kubeadm_config or remote(CLUSTER_CONFIGURATION),
        owner=OWNER,
        owned=node.owned.record(),
        owned_kubeadm_config=planned.kubeadm_config_owned.record(),
        processes=(Process(2, started, manifest.arguments(node.manifest.desired)),),
        kubeadm_config=KubeadmConfig(planned.kubeadm_config.desired, "9"),
    )


def text(facts: Facts) -> str:
    assert facts.manifest is not None
    return facts.manifest.text


def with_manifest(facts: Facts, old: str, new: str) -> Facts:
    assert old in text(facts)
    edited = text(facts).replace(old, new)
    started = facts.processes[0].started
    return dataclasses.replace(
        facts, manifest=remote(edited, 2000), processes=(Process(2, started, manifest.arguments(edited)),)
    )


def test_a_setting_that_is_removed_takes_its_flag_out_of_manifest_and_kubeadm_config() -> None:
    facts = after_up(wanting(BATCH), untouched())
    assert "--audit-log-mode=batch" in text(facts)
    planned = plan(settings(), facts)
    node = planned.nodes[0]
    assert node.reasons == (
        "the manifest has --audit-log-format, which the stack no longer sets",
        "the manifest has --audit-log-mode, which the stack no longer sets",
    )
    assert "--audit-log-mode" not in node.manifest.desired
    assert "audit-log-mode" not in planned.kubeadm_config.desired
    assert planned.kubeadm_config_reasons == (
        "kubeadm-config has audit-log-format, audit-log-mode, which the stack no longer sets: "
        "the next upgrade would bring it back",
    )
    again = plan(settings(), after_up(settings(), facts))
    assert again.nodes[0].reasons == ()
    assert again.kubeadm_config.in_sync


def test_a_flag_that_comes_to_say_again_what_was_found_is_given_back_in_the_words_that_were_found() -> None:
    found = with_manifest(
        untouched(), "    - --advertise-address", "    - --audit_log_compress\n    - --advertise-address"
    )
    facts = after_up(wanting(LogSettings(compress=False)), found)
    assert "--audit-log-compress=false" in text(facts)
    node = plan(wanting(LogSettings(compress=True)), facts).nodes[0]
    assert node.reasons == ("the manifest has --audit-log-compress=false, not true",)
    assert "    - --audit_log_compress\n" in node.manifest.desired
    assert "audit-log-compress" not in node.owned.flags
    assert node.manifest.before == text(found)


def test_standard_output_takes_the_log_folders_mount_away() -> None:
    facts = after_up(settings(), untouched())
    node = plan(wanting(LogSettings("-")), facts).nodes[0]
    assert "the manifest mounts /var/log/kubernetes/audit, which the stack no longer uses" in node.reasons
    assert manifest.present(node.manifest.desired).mounts.keys() == {"ca-certs", "k8s-certs", "audit-policy"}
    assert "--audit-log-maxage" not in node.manifest.desired
    assert node.manifest.before == MANIFEST


def test_another_log_folder_replaces_the_one_the_stack_mounted() -> None:
    facts = after_up(settings(), untouched())
    wanted = wanting(LogSettings("/var/log/kube-audit/audit.log"))
    planned = plan(wanted, facts)
    assert manifest.present(planned.nodes[0].manifest.desired).mounts["audit-logs"] == "/var/log/kube-audit"
    assert kubeadm_config.present(planned.kubeadm_config.desired).mounts["audit-logs"] == "/var/log/kube-audit"
    assert planned.nodes[0].manifest.before == MANIFEST
    assert planned.kubeadm_config.before == CLUSTER_CONFIGURATION


def test_flags_made_by_hand_after_the_stack_stay_now_and_on_removal() -> None:
    facts = after_up(settings(), untouched())
    facts = with_manifest(facts, "    - --secure-port", "    - --audit-log-compress\n    - --secure-port")
    node = plan(settings(), facts).nodes[0]
    assert node.reasons == ()
    assert node.manifest.before == MANIFEST.replace(
        "    - --secure-port", "    - --audit-log-compress\n    - --secure-port"
    )


def test_a_flag_of_before_the_stack_gets_its_value_back_when_its_setting_leaves() -> None:
    by_hand = MANIFEST.replace("    - --secure-port", "    - --audit-log-mode=blocking-strict\n    - --secure-port")
    facts = after_up(wanting(BATCH), dataclasses.replace(untouched(), manifest=remote(by_hand)))
    assert "--audit-log-mode=batch" in text(facts)
    node = plan(settings(), facts).nodes[0]
    assert "    - --audit-log-mode=blocking-strict\n" in node.manifest.desired
    assert node.manifest.before == by_hand


def test_a_node_of_before_there_was_a_record_owns_the_standard_flags() -> None:
    assert applied().owned is None
    assert plan(settings(), applied()).nodes[0].in_sync
    node = plan(wanting(LogSettings("-")), applied()).nodes[0]
    assert "--audit-log-maxsize" not in node.manifest.desired
    assert "audit-logs" not in manifest.present(node.manifest.desired).mounts


def test_a_record_that_names_more_than_is_there_is_written_anew_without_an_edit() -> None:
    facts = after_up(wanting(BATCH), untouched())
    reverted = with_manifest(facts, "    - --audit-log-mode=batch\n", "")
    reverted = with_manifest(reverted, "    - --audit-log-format=json\n", "")
    node = plan(settings(), reverted).nodes[0]
    assert node.manifest.in_sync
    assert not node.processes_to_end
    assert node.reasons == (
        "/etc/kubernetes/audit-logging/owned still names what the stack no longer sets; only that record changes",
    )


@pytest.mark.parametrize("record", ["", "x", "[]", '{"flags": 5, "mounts": {}}', '{"flags": []}'])
def test_a_record_that_cannot_be_read_is_refused(record: str) -> None:
    with pytest.raises(PlanError, match="the record of what the stack owns cannot be read"):
        plan(settings(), dataclasses.replace(after_up(settings(), untouched()), owned=record))
    with pytest.raises(PlanError, match="owned-kubeadm-config: the record of what the stack owns cannot be read"):
        plan(settings(), dataclasses.replace(after_up(settings(), untouched()), owned_kubeadm_config=record))


def test_a_mount_of_the_same_name_for_another_path_is_not_taken_away() -> None:
    configuration = audit_configuration(settings().policy, settings().log)
    edited = manifest_edit.edit(MANIFEST, configuration, sha256(POLICY))
    elsewhere = Owned((), {"audit-logs": "/somewhere/else"})
    assert manifest_edit.retire(edited, MANIFEST, elsewhere) == edited
    owned = owned_by(configuration, manifest.present(MANIFEST))
    assert manifest_edit.revert(edited, MANIFEST, owned) == MANIFEST
