"""From settings and facts to what changes, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import yaml

from auditlog.manifest import manifest
from auditlog.manifest.desired import POLICY_ANNOTATION, sha256
from auditlog.nodes.fact_types import KubeadmConfig, Process, StrayManifest
from auditlog.nodes.facts import Facts
from auditlog.plan.file_change import FileChange
from auditlog.plan.marker import transaction_marker
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.policy.validate import load_policy
from auditlog.settings import LogSettings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings, untouched


def plan(facts: Facts, policy: str = POLICY) -> Plan:
    return make_plan(settings(), policy, {"cp1": facts}, OWNER)


def changed(facts: Facts, **fields: object) -> Facts:
    return dataclasses.replace(facts, **fields)  # type: ignore[arg-type]


def live(facts: Facts) -> str:
    assert facts.manifest is not None
    return facts.manifest.text


def test_an_untouched_node_gets_everything_and_removal_gives_back_what_is_there_now() -> None:
    planned = plan(untouched())
    (node,) = planned.nodes
    assert not node.in_sync
    assert node.reasons[:2] == (
        "the policy file /etc/kubernetes/audit-policy.yaml is not there",
        "the manifest lacks --audit-policy-file",
    )
    assert node.manifest.before == MANIFEST
    assert node.policy.before is None
    assert manifest.policy_annotation(node.manifest.desired) == sha256(POLICY)
    assert planned.kubeadm_config.before == CLUSTER_CONFIGURATION
    assert planned.kubeadm_config_reasons[0].endswith("the next kubeadm upgrade or join would drop it")
    assert node.arguments_live_sha256 == node.arguments_before_sha256 != node.arguments_sha256


def test_after_up_nothing_is_to_be_done_and_removal_still_gives_back_the_first_manifest() -> None:
    planned = plan(applied())
    (node,) = planned.nodes
    assert node.in_sync
    assert node.manifest.in_sync
    assert node.policy.in_sync
    assert planned.kubeadm_config.in_sync
    assert planned.kubeadm_config_reasons == ()
    assert node.manifest.before == MANIFEST
    assert planned.kubeadm_config.before == CLUSTER_CONFIGURATION
    assert planned.keeps_scripts(node, "a newer version of the node side")


def test_scripts_that_were_lost_again_are_not_taken_for_those_of_the_first_time() -> None:
    first = plan(changed(untouched(), scripts_folder_changed=100)).nodes[0].scripts_token
    lost = plan(changed(applied(), scripts_sha256=None, scripts_folder_changed=200)).nodes[0].scripts_token
    assert first != lost


def test_a_node_that_lost_the_record_of_its_stack_is_recorded_anew_without_a_restart() -> None:
    (node,) = plan(changed(applied(), owner=None, before_manifest=None, before_kubeadm_config=None)).nodes
    assert node.manifest.in_sync
    assert [reason.partition(";")[0] for reason in node.reasons] == ["the stack's record on the node is gone"]
    assert not node.needs_restart
    assert [finding.id for finding in node.warnings] == ["forgotten"]


def test_a_node_in_sync_is_told_nothing_of_a_restart_and_removal_has_its_canary_all_the_same() -> None:
    (node,) = plan(applied()).nodes
    assert node.transaction == ()
    assert dict(node.removal)["canary_sha256"]
    (changed_node,) = plan(untouched()).nodes
    assert dict(changed_node.transaction)["canary_sha256"]


def test_scripts_are_renewed_where_something_is_to_be_done() -> None:
    planned = plan(changed(applied(), policy=None))
    assert not planned.keeps_scripts(planned.nodes[0], "a newer version of the node side")
    lost = plan(changed(applied(), scripts_sha256=None))
    assert not lost.keeps_scripts(lost.nodes[0], "a newer version of the node side")


def test_a_manifest_that_kubeadm_wrote_anew_is_in_sync_when_its_process_read_the_policy() -> None:
    facts = applied()
    regenerated = "".join(line for line in live(facts).splitlines(keepends=True) if POLICY_ANNOTATION not in line)
    process = Process(3, 3000, manifest.arguments(regenerated))
    node = plan(changed(facts, manifest=remote(regenerated, 2990), processes=(process,))).nodes[0]
    assert node.in_sync
    assert node.manifest.desired == regenerated


def test_removal_after_a_first_change_that_was_cut_off_gives_back_what_was_before_it() -> None:
    node = plan(changed(applied(), owner=None, unfinished_change=True)).nodes[0]
    assert not node.in_sync
    assert node.manifest.before == MANIFEST
    assert node.policy.before is None


def test_removal_from_a_node_that_joined_with_audit_logging_takes_it_out() -> None:
    joined = dataclasses.replace(applied(), before_manifest=None, before_policy=None)
    change = make_plan(settings(), POLICY, {"cp1": joined}, OWNER).nodes[0].manifest
    assert change.in_sync
    assert change.before is not None
    assert yaml.safe_load(change.before) == yaml.safe_load(MANIFEST)


def test_removal_after_an_upgrade_keeps_the_new_image() -> None:
    facts = applied()
    upgraded = live(facts).replace("v1.36.3", "v1.37.1")
    node = plan(changed(facts, manifest=remote(upgraded, 2990))).nodes[0]
    assert node.manifest.before == MANIFEST.replace("v1.36.3", "v1.37.1")


@pytest.mark.parametrize(
    ("drift", "reason"),
    [
        (lambda facts: changed(facts, policy=None), "the policy file /etc/kubernetes/audit-policy.yaml is not there"),
        (
            lambda facts: changed(facts, policy=remote("rules: []", 3000)),
            "the policy file /etc/kubernetes/audit-policy.yaml differs",
        ),
        (
            lambda facts: changed(
                facts, manifest=remote(live(facts).replace("    - --audit-log-maxage=30\n", ""), 3000)
            ),
            "the manifest lacks --audit-log-maxage",
        ),
        (
            lambda facts: changed(facts, manifest=remote(live(facts).replace("maxage=30", "maxage=3"), 3000)),
            "the manifest has --audit-log-maxage=3, not 30",
        ),
        (
            lambda facts: changed(facts, processes=(Process(2, 2010, ("kube-apiserver",)),)),
            "the running API server has other arguments than the manifest",
        ),
        (lambda facts: changed(facts, processes=(), policy=None), "no API server runs"),
        (
            lambda facts: changed(facts, unfinished_change=True),
            "an earlier change of the node was cut off and is to be finished",
        ),
    ],
)
def test_drift_is_named(drift: Callable[[Facts], Facts], reason: str) -> None:
    node = plan(drift(applied())).nodes[0]
    assert reason in node.reasons


def test_a_process_older_than_its_policy_is_restarted_by_the_annotation() -> None:
    facts = applied()
    regenerated = "".join(line for line in live(facts).splitlines(keepends=True) if POLICY_ANNOTATION not in line)
    node = plan(changed(facts, manifest=remote(regenerated), policy=remote(POLICY, 9000))).nodes[0]
    assert node.reasons == ("the running API server is older than its policy file",)
    assert manifest.policy_annotation(node.manifest.desired) == sha256(POLICY)
    assert not node.processes_to_end


def test_a_process_with_other_arguments_is_ended_although_both_files_are_right() -> None:
    node = plan(changed(applied(), processes=(Process(2, 2010, ("kube-apiserver",)),))).nodes[0]
    assert node.manifest.in_sync
    assert node.processes_to_end


def test_a_changed_policy_changes_the_manifest_so_that_kubelet_restarts_the_api_server() -> None:
    policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
    node = plan(applied(), policy).nodes[0]
    assert [line for line in node.manifest.diff().splitlines() if line[:1] == "+" and line[:3] != "+++"] == [
        f"+    {POLICY_ANNOTATION}: {sha256(policy)}"
    ]


EARLIER = POLICY.replace("# From ", "# From      an earlier name of\n#          ")
assert EARLIER != POLICY


def test_a_preset_with_an_earlier_header_is_not_written_again() -> None:
    node = plan(applied(EARLIER)).nodes[0]
    assert node.in_sync
    assert node.reasons == ()
    assert node.policy.desired == EARLIER


def test_any_other_comment_is_written() -> None:
    node = plan(applied(POLICY.replace("  # Reads, of", "  # All reads of"))).nodes[0]
    assert not node.in_sync
    assert node.policy.desired == POLICY


def test_nodes_with_the_headers_of_two_versions_have_the_same_policy() -> None:
    facts = {"cp1": applied(), "cp2": changed(applied(EARLIER), hostname="cp2")}
    nodes = make_plan(settings("cp1", "cp2"), POLICY, facts, OWNER).nodes
    assert [warning for node in nodes for warning in node.warnings if warning.id == "nodes-differ-policy"] == []


def test_audit_logging_that_somebody_made_by_hand_is_taken_over_without_a_restart() -> None:
    facts = applied()
    by_hand = "".join(line for line in live(facts).splitlines(keepends=True) if POLICY_ANNOTATION not in line)
    adopted = changed(
        facts,
        manifest=remote(by_hand),
        owner=None,
        before_manifest=None,
        before_kubeadm_config=None,
        scripts_sha256=None,
    )
    node = plan(adopted).nodes[0]
    assert node.in_sync
    assert node.manifest.before == by_hand
    assert node.policy.before == POLICY


@pytest.mark.parametrize(
    ("obstacle", "problem"),
    [
        ({"manifest": None}, "kube-apiserver.yaml is not there: this is not a control-plane node of a kubeadm cluster"),
        ({"manifest": remote("kind: Pod\n")}, "kube-apiserver.yaml has no container named kube-apiserver"),
        ({"manifest": remote(MANIFEST.replace("--secure-port=6443", "--v=$(V)"))}, "uses '--v=$(V)'"),
        ({"owner": "other/prod"}, "its audit logging belongs to the stack 'other/prod', and this is"),
        (
            {"missing_tools": ("kubectl",)},
            "the node lacks kubectl: it cannot be changed without",
        ),
        (
            {"stray_manifests": (StrayManifest("kube-apiserver.yaml.bak.1", 4000),)},
            "kube-apiserver.yaml.bak.1 in /etc/kubernetes/manifests",
        ),
    ],
)
def test_a_node_that_cannot_be_changed_safely_is_refused(obstacle: dict[str, object], problem: str) -> None:
    with pytest.raises(PlanError) as raised:
        plan(changed(untouched(), **obstacle))
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith("cp1: ")
    assert problem in raised.value.problems[0]


def test_kubeadm_config_is_taken_from_whichever_node_could_read_it() -> None:
    away = changed(untouched(), kubeadm_config=None, kubeadm_config_error="refused")
    planned = make_plan(settings("cp1", "cp2"), POLICY, {"cp1": away, "cp2": untouched()}, OWNER)
    assert planned.kubeadm_config.live == CLUSTER_CONFIGURATION
    with pytest.raises(PlanError) as raised:
        make_plan(settings("cp1", "cp2"), POLICY, {"cp1": away, "cp2": away}, OWNER)
    assert raised.value.problems == [
        "the ConfigMap kube-system/kubeadm-config cannot be read; cp1: refused; cp2: refused"
    ]


def test_what_a_node_kept_of_kubeadm_config_counts_only_where_no_api_server_answers() -> None:
    kept = changed(untouched(), kubeadm_config=KubeadmConfig(CLUSTER_CONFIGURATION + "# old\n", "5", stale=True))
    alone = make_plan(settings("cp1", "cp2"), POLICY, {"cp1": kept, "cp2": kept}, OWNER)
    assert alone.kubeadm_config.live == CLUSTER_CONFIGURATION + "# old\n"
    planned = make_plan(settings("cp1", "cp2"), POLICY, {"cp1": kept, "cp2": untouched()}, OWNER)
    assert planned.kubeadm_config.live == CLUSTER_CONFIGURATION


def test_a_kubeadm_config_of_another_kind_is_refused() -> None:
    with pytest.raises(PlanError, match="is not a ClusterConfiguration"):
        plan(changed(untouched(), kubeadm_config=KubeadmConfig("kind: Other\n", "1")))


def test_all_nodes_are_reported_together() -> None:
    broken = changed(untouched(), manifest=None)
    with pytest.raises(PlanError) as raised:
        make_plan(settings("cp1", "cp2"), POLICY, {"cp1": broken, "cp2": broken}, OWNER)
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["cp1", "cp2"]


def test_a_policy_that_this_nodes_version_refuses_is_refused_with_the_version() -> None:
    policy = (
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
        "  resources: [{group: '*', resources: [pods]}]\n"
    )
    older = changed(untouched(), manifest=remote(MANIFEST.replace("v1.36.3", "v1.35.4")))
    with pytest.raises(PlanError, match=r"not valid on Kubernetes 1\.35"):
        plan(older, policy)
    assert plan(untouched(), policy).nodes[0].policy.desired == policy


@pytest.mark.parametrize(
    ("image", "minor"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.3", 36),
        ("mirror.example.com:5000/k8s/kube-apiserver-amd64:v1.30.0", 30),
        ("registry.k8s.io/kube-apiserver:v1.28.15", 30),
        ("registry.k8s.io/kube-apiserver:v1.41.0", 37),
        ("registry.k8s.io/kube-apiserver@sha256:abc", 36),
    ],
)
def test_the_version_comes_from_the_image_and_is_the_nearest_known_one(image: str, minor: int) -> None:
    text = MANIFEST.replace("registry.k8s.io/kube-apiserver:v1.36.3", image)
    assert plan(changed(untouched(), manifest=remote(text))).nodes[0].kubernetes_minor == minor


def test_where_neither_image_nor_kubeadm_config_tells_it_is_the_newest_known_one() -> None:
    text = MANIFEST.replace("kube-apiserver:v1.36.3", "kube-apiserver@sha256:abc")
    untold = KubeadmConfig(
        CLUSTER_CONFIGURATION.replace("kubernetesVersion: v1.36.3", "kubernetesVersion: stable"), "7"
    )
    assert untold.text != CLUSTER_CONFIGURATION
    assert plan(changed(untouched(), manifest=remote(text), kubeadm_config=untold)).nodes[0].kubernetes_minor == 37


@pytest.mark.parametrize(
    ("arguments", "endpoint"),
    [
        ("--secure-port=6443", "https://127.0.0.1:6443"),
        ("--secure-port=8443", "https://127.0.0.1:8443"),
        ("--bind-address=10.0.0.1", "https://10.0.0.1:6443"),
        ("--bind-address=::", "https://127.0.0.1:6443"),
        ("--bind-address=fd00::1", "https://[fd00::1]:6443"),
    ],
)
def test_the_nodes_own_endpoint(arguments: str, endpoint: str) -> None:
    text = MANIFEST.replace("--secure-port=6443", arguments)
    assert plan(changed(untouched(), manifest=remote(text))).nodes[0].endpoint == endpoint


@pytest.mark.parametrize(
    ("rules", "recorded"),
    [
        ("- level: Metadata", True),
        ("- level: None", False),
        ("- level: None\n  users: [kubernetes-admin]\n- level: Metadata", False),
        ("- level: Metadata\n  omitStages: [ResponseComplete]", False),
    ],
)
def test_the_marker_is_looked_for_only_where_the_policy_records_it(rules: str, recorded: bool) -> None:
    policy = load_policy(f"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n{rules}\n", "test", 36)
    assert (transaction_marker(policy) is not None) is recorded


def test_a_password_in_a_proxy_setting_is_masked_in_the_diff() -> None:
    change = FileChange("/a", "x: http://me:secret@proxy:3128\n", "x: http://me:secret@proxy:3129\n", None, "t")
    assert change.carries_credentials
    assert "secret" not in change.masked_diff()
    assert "http://me:…@proxy:3129" in change.masked_diff()
    assert not FileChange("/a", "https://10.0.0.1:6443", "time: 10:00 a@b", None, "t").carries_credentials


def test_another_log_path_moves_flag_and_mount() -> None:
    wanted = dataclasses.replace(settings(), log=LogSettings(path="/var/log/kube-audit/audit.log"))
    node = make_plan(wanted, POLICY, {"cp1": untouched()}, OWNER).nodes[0]
    assert "+    - mountPath: /var/log/kube-audit\n" in node.manifest.diff()
    assert "+    - --audit-log-path=/var/log/kube-audit/audit.log\n" in node.manifest.diff()
