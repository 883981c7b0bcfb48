"""What stops a plan and what a preview warns of, all nodes together."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.manifest import manifest
from auditlog.nodes.fact_types import KubeadmConfig, Process, Role
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import Plan, make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.settings import LogSettings
from auditlog.settings.shipping import LokiSettings
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings, untouched

MB = 1024**2


def changed(facts: Facts, **fields: object) -> Facts:
    return dataclasses.replace(facts, **fields)  # type: ignore[arg-type]


def with_flag(facts: Facts, flag: str) -> Facts:
    """The node after somebody wrote this flag into its manifest, and kubelet took it."""
    assert facts.manifest is not None
    text = facts.manifest.text.replace("    image:", f"    - {flag}\n    image:")
    running = dataclasses.replace(facts.processes[0], arguments=manifest.arguments(text))
    return changed(facts, manifest=remote(text, 2000), processes=(running,))


def plan(**facts: Facts) -> Plan:
    return make_plan(settings(*facts), POLICY, facts, OWNER)


def problems(**facts: Facts) -> list[str]:
    with pytest.raises(PlanError) as raised:
        plan(**facts)
    return raised.value.problems


def test_every_node_and_every_problem_of_it_is_reported_in_one_run() -> None:
    found = problems(
        cp1=changed(applied(), kubelet_runs=False, role=Role.CONTROL_PLANE),
        cp2=changed(applied(), manifest=None, role=Role.WORKER, kubeadm_config=None),
        cp3=with_flag(changed(applied(), log_free_bytes=100 * MB), "--audit-dynamic-configuration=true"),
    )
    assert [problem.split(":")[0] for problem in found] == ["cp1", "cp2", "cp3", "cp3"]
    assert "kubelet does not run" in found[0]
    assert "this is a worker and not a control-plane node" in found[1]
    assert "Kubernetes 1.36 has no flag --audit-dynamic-configuration" in found[2]
    assert "its file system has room for 100 MB" in found[3]
    assert all("\n" not in problem for problem in found)


def test_no_api_server_although_both_files_are_right() -> None:
    (problem,) = problems(cp1=changed(applied(), processes=()))
    assert problem.startswith("cp1: no API server runs on this node: ")
    assert "journalctl -u kubelet" in problem


def test_no_api_server_is_the_reason_why_kubeadm_config_cannot_be_read() -> None:
    down = changed(untouched(), processes=(), kubeadm_config=None, kubeadm_config_error="connection refused")
    (problem,) = problems(cp1=down)
    assert problem.startswith("cp1: no API server runs on this node: ")
    assert [each[:24] for each in problems(cp1=down, cp2=down)] == [
        "cp1: no API server runs ",
        "cp2: no API server runs ",
    ]


REFUSED = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"


def silent(facts: Facts) -> Facts:
    """The node while its API server restarts: the process is there and does not answer."""
    return changed(facts, kubeadm_config=None, kubeadm_config_error=REFUSED)


def test_an_api_server_that_does_not_answer_is_named_and_its_edits_are_known_all_the_same() -> None:
    with pytest.raises(PlanError) as raised:
        plan(cp1=silent(untouched()), cp2=silent(applied()))
    one, two = raised.value.problems
    assert one.startswith(
        "cp1: the API server does not answer, though its process has run since 1970-01-01 00:18:20 UTC"
    )
    assert one.endswith("What up would do to kubeadm-config is unknown until then")
    assert two.startswith("cp2: the API server does not answer")
    assert "did you specify" not in str(raised.value)
    manifest_edit, policy_edit = raised.value.edits
    assert (manifest_edit.where, policy_edit.where) == ("cp1", "cp1")
    assert "+    - --audit-policy-file=/etc/kubernetes/audit-policy.yaml" in manifest_edit.change.diff()
    assert policy_edit.change.live is None
    assert any("the manifest lacks --audit-policy-file" in reason for reason in manifest_edit.reasons)


def test_kubeadm_config_from_another_node_is_enough_and_the_silence_is_a_warning() -> None:
    planned = plan(cp1=silent(applied()), cp2=applied())
    assert [finding.id for finding in planned.nodes[0].warnings] == ["api-server-silent"]
    assert planned.nodes[1].warnings == ()


def test_what_kubectl_says_of_itself_is_told_in_its_words() -> None:
    (problem,) = problems(cp1=changed(untouched(), kubeadm_config=None, kubeadm_config_error="x509: expired"))
    assert problem == "the ConfigMap kube-system/kubeadm-config cannot be read; cp1: x509: expired"


def test_a_change_that_is_under_way_without_a_process_is_said() -> None:
    down = changed(silent(untouched()), processes=(), unfinished_change=True)
    (problem,) = problems(cp1=down)
    assert problem.startswith("cp1: no API server runs on this node; a change of this node by pulumi is under way, or ")


def test_a_cut_off_change_is_finished_though_no_api_server_runs() -> None:
    node = plan(cp1=changed(applied(), processes=(), unfinished_change=True)).nodes[0]
    assert "no API server runs" in node.reasons


def test_one_node_without_an_api_server_is_repaired_when_its_files_are_wrong() -> None:
    planned = plan(cp1=applied(), cp2=changed(applied(), processes=(), policy=None, kubeadm_config=None))
    assert planned.nodes[1].reasons[-1] == "no API server runs"


def test_a_flag_that_kubeadm_config_lacks_is_a_warning_on_the_node() -> None:
    config = applied().kubeadm_config
    assert config is not None
    text = config.text.replace("  - name: oidc-client-id\n    value: kubernetes\n", "")
    node = plan(cp1=changed(applied(), kubeadm_config=KubeadmConfig(text, "9"))).nodes[0]
    assert node.in_sync
    assert [str(warning) for warning in node.warnings] == [
        "kubeadm-config lacks --oidc-client-id=kubernetes: the next kubeadm upgrade or join would drop it, unless its "
        "--patches bring them; kubectl -n kube-system edit configmap kubeadm-config"
    ]


def test_the_stacks_own_flags_are_no_warning_on_a_first_up() -> None:
    assert plan(cp1=untouched()).nodes[0].warnings == ()


def test_a_log_that_will_not_fit_stops_and_one_that_is_tight_warns() -> None:
    wanted = dataclasses.replace(settings(), log=LogSettings(max_backup=1000))
    with pytest.raises(PlanError, match=r"100 MB x \(1000 \+ 1\) files"):
        make_plan(wanted, POLICY, {"cp1": untouched()}, OWNER)
    tight = plan(cp1=changed(untouched(), log_free_bytes=2000 * MB, log_size_bytes=10_000 * MB)).nodes[0]
    assert [warning.id for warning in tight.warnings] == ["disk-tight"]
    assert "disk-tight" not in repr(tight), "free space changes from minute to minute, and the plan's digest must not"


def test_events_with_bodies_may_be_longer_than_the_lines_that_the_stacks_loki_takes() -> None:
    policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Request\n"
    with_loki = dataclasses.replace(settings(), loki=LokiSettings("https://loki.example.com"))
    (warning,) = make_plan(with_loki, policy, {"cp1": untouched()}, OWNER).nodes[0].warnings
    assert warning.id == "event-unlimited"
    assert "Loki takes lines of 262144 bytes" in warning.what
    assert make_plan(settings(), policy, {"cp1": untouched()}, OWNER).nodes[0].warnings == ()


def test_the_node_that_differs_from_the_others_is_named() -> None:
    other = changed(applied(), policy=remote("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n", 2000))
    differing = with_flag(other, "--audit-log-compress=true")
    (policy, flag) = plan(cp1=applied(), cp2=differing, cp3=applied()).warnings
    assert policy.what.endswith("; cp2 differs from the rest")
    assert policy.what.startswith("the nodes have different policies: cp1: sha256 ")
    assert flag.what == (
        "the nodes have different values of --audit-log-compress: cp1: unset, cp2: true, cp3: unset; "
        "cp2 differs from the rest"
    )


def test_a_node_that_has_no_audit_logging_yet_is_no_disagreement() -> None:
    assert plan(cp1=applied(), cp2=untouched()).warnings == ()


def test_versions_that_differ() -> None:
    live = untouched().manifest
    assert live is not None
    text = live.text.replace("v1.36.3", "v1.35.4")
    older = changed(untouched(), manifest=remote(text), processes=(Process(1, 1100, manifest.arguments(text)),))
    (warning,) = plan(cp1=untouched(), cp2=older).warnings
    assert warning.id == "nodes-differ-kubernetes"
