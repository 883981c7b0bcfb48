"""Drafts of stack files. A draft that claims to keep everything is given to the plan, which must then edit nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from auditlog.inspection.adoption import Draft, draft, stack_file
from auditlog.inspection.inspection import inspect_cluster
from auditlog.nodes.fact_types import StrayManifest
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.policy.presets import preset_names, preset_text
from auditlog.settings import Host, LogSettings, Settings, parse_settings
from tests.unit.inspection.test_inspection import LOG, POLICY_PATH, with_kubeadm_config, with_manifest
from tests.unit.plan.nodes import HOST_KEY, POLICY, applied, remote, untouched

CP1 = Host("cp1", "10.0.0.11", HOST_KEY, user="ops", port=2222)
CP2 = Host("cp2", "10.0.0.12", HOST_KEY)


def by_hand() -> Facts:
    """A node on which somebody set up by hand what the stack would set up: nothing of the stack is there."""
    facts = dataclasses.replace(applied(), owner=None, before_manifest=None, before_kubeadm_config=None)
    facts = dataclasses.replace(facts, scripts_sha256=None, staged_policy_sha256=None)
    assert facts.manifest is not None
    lines = facts.manifest.text.splitlines(keepends=True)
    unmarked = "".join(line for line in lines if "kubernetes-audit/policy-sha256" not in line)
    return dataclasses.replace(facts, manifest=remote(unmarked, 2000))


def drafted(facts: Mapping[str, Facts], *nodes: Host) -> Draft:
    return draft("prod", nodes or (CP1,), None, inspect_cluster(facts).nodes, facts)


def settings_of(text: str) -> Settings:
    """The text of a stack file as the program takes it."""
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return parse_settings(
        {key.removeprefix("kubernetes-audit:"): value for key, value in config.items()}, preset_names()
    )


def plan_of(text: str, policy: str, facts: Mapping[str, Facts]) -> Plan:
    return make_plan(settings_of(text), policy, facts, "kubernetes-audit/prod")


def assert_edits_nothing(plan: Plan) -> None:
    for node in plan.nodes:
        assert node.reasons == ()
        assert node.manifest.diff() == ""
        assert node.policy.diff() == ""
        assert not node.processes_to_end
    assert plan.kubeadm_config.diff() == ""


def test_what_was_set_up_by_hand_is_taken_over_without_an_edit() -> None:
    facts = {"cp1": by_hand()}
    result = drafted(facts)
    assert result.remarks == ()
    assert result.fetch is None
    text = stack_file(result)
    assert "the first preview edits no file of a node and restarts nothing" in text
    assert settings_of(text).policy.preset == "low-write"
    assert settings_of(text).nodes == (CP1,)
    assert_edits_nothing(plan_of(text, preset_text("low-write"), facts))


def test_a_policy_of_its_own_other_paths_and_another_rotation_are_taken_over_too() -> None:
    policy = f"# ours\n{POLICY}"
    facts = by_hand()
    for old, new in (
        (POLICY_PATH, "/etc/kubernetes/audit/policy.yaml"),
        ("audit.log", "kube-audit.log"),
        ("audit-log-maxage=30", "audit-log-maxage=7"),
    ):
        facts = with_manifest(facts, old, new)
    for old, new in (
        (POLICY_PATH, "/etc/kubernetes/audit/policy.yaml"),
        ("audit.log", "kube-audit.log"),
        ("value: '30'", "value: '7'"),
    ):
        facts = with_kubeadm_config(facts, old, new)
    facts = dataclasses.replace(facts, policy=remote(policy, 2000), policy_path="/etc/kubernetes/audit/policy.yaml")
    result = drafted({"cp1": facts})
    assert result.remarks == ()
    assert result.fetch == (
        "ssh -p 2222 ops@10.0.0.11 sudo -n cat /etc/kubernetes/audit/policy.yaml >audit-policy-prod.yaml"
    )
    settings = settings_of(stack_file(result))
    assert settings.policy.file == "audit-policy-prod.yaml"
    assert settings.log_file == LOG.replace("audit.log", "kube-audit.log")
    assert_edits_nothing(plan_of(stack_file(result), policy, {"cp1": facts}))


def test_several_nodes_and_a_bastion() -> None:
    facts = {"cp1": by_hand(), "cp2": by_hand()}
    bastion = Host("bastion", "jump.example.com", HOST_KEY, user="jump")
    result = draft("prod", (CP1, CP2), bastion, inspect_cluster(facts).nodes, facts)
    settings = settings_of(stack_file(result))
    assert settings.nodes == (CP1, CP2)
    assert settings.bastion == bastion
    assert_edits_nothing(plan_of(stack_file(result), POLICY, facts))


def test_a_node_that_differs_from_the_first_is_named_with_its_restart() -> None:
    other = with_manifest(by_hand(), "audit-log-maxage=30", "audit-log-maxage=7")
    result = drafted({"cp1": by_hand(), "cp2": other}, CP1, CP2)
    assert result.remarks == (
        "cp2: pulumi up would restart the API server: the manifest has --audit-log-maxage=7, not 30",
    )
    assert f"#   - {result.remarks[0]}\n" in stack_file(result)


def test_flags_that_are_not_set_get_the_value_they_have_and_cost_a_restart() -> None:
    facts = with_manifest(by_hand(), "    - --audit-log-maxage=30\n", "")
    result = drafted({"cp1": facts})
    assert result.settings.log == LogSettings(max_age=366)
    assert "cp1: pulumi up would restart the API server: the manifest lacks --audit-log-maxage" in result.remarks


def test_kubeadm_config_that_lacks_what_the_manifest_has() -> None:
    facts = dataclasses.replace(by_hand(), kubeadm_config=untouched().kubeadm_config)
    result = drafted({"cp1": facts})
    (remark,) = result.remarks
    assert remark.startswith("pulumi up would write kubeadm-config: kubeadm-config lacks audit-policy-file")


def test_flags_that_a_stack_does_not_manage_are_named_and_stay() -> None:
    extra = "    - --audit-log-mode=batch\n    - --secure-port=6443\n"
    facts = with_manifest(by_hand(), "    - --secure-port=6443\n", extra)
    result = drafted({"cp1": facts})
    assert result.remarks == ("kept as they are on the nodes, and not managed by the stack: --audit-log-mode=batch",)
    assert_edits_nothing(plan_of(stack_file(result), POLICY, {"cp1": facts}))


@pytest.mark.parametrize(
    ("old", "new", "remark"),
    [
        (
            f"audit-log-path={LOG}",
            "audit-log-path=audit.log",
            "--audit-log-path=audit.log: a stack names files in full",
        ),
        ("audit-log-maxsize=100", "audit-log-maxsize=0", "--audit-log-maxsize=0 turns rotation off"),
    ],
)
def test_what_settings_cannot_say(old: str, new: str, remark: str) -> None:
    result = drafted({"cp1": with_manifest(by_hand(), old, new)})
    assert result.remarks[0].startswith(remark)
    assert any("would restart the API server" in each for each in result.remarks)
    settings_of(stack_file(result))


def test_what_the_plan_refuses() -> None:
    facts = dataclasses.replace(by_hand(), stray_manifests=(StrayManifest("old.yaml", 4000),))
    (remark,) = drafted({"cp1": facts}).remarks
    assert remark.startswith("pulumi preview would refuse: cp1: old.yaml in /etc/kubernetes/manifests")


def test_a_node_of_another_stack_says_whose_it_is_before_anything_else() -> None:
    result = drafted({"cp1": applied(), "cp2": applied()}, CP1, CP2)
    owned = "cp1, cp2: managed by the Pulumi stack kubernetes-audit/test, and a preview of any other stack is refused"
    assert result.others == (owned,)
    assert not result.keeps_everything
    text = stack_file(result)
    assert text.startswith(f"# {owned}\n# What to do depends on that stack:\n")
    assert "pulumi destroy" in text
    assert "edits no file" not in text
    with pytest.raises(PlanError, match="its audit logging belongs to the stack 'kubernetes-audit/test'"):
        plan_of(text, POLICY, {"cp1": applied(), "cp2": applied()})


def test_nodes_of_two_stacks_are_told_apart_and_what_else_would_change_is_said_too() -> None:
    lagging = with_manifest(dataclasses.replace(applied(), owner="other/east"), "maxage=30", "maxage=7")
    result = drafted({"cp1": applied(), "cp2": lagging}, CP1, CP2)
    assert [each.partition(",")[0] for each in result.others] == [
        "cp1: managed by the Pulumi stack kubernetes-audit/test",
        "cp2: managed by the Pulumi stack other/east",
    ]
    assert any(each.startswith("cp2: pulumi up would restart the API server: ") for each in result.remarks)
    assert not any("would refuse" in each for each in result.remarks)


def test_a_draft_for_the_stack_that_manages_the_node_keeps_everything() -> None:
    own = dataclasses.replace(applied(), owner="kubernetes-audit/prod")
    result = drafted({"cp1": own})
    assert result.keeps_everything
    assert "the first preview edits no file of a node" in stack_file(result)
    assert_edits_nothing(plan_of(stack_file(result), POLICY, {"cp1": own}))


def test_a_node_without_audit_logging_gets_the_defaults() -> None:
    result = drafted({"cp1": untouched()})
    assert result.remarks == ("there is no policy on cp1 to take over: this is a first setup with the defaults",)
    assert settings_of(stack_file(result)).policy.preset == "standard"


def test_a_host_key_that_no_stack_takes() -> None:
    result = drafted({"cp1": by_hand()}, dataclasses.replace(CP1, host_key=""))
    assert "no Ed25519 or ECDSA key" in result.remarks[0]
    assert "hostKey" not in stack_file(result)
