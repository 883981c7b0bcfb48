"""Reports on nodes in many states. A node as ``up`` leaves it is well; each test changes one thing about it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from auditlog.checks.finding import Finding
from auditlog.inspection.inspection import inspect_cluster, inspect_node
from auditlog.manifest import kubeadm_config, manifest
from auditlog.manifest.desired import Flag
from auditlog.nodes.fact_types import KubeadmConfig, Process, StrayManifest
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION
from tests.unit.plan.nodes import POLICY, applied, remote, untouched

POLICY_PATH = "/etc/kubernetes/audit-policy.yaml"
LOG = "/var/log/kubernetes/audit/audit.log"


def with_manifest(facts: Facts, old: str, new: str) -> Facts:
    """The node after a hand edit of its manifest that kubelet has taken: the process has the new arguments."""
    assert facts.manifest is not None
    assert old in facts.manifest.text
    text = facts.manifest.text.replace(old, new)
    running = dataclasses.replace(facts.processes[0], arguments=manifest.arguments(text))
    return dataclasses.replace(facts, manifest=remote(text, 2000), processes=(running,))


def with_kubeadm_config(facts: Facts, old: str, new: str) -> Facts:
    assert facts.kubeadm_config is not None
    assert old in facts.kubeadm_config.text
    return dataclasses.replace(facts, kubeadm_config=KubeadmConfig(facts.kubeadm_config.text.replace(old, new), "9"))


def found(facts: Facts) -> dict[str, Finding]:
    """What is found, by its id; each id at most once."""
    disagreements = inspect_node("cp1", facts).disagreements
    assert len({each.id for each in disagreements}) == len(disagreements)
    return {each.id: each for each in disagreements}


def test_a_node_as_up_leaves_it_is_well() -> None:
    report = inspect_node("cp1", applied())
    assert report.disagreements == ()
    assert report.is_well
    assert report.audit_is_on
    assert report.kubernetes == "1.36.3"
    assert report.owner == "kubernetes-audit/test"
    assert report.log is not None
    assert (report.log.path, report.log.unset) == (LOG, ())
    assert report.policy is not None
    assert (report.policy.preset, report.policy.path, report.policy.minor) == ("low-write", POLICY_PATH, 36)
    assert any("get, list, watch" in words for words in report.policy.not_recorded)
    assert report.disk is not None
    assert report.disk.worst_case == 1100 * 1024**2
    assert Flag("audit-log-maxage", "30") in report.flags


def test_a_node_as_kubeadm_leaves_it_has_audit_logging_off() -> None:
    report = inspect_node("cp1", untouched())
    assert [each.id for each in report.disagreements] == ["audit-off"]
    assert not report.audit_is_on
    assert (report.log, report.webhook, report.policy, report.disk, report.flags) == (None, None, None, None, ())


def test_a_node_without_a_manifest() -> None:
    report = inspect_node("worker", dataclasses.replace(untouched(), manifest=None, processes=()))
    assert [each.id for each in report.disagreements] == ["no-manifest"]
    assert not report.audit_is_on


def test_a_manifest_that_is_no_pod() -> None:
    broken = dataclasses.replace(applied(), manifest=remote("kind: List\n"))
    report = inspect_node("cp1", broken)
    assert [each.id for each in report.disagreements] == ["manifest-unreadable"]
    assert report.audit_is_on, "the process that runs still has its flags"


def test_a_backend_without_a_policy_records_nothing() -> None:
    facts = with_manifest(applied(), f"    - --audit-policy-file={POLICY_PATH}\n", "")
    assert found(facts)["no-policy"].consequence == "not a single event is written"
    assert not inspect_node("cp1", facts).audit_is_on


def test_a_policy_without_a_backend_records_nothing() -> None:
    facts = with_manifest(applied(), f"    - --audit-log-path={LOG}\n", "")
    assert "no-backend" in found(facts)
    assert not inspect_node("cp1", facts).audit_is_on


def test_a_webhook_alone_is_a_backend() -> None:
    hook = "    - --audit-webhook-config-file=/etc/kubernetes/pki/hook.yaml\n"
    facts = with_manifest(applied(), f"    - --audit-log-path={LOG}\n", hook)
    report = inspect_node("cp1", facts)
    assert report.audit_is_on
    assert report.webhook is not None
    assert report.webhook.config_file == "/etc/kubernetes/pki/hook.yaml"
    assert report.disk is None
    assert "no-backend" not in found(facts)


def test_flags_that_kubeadm_config_lacks_would_be_dropped() -> None:
    facts = dataclasses.replace(applied(), kubeadm_config=KubeadmConfig(CLUSTER_CONFIGURATION, "7"))
    only = found(facts)
    assert list(only) == ["kubeadm-config-would-drop"]
    assert f"--audit-policy-file={POLICY_PATH}" in only["kubeadm-config-would-drop"].what
    assert "the next kubeadm upgrade or join would drop them" in only["kubeadm-config-would-drop"].consequence


def test_other_peoples_flags_that_kubeadm_config_lacks_are_told_apart() -> None:
    facts = with_kubeadm_config(applied(), "  - name: oidc-client-id\n    value: kubernetes\n", "")
    only = found(facts)
    assert list(only) == ["kubeadm-config-would-drop-others"]
    assert only["kubeadm-config-would-drop-others"].what == "kubeadm-config lacks --oidc-client-id=kubernetes"


@pytest.mark.parametrize(
    ("flag", "dropped"),
    [("NodeRestriction", False), ("NodeRestriction,PodSecurity", True)],
)
def test_what_kubeadm_writes_by_itself_is_not_dropped(flag: str, dropped: bool) -> None:
    line = f"    - --enable-admission-plugins={flag}\n    - --secure-port=6443\n"
    facts = with_manifest(applied(), "    - --secure-port=6443\n", line)
    assert ("kubeadm-config-would-drop-others" in found(facts)) is dropped


def with_merged_argument(facts: Facts, name: str, value: str, method: str = "append") -> Facts:
    """kubeadm-config as kubeadm 1.37 reads it by way of experiment, with an argument that it is to merge."""
    entry = f"  - name: {name}\n    value: '{value}'\n    mergeMethod: {method}\n"
    with_v1 = with_kubeadm_config(facts, "kubeadm.k8s.io/v1beta4", "kubeadm.k8s.io/v1")
    return with_kubeadm_config(with_v1, "  extraArgs:\n", f"  extraArgs:\n{entry}")


@pytest.mark.parametrize(
    ("name", "value", "method", "manifest", "agrees"),
    [
        ("enable-admission-plugins", ",PodSecurity", "append", "NodeRestriction,PodSecurity", True),
        ("enable-admission-plugins", "PodSecurity,", "prepend", "PodSecurity,NodeRestriction", True),
        ("enable-admission-plugins", ",PodSecurity", "append", "NodeRestriction", False),
        ("tls-cert-file", ".new", "append", "/etc/kubernetes/pki/apiserver.crt.new", True),
        ("tls-cert-file", ".new", "append", "/etc/kubernetes/pki/apiserver.crt", False),
    ],
)
def test_a_merged_argument_is_compared_as_kubeadm_writes_it(
    name: str, value: str, method: str, manifest: str, agrees: bool
) -> None:
    facts = with_manifest(
        applied(), "    - --secure-port=6443\n", f"    - --{name}={manifest}\n    - --secure-port=6443\n"
    )
    only = found(with_merged_argument(facts, name, value, method))
    assert list(only) == ([] if agrees else ["kubeadm-config-would-drop-others"])


def test_an_argument_that_kubeadm_has_nothing_to_merge_into_is_ignored() -> None:
    only = found(with_merged_argument(applied(), "audit-log-compress", "true"))
    assert list(only) == ["kubeadm-config-ignored"]
    assert only["kubeadm-config-ignored"].what == "kubeadm-config has audit-log-compress with mergeMethod append"


@pytest.mark.parametrize(
    ("kubernetes", "is_found"), [("v1.30.1", False), ("v1.35.4", False), ("v1.36.3", True), ("v1.37.0", True)]
)
def test_a_v1beta3_text_stops_the_upgrade_to_1_37(kubernetes: str, is_found: bool) -> None:
    facts = with_kubeadm_config(applied(), "kubeadm.k8s.io/v1beta4", "kubeadm.k8s.io/v1beta3")
    only = found(with_kubeadm_config(facts, "kubernetesVersion: v1.36.3", f"kubernetesVersion: {kubernetes}"))
    assert list(only) == (["kubeadm-config-too-old"] if is_found else [])


def test_another_value_in_kubeadm_config_would_be_written() -> None:
    facts = with_manifest(applied(), "--audit-log-maxage=30", "--audit-log-maxage=7")
    only = found(facts)
    assert list(only) == ["kubeadm-config-would-write"]
    assert only["kubeadm-config-would-write"].what == (
        "kubeadm-config has --audit-log-maxage=30, where the manifest has '7'"
    )


def test_a_flag_that_only_kubeadm_config_has_would_be_added() -> None:
    facts = with_kubeadm_config(
        applied(), "  extraArgs:\n", "  extraArgs:\n  - name: audit-log-compress\n    value: x\n"
    )
    only = found(facts)
    assert list(only) == ["kubeadm-config-would-add"]
    assert "--audit-log-compress=x" in only["kubeadm-config-would-add"].what


def test_a_volume_that_kubeadm_config_lacks_would_keep_the_api_server_from_starting() -> None:
    config = applied().kubeadm_config
    assert config is not None
    start = config.text.index("  extraVolumes:")
    end = config.text.index("apiVersion:")
    facts = dataclasses.replace(applied(), kubeadm_config=KubeadmConfig(config.text[:start] + config.text[end:], "9"))
    disagreements = inspect_node("cp1", facts).disagreements
    assert {each.id for each in disagreements} == {"kubeadm-config-lacks-volume"}
    assert ["would not start" in each.consequence for each in disagreements] == [True, False]


REFUSED = "The connection to the server 10.0.0.11:6443 was refused - did you specify the right host or port?"


def silent(error: str = REFUSED, **more: Any) -> Facts:
    """A node whose API server runs and does not answer."""
    return dataclasses.replace(applied(), kubeadm_config=None, kubeadm_config_error=error, **more)


@pytest.mark.parametrize(
    "error",
    [
        REFUSED,
        "Unable to connect to the server: dial tcp 10.0.0.11:6443: i/o timeout",
        "Unable to connect to the server: net/http: TLS handshake timeout",
        "Unable to connect to the server: EOF",
        "Error from server (ServiceUnavailable): apiserver not ready",
    ],
)
def test_an_api_server_that_does_not_answer_is_told_first_and_without_kubectls_words(error: str) -> None:
    report = inspect_node("cp1", silent(error))
    assert [each.id for each in report.disagreements] == ["api-server-silent", "kubeadm-config-unread"]
    assert report.trouble is report.disagreements[0]
    assert report.trouble.what == (
        "the API server does not answer, though its process has run since 1970-01-01 00:33:30 UTC"
    )
    assert error not in "".join(map(str, report.disagreements))


def test_a_change_that_is_under_way_is_told_with_the_silence() -> None:
    change = "; a change of this node by pulumi is under way, or was cut off"
    for facts in (
        silent(unfinished_change=True),
        dataclasses.replace(
            silent(unfinished_change=True), kubeadm_config=KubeadmConfig(CLUSTER_CONFIGURATION, "7", stale=True)
        ),
    ):
        assert found(facts)["api-server-silent"].what.endswith(change)


def test_a_node_without_a_process_is_told_so_before_what_follows_from_it() -> None:
    report = inspect_node("cp1", silent(processes=()))
    assert [each.id for each in report.disagreements] == ["no-process", "kubeadm-config-unread"]


def test_kubeadm_config_that_cannot_be_read() -> None:
    expired = "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired"
    only = found(silent(expired))
    assert list(only) == ["kubeadm-config-unread"]
    assert expired in only["kubeadm-config-unread"].what
    other = dataclasses.replace(applied(), kubeadm_config=KubeadmConfig("kind: Other\n", "1"))
    assert "is not a ClusterConfiguration" in found(other)["kubeadm-config-unread"].what


def test_a_process_with_other_arguments() -> None:
    facts = applied()
    old = tuple(argument.replace("maxage=30", "maxage=7") for argument in facts.processes[0].arguments)
    facts = dataclasses.replace(facts, processes=(Process(2, 2010, old),))
    only = found(facts)
    assert list(only) == ["process-differs"]
    assert only["process-differs"].consequence.endswith("next restart: --audit-log-maxage=30")


def test_audit_is_off_while_the_process_has_no_policy_whatever_the_manifest_says() -> None:
    facts = dataclasses.replace(applied(), processes=untouched().processes)
    assert not inspect_node("cp1", facts).audit_is_on


def test_no_process() -> None:
    assert list(found(dataclasses.replace(applied(), processes=()))) == ["no-process"]


def test_a_policy_that_is_newer_than_the_process() -> None:
    other = preset_text("minimal")
    facts = dataclasses.replace(applied(), policy=remote(other, modified=3000))
    assert list(found(facts)) == ["process-older-than-policy"]
    restarted = dataclasses.replace(facts, processes=(dataclasses.replace(facts.processes[0], started=3001),))
    assert found(restarted) == {}


def test_a_policy_file_that_is_gone() -> None:
    facts = dataclasses.replace(applied(), policy=None)
    assert list(found(facts)) == ["policy-file-missing"]
    assert POLICY_PATH in found(facts)["policy-file-missing"].what


def test_a_policy_that_the_api_server_refuses() -> None:
    facts = dataclasses.replace(
        applied(), policy=remote("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n", 2000)
    )
    report = inspect_node("cp1", facts)
    assert [each.id for each in report.disagreements] == ["policy-refused"]
    assert "1.36 does not start" in report.disagreements[0].consequence
    assert report.policy is not None
    assert report.policy.lint == ()


def test_a_policy_is_checked_for_the_version_that_runs() -> None:
    rules = '- level: Metadata\n  resources:\n  - group: "*"\n- level: Metadata\n'
    policy = f"apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n{rules}"
    facts = dataclasses.replace(applied(), policy=remote(policy, 2000))
    assert "policy-refused" not in found(facts)
    assert "policy-refused" in found(with_manifest(facts, "v1.36.3", "v1.35.4"))


def test_the_version_comes_from_kubeadm_config_where_the_image_has_no_tag() -> None:
    facts = with_manifest(applied(), "kube-apiserver:v1.36.3", "kube-apiserver@sha256:abc")
    assert inspect_node("cp1", facts).kubernetes == "1.36.3"
    unknown = dataclasses.replace(facts, kubeadm_config=None)
    assert inspect_node("cp1", unknown).kubernetes is None


def test_lint_findings_of_the_live_policy() -> None:
    policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  omitStages: [ResponseComplete]\n"
    report = inspect_node("cp1", dataclasses.replace(applied(), policy=remote(policy, 2000)))
    assert report.policy is not None
    assert "outcome-omitted" in {finding.id for finding in report.policy.lint}
    assert report.disagreements == ()
    assert not report.is_well


def test_the_rules_of_a_preset_in_another_text() -> None:
    facts = dataclasses.replace(applied(), policy=remote(f"# ours\n{POLICY}", 2000))
    report = inspect_node("cp1", facts)
    assert report.policy is not None
    assert (report.policy.preset, report.policy.same_rules_as) == (None, "low-write")


def test_a_stray_manifest_and_a_change_that_was_cut_off() -> None:
    facts = dataclasses.replace(
        applied(), stray_manifests=(StrayManifest("kube-apiserver.yaml.bak", 4000),), unfinished_change=True
    )
    assert list(found(facts)) == ["stray-manifest", "unfinished-change"]


def test_a_flag_that_stands_twice() -> None:
    facts = with_manifest(
        applied(), "    - --audit-log-maxage=30\n", "    - --audit-log-maxage=7\n    - --audit-log-maxage=30\n"
    )
    only = found(facts)
    assert list(only) == ["flag-twice"]
    assert "takes the last one, '30'" in only["flag-twice"].consequence


def test_paths_that_no_mount_covers_or_a_read_only_one() -> None:
    log_mount = "    - mountPath: /var/log/kubernetes/audit\n      name: audit-logs\n"
    assert found(with_manifest(applied(), log_mount, ""))["not-mounted"].what.startswith("--audit-log-path:")
    assert "log-read-only" in found(with_manifest(applied(), log_mount, log_mount + "      readOnly: true\n"))
    policy_mount = f"    - mountPath: {POLICY_PATH}\n      name: audit-policy\n      readOnly: true\n"
    assert "does not start" in found(with_manifest(applied(), policy_mount, ""))["not-mounted"].consequence


def test_a_disk_that_is_too_small_for_what_rotation_keeps() -> None:
    worst = 1100 * 1024**2
    small = dataclasses.replace(applied(), log_free_bytes=worst - 1000)
    assert list(found(small)) == ["disk-too-small"]
    assert found(dataclasses.replace(small, log_used_bytes=1000)) == {}, (
        "what the log takes already is not needed again"
    )


def test_rotation_that_keeps_every_file() -> None:
    line = "    - --audit-log-maxbackup=10\n"
    assert "disk-unbounded" not in found(with_manifest(applied(), line, "")), "1.36 keeps 100 files"
    older = with_manifest(with_manifest(applied(), line, ""), "v1.36.3", "v1.35.4")
    assert "not set" in found(older)["disk-unbounded"].what
    zero = with_manifest(applied(), "maxbackup=10", "maxbackup=0")
    assert found(zero)["disk-unbounded"].what == "--audit-log-maxbackup=0 keeps every file"
    never = with_manifest(applied(), "maxsize=100", "maxsize=0")
    assert found(never)["disk-unbounded"].what == "--audit-log-maxsize=0 turns rotation off"


def test_nodes_that_agree() -> None:
    report = inspect_cluster({"cp1": applied(), "cp2": applied()})
    assert [node.name for node in report.nodes] == ["cp1", "cp2"]
    assert report.disagreements == ()
    assert report.is_well


def test_nodes_that_disagree() -> None:
    other = with_manifest(applied(), "v1.36.3", "v1.36.2")
    other = with_manifest(other, "--audit-log-maxage=30", "--audit-log-maxage=7")
    other = dataclasses.replace(other, policy=remote(preset_text("minimal"), 2000))
    report = inspect_cluster({"cp1": applied(), "cp2": other})
    assert [each.id for each in report.disagreements] == [
        "nodes-differ-kubernetes",
        "nodes-differ-policy",
        "nodes-differ-flags",
    ]
    assert "cp1: 30, cp2: 7" in report.disagreements[2].what
    assert not report.is_well


def test_a_node_without_audit_logging_beside_one_with_it() -> None:
    report = inspect_cluster({"cp1": applied(), "cp2": untouched()})
    assert "cp2: none" in next(each.what for each in report.disagreements if each.id == "nodes-differ-policy")
    assert "cp2: unset" in next(each.what for each in report.disagreements if each.id == "nodes-differ-flags")


def test_kubeadm_config_sees_the_folders_that_kubeadm_mounts_itself() -> None:
    assert kubeadm_config.sees(CLUSTER_CONFIGURATION, "/etc/kubernetes/pki/hook.yaml")
    assert not kubeadm_config.sees(CLUSTER_CONFIGURATION, "/etc/kubernetes/hook.yaml")
