"""One stack from nothing to destroyed on a real control plane. The tests are its steps, in this order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import yaml

from auditlog.manifest import kubeadm_config, manifest
from auditlog.manifest.desired import sha256
from auditlog.policy.presets import preset_text
from lab.api import Lab, Node
from lab.stack import PulumiStack

Value = TypeVar("Value")

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
POLICY = "/etc/kubernetes/audit-policy.yaml"
LOG = "/var/log/kubernetes/audit/audit.log"
ARCHIVE = "/etc/kubernetes/apiserver-manifest-archive"
FLAGS = {
    "audit-policy-file": POLICY,
    "audit-log-path": LOG,
    "audit-log-maxage": "30",
    "audit-log-maxbackup": "10",
    "audit-log-maxsize": "100",
}
OIDC_FLAGS = ("oidc-issuer-url", "oidc-client-id", "oidc-username-claim", "oidc-groups-claim")


_CONFIG = (
    "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system get configmap kubeadm-config "
    "-o 'jsonpath={.data.ClusterConfiguration}'"
)
PROCESS = "for comm in $(grep -lx kube-apiserver /proc/[0-9]*/comm); do"


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    """Hashes of what audit logging touches, before the first ``up``."""
    return hashes(node)


def config_sha256(node: Node) -> str:
    """Of kubeadm-config. LabError while no API server answers."""
    return sha256(node.run(_CONFIG).stdout)


def hashes(node: Node) -> dict[str, str]:
    return {"manifest": node.sha256(MANIFEST), "kubeadm-config": config_sha256(node)}


def process_arguments(node: Node) -> tuple[str, ...]:
    """The arguments of the API server that runs on the node, from /proc."""
    (process,) = node.run(f"{PROCESS} cat ${{comm%comm}}cmdline; echo; done").stdout.splitlines()
    return tuple(process.split("\0")[:-1])


def process_ids(node: Node) -> str:
    return node.run(f"{PROCESS} echo $comm; done", check=False).stdout


def cluster_configuration(lab: Lab) -> str:
    return lab.kubectl(
        "-n", "kube-system", "get", "configmap", "kubeadm-config", "-o", "jsonpath={.data.ClusterConfiguration}"
    )


def eventually(read: Callable[[], Value], wanted: Callable[[Value], bool], seconds: int = 600) -> Value:
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if wanted(value) or time.monotonic() > deadline:
            return value
        time.sleep(1)


def test_preview_shows_the_exact_edit_of_every_file_and_changes_nothing(
    node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    preview = stack.run("preview", "--diff").stdout
    assert "+++ /etc/kubernetes/audit-policy.yaml" in preview
    assert f"+++ {MANIFEST}" in preview
    assert "+++ kube-system/kubeadm-config" in preview
    for name, value in FLAGS.items():
        assert f"\n+    - --{name}={value}\n" in preview
    assert "\n-    -" not in preview, "nothing is taken away from the manifest"
    assert "the manifest lacks --audit-policy-file" in preview
    assert hashes(node) == before
    assert node.run("ls -d /etc/kubernetes/audit* || true").stdout == ""


def test_up_succeeds_and_says_what_it_did(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "runs with exactly the manifest's arguments" in printed
    assert f"marker: recorded in {LOG}" in printed
    outputs = json.loads(stack.run("stack", "output", "--json").stdout)
    assert outputs["logPath"] == LOG
    assert outputs["nodes"]["cp1"]["manifestSha256"] == node.sha256(MANIFEST) != before["manifest"]
    assert outputs["nodes"]["cp1"]["policySha256"] == outputs["policy"]["sha256"] == node.sha256(POLICY)
    assert outputs["queries"]["whoDeleted"] == '{job="kubernetes-audit"} |= "delete" |= "NAME"'
    assert outputs["onNodeSearch"] == f"sudo grep NAME {LOG}"


def test_manifest_kubeadm_config_and_process_agree_on_every_flag(lab: Lab, node: Node) -> None:
    written = manifest.arguments(node.run(f"cat {MANIFEST}").stdout)
    running = process_arguments(node)
    recorded = kubeadm_config.extra_args(cluster_configuration(lab))
    assert running == written
    for name, value in FLAGS.items():
        assert manifest.flag_value(running, name) == value
        assert recorded[name] == value
    for name in OIDC_FLAGS:
        assert manifest.flag_value(running, name) == recorded[name] != ""


def test_the_backup_is_outside_the_manifests_folder_and_for_root_only(node: Node, before: dict[str, str]) -> None:
    assert node.run(f"stat -c %a {ARCHIVE}").stdout.strip() == "700"
    kept = node.run(f"sha256sum {ARCHIVE}/*/kube-apiserver.yaml").stdout
    assert before["manifest"] in kept
    assert sorted(node.run("ls -A /etc/kubernetes/manifests").stdout.split()) == [
        "etcd.yaml",
        "kube-apiserver.yaml",
        "kube-controller-manager.yaml",
        "kube-scheduler.yaml",
    ]


def test_a_second_preview_says_unchanged(stack: PulumiStack) -> None:
    printed = stack.run("preview", "--diff", "--expect-no-changes").stdout
    assert "9 unchanged" in printed


def test_the_log_names_the_person_who_deleted_a_config_map(lab: Lab, node: Node) -> None:
    lab.kubectl("create", "configmap", "who-was-it", as_user="alice")
    lab.kubectl("delete", "configmap", "who-was-it", as_user="alice")
    events = [json.loads(line) for line in node.run(f"grep who-was-it {LOG}").stdout.splitlines()]
    deletions = [event for event in events if event["verb"] == "delete"]
    assert [event["user"]["username"] for event in deletions] == ["alice@example.com"]
    assert deletions[0]["objectRef"]["name"] == "who-was-it"
    assert all("requestObject" not in event and event["level"] == "Metadata" for event in events)


def test_a_hand_edit_of_kubeadm_config_is_shown_with_its_consequence_and_undone(lab: Lab, stack: PulumiStack) -> None:
    good = cluster_configuration(lab)
    for _ in range(2):  # the same edit made once more is shown once more
        text = good.replace("  - name: audit-log-maxage\n    value: '30'\n", "")
        assert text != good
        patch = json.dumps({"data": {"ClusterConfiguration": text}})
        lab.kubectl("-n", "kube-system", "patch", "configmap", "kubeadm-config", "--type", "merge", "--patch", patch)
        preview = stack.run("preview", "--diff").stdout
        assert "kubeadm-config lacks audit-log-maxage: the next kubeadm upgrade or join would drop it" in preview
        assert "~ 1 to update" in preview
        stack.run("up", "--yes", "--skip-preview")
        assert kubeadm_config.extra_args(cluster_configuration(lab)) == kubeadm_config.extra_args(good)
        stack.run("preview", "--expect-no-changes")


def test_a_changed_policy_is_explained_in_decisions_and_read_by_a_new_process(
    lab: Lab, node: Node, stack: PulumiStack
) -> None:
    stack.configure(lab.state, {"policy": {"preset": "standard"}})
    preview = stack.run("preview", "--diff").stdout
    assert "decision: everyone" in preview
    assert "Metadata from now on (was None" in preview
    running = process_ids(node)
    stack.run("up", "--yes", "--skip-preview")
    assert process_ids(node) != running
    assert node.sha256(POLICY) == sha256(preset_text("standard"))
    lab.kubectl("get", "secret", "read-me", check=False)
    assert '"verb":"get"' in node.run(f"grep read-me {LOG}").stdout, "low-write drops reads, standard records them"
    stack.run("preview", "--expect-no-changes")


def test_a_policy_file_that_was_edited_by_hand_is_put_right_and_read_anew(node: Node, stack: PulumiStack) -> None:
    node.run(f"sed -i 's/level: Metadata/level: None/' {POLICY}")
    preview = stack.run("preview", "--diff").stdout
    assert f"cp1: the policy file {POLICY} was edited since this stack wrote it" in preview
    assert "nothing is recorded any more" not in preview
    assert "Metadata from now on (was None)" in preview
    running = process_ids(node)
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "restart: the manifest is the same" in printed
    assert process_ids(node) != running
    assert node.sha256(POLICY) == sha256(preset_text("standard"))
    stack.run("preview", "--expect-no-changes")


def test_kubeadm_writes_a_manifest_that_still_audits_and_it_counts_as_in_sync(
    lab: Lab, node: Node, stack: PulumiStack
) -> None:
    before = process_arguments(node)
    documents: list[dict[str, Any]] = [
        yaml.safe_load(cluster_configuration(lab)),
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": 6443},
        },
    ]
    text = yaml.safe_dump_all(documents)
    first = process_ids(node)
    node.run(f"cat >/root/kubeadm.yaml <<'EOF'\n{text}EOF\n")
    node.run("kubeadm init phase control-plane apiserver --config /root/kubeadm.yaml")
    regenerated = node.run(f"cat {MANIFEST}").stdout
    assert manifest.policy_annotation(regenerated) is None
    arguments = manifest.arguments(regenerated)
    for name, value in FLAGS.items():
        assert manifest.flag_value(arguments, name) == value
    for name in OIDC_FLAGS:
        assert manifest.flag_value(arguments, name) == manifest.flag_value(before, name)
    eventually(lambda: process_ids(node), lambda running: running not in ("", first))
    lab.wait_ready()
    preview = stack.run("preview", "--diff").stdout
    assert "apply-manifest" not in preview, "the command that edits the node is not to run anew"
    assert f"+++ {MANIFEST}" not in preview, "no edit of the node"
    assert "cp1: record only: nothing on the node changes; refreshes what removal will restore" in preview
    running = process_ids(node)
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "manifest: in sync; only the stack's record of it changes" in printed
    assert process_ids(node) == running, "no restart"
    assert node.run(f"cat {MANIFEST}").stdout == regenerated
    stack.run("preview", "--expect-no-changes")


def test_destroy_gives_back_every_byte_and_keeps_the_evidence(
    node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    stack.run("up", "--yes", "--skip-preview")
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
    assert "audit" not in " ".join(process_arguments(node))
    assert node.run(f"ls -d {POLICY} /etc/kubernetes/audit-logging || true").stdout == ""
    assert node.run(f"ls {ARCHIVE} | wc -l").stdout.strip() != "0"
    assert node.run(f"grep -c who-was-it {LOG}").stdout.strip() != "0"
