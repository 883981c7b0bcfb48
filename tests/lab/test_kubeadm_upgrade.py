"""A real ``kubeadm upgrade apply`` from 1.36 to 1.37 with audit logging on. The tests are its steps, in this order.

Run by ``make test-upgrade`` and not by ``make test``: it builds a second Kubernetes and restarts every static pod.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from auditlog.manifest import kubeadm_config, manifest
from lab.api import Lab, Node
from lab.kubeadm import OIDC_FLAGS
from lab.stack import PulumiStack
from tests.lab.own_lab import OwnLab
from tests.lab.test_annotations import annotated
from tests.lab.test_first_stack import FLAGS, MANIFEST, cluster_configuration, hashes, process_arguments, process_ids

# The first test makes the lab, which on a busy machine alone takes minutes.
pytestmark = pytest.mark.timeout(2400)

OWN = OwnLab("upgrade")
# cgroup version 1, and CoreDNS, which the lab does without.
IGNORED = "SystemVerification,CoreDNSUnsupportedPlugins,CoreDNSMigration"
IMAGE = "registry.k8s.io/kube-apiserver"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    OWN.command("down")  # what a run that was killed may have left
    OWN.up("--kubernetes", "1.36")
    yield Lab.load(OWN.paths)
    OWN.command("down")


@pytest.fixture(scope="module")
def version(lab: Lab) -> str:
    """The version to upgrade to, offered to the node."""
    return lab.offer("1.37")


@pytest.fixture(scope="module")
def old_image(node: Node) -> str:
    return image(node)


def image(node: Node) -> str:
    text: str = yaml.safe_load(node.run(f"cat {MANIFEST}").stdout)["spec"]["containers"][0]["image"]
    return text


def announced_changes(node: Node, version: str) -> list[str]:
    """The lines that ``kubeadm upgrade diff`` would take from the API server's manifest or add to it."""
    command = f"kubeadm upgrade diff {version} --context-lines 0 2>/dev/null"
    lines = node.run(command).stdout.partition("+++ new manifest")[2].splitlines()[1:]
    return [line.strip() for line in lines if line.startswith(("-", "+")) and not line.startswith(("---", "+++"))]


def deliver(lab: Lab, stack: PulumiStack, delivery: str) -> None:
    settings = {"annotations": {"delivery": delivery}, "kubeconfigFile": str(lab.paths.kubeconfig)}
    stack.configure(lab.state, settings)


def said_of_a_deletion(lab: Lab, node: Node, name: str) -> set[str]:
    """The keys of annotations in the event of a ConfigMap's deletion."""
    lab.kubectl("-n", "default", "create", "configmap", name)
    lab.kubectl("-n", "default", "delete", "configmap", name)
    return set(annotated(node, name))


def test_annotations_from_files_are_refused_before_the_upgrade(lab: Lab, node: Node, stack: PulumiStack) -> None:
    before = hashes(node)
    deliver(lab, stack, "files")
    said = " ".join(stack.run("up", "--yes", "--skip-preview", check=False).stdout.split())
    assert "this node runs Kubernetes 1.36; allowed before 1.37: annotations.delivery: api" in said
    assert hashes(node) == before
    deliver(lab, stack, "api")


def test_kubeadm_means_to_change_the_image_of_an_audited_api_server_and_no_flag(
    node: Node, stack: PulumiStack, old_image: str, version: str
) -> None:
    stack.run("up", "--yes", "--skip-preview")
    changes = announced_changes(node, version)
    assert f"+    image: {IMAGE}:{version}" in changes
    assert f"-    image: {old_image}" in changes
    assert [line for line in changes if " - --" in line] == []


def test_audit_and_oidc_flags_survive_the_upgrade(lab: Lab, node: Node, old_image: str, version: str) -> None:
    node.run(f"kubeadm upgrade apply {version} --yes --ignore-preflight-errors={IGNORED}")
    lab.wait_ready()
    assert image(node) == f"{IMAGE}:{version}" != old_image
    answer = yaml.safe_load(lab.kubectl("version", "-o", "yaml"))
    assert answer["serverVersion"]["gitVersion"] == version
    running = process_arguments(node)
    assert running == manifest.arguments(node.run(f"cat {MANIFEST}").stdout)
    for name, value in {**FLAGS, **OIDC_FLAGS}.items():
        assert manifest.flag_value(running, name) == value
    assert "deleted/uid" in said_of_a_deletion(lab, node, "after-upgrade")


def test_destroy_before_the_next_up_refuses_since_it_would_give_back_the_old_image(
    node: Node, stack: PulumiStack
) -> None:
    before = hashes(node)
    result = stack.run("destroy", "--yes", "--skip-preview", check=False)
    assert result.returncode != 0
    assert "nothing was removed" in result.stdout
    assert hashes(node) == before


def test_the_next_up_edits_no_file_of_the_node_and_restarts_nothing(node: Node, stack: PulumiStack) -> None:
    before, running = hashes(node), process_ids(node)
    preview = stack.run("preview", "--diff").stdout
    assert "apply-manifest" not in preview, "the command that edits the node is not to run anew"
    assert f"+++ {MANIFEST}" not in preview, "no edit of the node"
    assert "+++ kube-system/kubeadm-config" not in preview
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert "manifest: in sync; only the stack's record of it changes" in printed
    assert (hashes(node), process_ids(node)) == (before, running)
    stack.run("preview", "--expect-no-changes")


def test_after_the_upgrade_annotations_come_from_files(lab: Lab, node: Node, stack: PulumiStack) -> None:
    deliver(lab, stack, "files")
    stack.run("up", "--yes", "--skip-preview")
    keys = said_of_a_deletion(lab, node, "from-files")
    assert "deleted.static.k8s.io/uid" in keys
    assert "deleted/uid" not in keys
    stack.run("preview", "--expect-no-changes")


def test_removal_leaves_the_new_version_without_what_the_stack_added(
    lab: Lab, node: Node, stack: PulumiStack, version: str
) -> None:
    upgraded = node.run(f"cat {MANIFEST}").stdout.splitlines()
    stack.run("destroy", "--yes", "--skip-preview")
    left = node.run(f"cat {MANIFEST}").stdout.splitlines()
    rest = iter(upgraded)
    assert all(line in rest for line in left), "lines were taken away, none was added or moved"
    assert image(node) == f"{IMAGE}:{version}"
    assert "audit" not in " ".join(process_arguments(node))
    recorded = cluster_configuration(lab)
    assert yaml.safe_load(recorded)["kubernetesVersion"] == version
    assert kubeadm_config.extra_args(recorded).keys() == OIDC_FLAGS.keys()
    assert announced_changes(node, version) == [], "the manifest is what kubeadm itself would write now"
