"""Annotations from files: what is merged, what restarts and what does not, what is refused, what is given back."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.annotations.read import catalogue
from auditlog.annotations.render import static_manifests
from auditlog.manifest import kubeadm_config, manifest, manifest_edit
from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.desired import AuditConfiguration, Flag, HostMount
from auditlog.nodes.fact_types import KubeadmConfig, PolicyFile, PolicyFolder, Process
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.plan.removal import plan_removal
from auditlog.settings import Settings
from auditlog.settings.annotations import AnnotationDelivery, AnnotationSettings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings, untouched

POLICIES = static_manifests(catalogue())
THEIRS = "/etc/kubernetes/admission/configuration.yaml"
THEIR_TEXT = (
    "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n- name: EventRateLimit\n"
    "  path: limits.yaml\n"
)
THEIR_EDIT = AuditConfiguration(
    (Flag(ADMISSION_FLAG, THEIRS),),
    (HostMount("admission", "/etc/kubernetes/admission", read_only=True, path_type="Directory"),),
)


def wanted(delivery: AnnotationDelivery = AnnotationDelivery.FILES) -> Settings:
    return dataclasses.replace(settings(), annotations=AnnotationSettings(delivery))


def plan(facts: Facts, policies: str = POLICIES) -> Plan:
    return make_plan(wanted(), POLICY, {"cp1": facts}, OWNER, policies)


def on(minor: int, facts: Facts) -> Facts:
    """The node with an API server of 1.``minor``."""
    assert facts.manifest is not None
    text = facts.manifest.text.replace("kube-apiserver:v1.36.3", f"kube-apiserver:v1.{minor}.2")
    processes = tuple(dataclasses.replace(each, arguments=manifest.arguments(text)) for each in facts.processes)
    return dataclasses.replace(facts, manifest=dataclasses.replace(facts.manifest, text=text), processes=processes)


def with_theirs(facts: Facts) -> Facts:
    """The node whose API server has an AdmissionConfiguration of somebody else."""
    assert facts.manifest is not None
    assert facts.kubeadm_config is not None
    text = manifest_edit.edit(facts.manifest.text, THEIR_EDIT, None)
    return dataclasses.replace(
        facts,
        manifest=dataclasses.replace(facts.manifest, text=text),
        processes=(Process(1, 1100, manifest.arguments(text)),),
        kubeadm_config=KubeadmConfig(kubeadm_config.edit(facts.kubeadm_config.text, THEIR_EDIT), "7"),
        admission_source_path=THEIRS,
        admission_source=remote(THEIR_TEXT),
    )


def after(planned: Plan, facts: Facts) -> Facts:
    """The node once this plan is carried out."""
    (node,) = planned.nodes
    assert node.annotations is not None
    return dataclasses.replace(
        facts,
        manifest=remote(node.manifest.desired, 2000),
        policy=remote(POLICY, 2000),
        admission=remote(node.annotations.admission.desired, 2000),
        static_policies=remote(node.annotations.policies.desired, 2000),
        before_manifest=facts.before_manifest or facts.manifest,
        before_kubeadm_config=facts.before_kubeadm_config or remote(CLUSTER_CONFIGURATION),
        owner=OWNER,
        owned=node.owned.record(),
        owned_kubeadm_config=planned.kubeadm_config_owned.record(),
        scripts_sha256="0" * 64,
        processes=(Process(2, 2010, manifest.arguments(node.manifest.desired)),),
        kubeadm_config=KubeadmConfig(planned.kubeadm_config.desired, "9"),
    )


def delivered(facts: Facts | None = None) -> Facts:
    before = facts or on(37, untouched())
    return after(plan(before), before)


def test_the_flag_the_folder_and_both_files_come_with_one_restart() -> None:
    (node,) = plan(on(37, untouched())).nodes
    assert node.annotations is not None
    assert node.needs_restart
    assert manifest.flag_value(manifest.arguments(node.manifest.desired), ADMISSION_FLAG) == ADMISSION_PATH
    assert manifest.node_path(node.manifest.desired, "/etc/kubernetes/audit-annotations/x") is not None
    told = dict(node.transaction)
    assert "/etc/kubernetes/audit-logging/staged/audit-admission.yaml" in told["canary"]
    assert "/etc/kubernetes/audit-logging/staged/static-policies" in told["canary"]
    assert node.annotations.arguments["static_policies"] == "/etc/kubernetes/audit-annotations/audit-annotations.yaml"


def test_once_they_are_there_nothing_is_to_be_done() -> None:
    planned = plan(delivered())
    assert planned.nodes[0].reasons == ()
    assert planned.kubeadm_config.in_sync


def test_a_change_of_the_policies_alone_takes_no_restart_and_is_rehearsed() -> None:
    changed = f"{POLICIES}# one more\n"
    (node,) = plan(delivered(), changed).nodes
    assert node.manifest.in_sync
    assert not node.needs_restart
    assert node.processes_to_end == ()
    told = dict(node.transaction)
    assert (told["reloads"], told["mode"], told["rehearsal"]) == ("yes", "drain", "yes")
    assert "staged/static-policies" in told["canary"]
    assert node.reloads is not None
    assert node.reasons == (
        "the file of admission policies /etc/kubernetes/audit-annotations/audit-annotations.yaml differs",
    )


def test_another_file_that_the_api_server_refuses_is_named_before_anything_is_touched() -> None:
    theirs = PolicyFile("theirs.yaml", "kind: Nonsense")
    folder = PolicyFolder("/etc/kubernetes/audit-annotations", "a" * 64, (theirs,), "b" * 64)
    with pytest.raises(
        PlanError, match=r"/etc/kubernetes/audit-annotations/theirs\.yaml has an object of kind Nonsense"
    ):
        plan(dataclasses.replace(delivered(), policy_folder=folder))
    taken = dataclasses.replace(folder, taken_sha256=folder.sha256)
    assert plan(dataclasses.replace(delivered(), policy_folder=taken)).nodes[0].reasons == ()


def test_a_change_of_what_was_merged_takes_one() -> None:
    facts = delivered(with_theirs(on(37, untouched())))
    newer = remote(f"{THEIR_TEXT}- name: PodSecurity\n  path: pods.yaml\n")
    (node,) = plan(dataclasses.replace(facts, admission_source=newer)).nodes
    assert node.needs_restart
    assert "reloads" not in dict(node.transaction)
    assert node.annotations is not None
    assert "path: /etc/kubernetes/admission/pods.yaml" in node.annotations.admission.desired


def test_a_process_that_is_older_than_its_admission_configuration_restarts() -> None:
    facts = delivered()
    assert facts.manifest is not None
    assert facts.admission is not None
    unnamed = manifest_edit.edit(MANIFEST, AuditConfiguration((), ()), None)
    assert "admission-sha256" in facts.manifest.text
    assert "admission-sha256" not in unnamed
    text = "".join(
        line for line in facts.manifest.text.splitlines(keepends=True) if "kubernetes-audit/admission" not in line
    )
    older = dataclasses.replace(
        facts, manifest=remote(text, 2000), admission=dataclasses.replace(facts.admission, modified=2020)
    )
    (node,) = plan(older).nodes
    assert "the running API server is older than its admission configuration" in node.reasons


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (
            on(36, untouched()),
            "cp1: annotations.delivery is 'files', and this node runs Kubernetes 1.36; allowed before 1.37: "
            "annotations.delivery: api",
        ),
        (
            dataclasses.replace(with_theirs(on(37, untouched())), admission_source=None),
            f"cp1: annotations.delivery is 'files', and {THEIRS}, which the API server had before, is not there; "
            "allowed: that file",
        ),
        (
            dataclasses.replace(with_theirs(on(37, untouched())), admission_source=remote("kind: Other\n")),
            f"cp1: {THEIRS} (--admission-control-config-file) has kind 'Other'; allowed: AdmissionConfiguration",
        ),
        (
            dataclasses.replace(with_theirs(on(37, untouched())), admission_source_path=None),
            f"the node's scripts do not say what --admission-control-config-file={THEIRS} holds",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(facts: Facts, said: str) -> None:
    with pytest.raises(PlanError) as error:
        plan(facts)
    assert any(said in problem for problem in error.value.problems)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (Flag("feature-gates", "A=true,ManifestBasedAdmissionControlConfig=false"), "switches Manifest"),
        (Flag("feature-gates", "AllBeta=false"), "--feature-gates=AllBeta=false switches Manifest"),
        (Flag("feature-gates", "AllBeta=false,ManifestBasedAdmissionControlConfig=true"), ""),
        (Flag("disable-admission-plugins", "A,ValidatingAdmissionPolicy"), "has ValidatingAdmissionPolicy"),
    ],
)
def test_an_api_server_that_would_not_read_them_is_refused(flag: Flag, said: str) -> None:
    facts = on(37, untouched())
    assert facts.manifest is not None
    text = manifest_edit.edit(facts.manifest.text, AuditConfiguration((flag,), ()), None)
    facts = dataclasses.replace(facts, manifest=remote(text))
    if not said:
        assert plan(facts).nodes[0].annotations is not None
        return
    with pytest.raises(PlanError, match=r"annotations.delivery is 'files'") as error:
        plan(facts)
    assert said in str(error.value)


def test_removal_gives_their_flag_back() -> None:
    before = with_theirs(on(37, untouched()))
    assert before.manifest is not None
    facts = delivered(before)
    planned = plan(facts)
    assert planned.nodes[0].manifest.before == before.manifest.text


def test_removal_gives_a_flag_back_that_came_after_the_stack() -> None:
    """Somebody configured admission between the stack's first change and its annotations."""
    facts = with_theirs(on(37, applied()))
    facts = dataclasses.replace(facts, before_manifest=on(37, untouched()).manifest)
    delivered_then = delivered(facts)
    planned = plan(delivered_then)
    assert planned.nodes[0].reasons == ()
    for text in (planned.nodes[0].manifest.before, make_plan(_off(), POLICY, _by(delivered_then), OWNER)):
        given = text if isinstance(text, str) else text.nodes[0].manifest.desired if text else ""
        assert manifest.flag_value(manifest.arguments(given), ADMISSION_FLAG) == THEIRS
    assert planned.kubeadm_config.before is not None
    assert kubeadm_config.extra_args(planned.kubeadm_config.before)[ADMISSION_FLAG] == THEIRS


def _off() -> Settings:
    return wanted(AnnotationDelivery.OFF)


def _by(facts: Facts) -> dict[str, Facts]:
    return {"cp1": facts}


def test_a_preview_of_the_removal_shows_both_files() -> None:
    removed = plan_removal(dataclasses.replace(wanted(), enabled=False), {"cp1": delivered()}, OWNER)
    paths = [change.path for _, _, change in removed.changes]
    assert ADMISSION_PATH in paths
    assert "/etc/kubernetes/audit-annotations/audit-annotations.yaml" in paths
    assert removed.has_annotation_files


def test_a_machine_that_joins_gets_what_the_first_member_has() -> None:
    two = dataclasses.replace(settings("cp1", "cp2"), annotations=AnnotationSettings(AnnotationDelivery.FILES))
    joining = dataclasses.replace(two.nodes[1], joining=True)
    two = dataclasses.replace(two, nodes=(two.nodes[0], joining))
    new = dataclasses.replace(untouched(), manifest=None, kubeadm_config=None, processes=(), hostname="cp2")
    member = delivered(with_theirs(on(37, untouched())))
    (machine,) = make_plan(two, POLICY, {"cp1": member, "cp2": new}, OWNER, POLICIES).joining
    assert machine.annotations is not None
    assert machine.annotations.admission.desired == (member.admission.text if member.admission else "")
    assert f"to be prepared for kubeadm join: {ADMISSION_PATH} is not there or differs" in machine.reasons
