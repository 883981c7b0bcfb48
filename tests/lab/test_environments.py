"""Nodes that are not as kubeadm leaves them on a stock Debian: each works, or is refused before anything is touched.

``make test`` has all of them on one node at once, and ``make test-exhaustive`` each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest

from lab.api import Lab, Node
from tests.lab.faults.machine import for_a_while
from tests.lab.node_change import Edit, NodeChanger, restarts, unchanged
from tests.lab.test_drift import await_restart

MANIFESTS = "/etc/kubernetes/manifests"
MANIFEST = f"{MANIFESTS}/kube-apiserver.yaml"
POLICY = "/etc/kubernetes/audit-policy.yaml"
LOGS = "/var/log/kubernetes/audit"
PKI = "/etc/kubernetes/pki"
USER = 1001
EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
QUICK: dict[str, Any] = {"restart": "quick", "rehearsal": False}
BAD_FLAG = "    - --no-such-flag=1\n"

# What the scripts call of coreutils, findutils, grep, sed and awk.
_TOOLS = (
    "sh awk base64 basename cat chmod chown cp cut date df diff dirname find grep head id ln ls mkdir mktemp mv printf "
    "readlink rm rmdir sed setsid sha256sum sleep sort stat sync tail timeout touch tr uname wc"
)
_RESTART = "systemctl restart kubelet && until pgrep -x kubelet >/dev/null; do sleep 0.2; done"
_ODD_FILES = {
    "binary": "head -c 3000 /dev/urandom >{}",
    ".hidden": f"cp {MANIFEST} {{}}",
    "folder": f"mkdir {{}} && cp {MANIFEST} {{}}/",
    "pipe": "mkfifo {}",
    "$(printf 'r\\377w')": "printf 'kind: Pod\\n\\377' >{}",
    "nowhere": "ln -s /none {}",
}
_CTR = "ctr --namespace k8s.io images"


@contextmanager
def busybox(node: Node) -> Iterator[Edit]:
    """The node has busybox' tools, as Alpine Linux has, its shell among them."""
    made = f"for tool in {_TOOLS}; do ln -s $(command -v busybox) /usr/local/sbin/$tool; done"
    with for_a_while(node, made, f"cd /usr/local/sbin && /bin/rm {_TOOLS}"):
        yield unchanged


@contextmanager
def kubectl_elsewhere(node: Node) -> Iterator[Edit]:
    """kubectl is in /opt/bin alone, as on Flatcar."""
    moved = "mkdir -p /opt/bin && mv /usr/local/bin/kubectl /opt/bin/"
    with for_a_while(node, moved, "mv /opt/bin/kubectl /usr/local/bin/"):
        yield unchanged


@contextmanager
def pod_logs_elsewhere(node: Node) -> Iterator[Edit]:
    """kubelet has a folder of its own for what containers write."""
    config = "/var/lib/kubelet/config.yaml"
    configured = f"cp -p {config} {config}.kept && echo 'podLogsDir: /var/elsewhere' >>{config} && {_RESTART}"
    with for_a_while(node, configured, f"mv {config}.kept {config} && {{ {_RESTART}; }} && rm -rf /var/elsewhere"):
        yield unchanged


@contextmanager
def odd_files(node: Node) -> Iterator[Edit]:
    """The manifest folder has files that are no manifests, and one whose name is no text.

    kubelet passes by a pipe that is there when it starts. It opens one that is made while it watches, and then waits
    for what that says for ever, whatever else becomes of the folder.
    """
    paths = {f'"{MANIFESTS}/{name}"': made for name, made in _ODD_FILES.items()}
    made = " && ".join(each.format(*(path,) * each.count("{}")) for path, each in paths.items())
    with for_a_while(node, f"{made} && {_RESTART}", f"rm -r {' '.join(paths)}"):
        yield unchanged


@contextmanager
def image_by_digest(node: Node) -> Iterator[Edit]:
    """The manifest names the API server's image by tag and digest."""
    tag, by_digest = image(node)
    with for_a_while(node, f"{_CTR} tag {tag} {by_digest}", f"{_CTR} rm {by_digest}"):
        yield lambda text: text.replace(f"image: {tag}", f"image: {tag}@{by_digest.partition('@')[2]}")


@contextmanager
def several_containers(node: Node) -> Iterator[Edit]:
    """The API server's pod has another container beside it."""
    pause = node.run(f"{_CTR} ls -q name~='^registry.k8s.io/pause:'").stdout.strip()
    beside = f"  - name: beside\n    image: {pause}\n    imagePullPolicy: IfNotPresent\n  hostNetwork"
    yield lambda text: text.replace("  hostNetwork", beside, 1)


ENVIRONMENTS: tuple[Callable[[Node], AbstractContextManager[Edit]], ...] = (
    busybox,
    kubectl_elsewhere,
    pod_logs_elsewhere,
    odd_files,
    image_by_digest,
    several_containers,
)


def with_bad_flag(text: str) -> str:
    return text.replace("    - --secure-port", f"{BAD_FLAG}    - --secure-port", 1)


def image(node: Node) -> tuple[str, str]:
    """The API server's image by its tag, and by its digest."""
    tag = node.run(f"{_CTR} ls -q name~='^registry.k8s.io/kube-apiserver:'").stdout.strip()
    digest = node.run(f"{_CTR} ls name=={tag} | awk 'NR == 2 {{ print $3 }}'").stdout.strip()
    return tag, f"{tag.rpartition(':')[0]}@{digest}"


@pytest.fixture(scope="module")
def changer(node: Node) -> NodeChanger:
    return NodeChanger(node, EVERYTHING)


def files(node: Node) -> str:
    """Manifest and policy with their owners and modes."""
    return node.run(
        f"for file in {MANIFEST} {POLICY}; do stat -c '%a %u:%g %n' $file; cat $file; done 2>/dev/null; true"
    ).stdout


def as_kubeadm_left_it(lab: Lab, node: Node, text: str) -> None:
    """The node's manifest is this again, and there is no policy."""
    node.run(f"rm -f {POLICY} && cat >/etc/kubernetes/aside <<'THE-END'\n{text}THE-END\n")
    node.run(f"chmod 600 /etc/kubernetes/aside && mv /etc/kubernetes/aside {MANIFEST}")
    await_restart(lab, node)


def test_all_of_it_at_once(lab: Lab, node: Node, changer: NodeChanger) -> None:
    before, original = files(node), node.run(f"cat {MANIFEST}").stdout
    with ExitStack() as stack:
        edits = [stack.enter_context(environment(node)) for environment in ENVIRONMENTS]

        def edit(text: str) -> str:
            for each in edits:
                text = each(text)
            return text

        facts = changer.facts()
        assert (facts.missing_tools, facts.stray_manifests, facts.pod_logs) == ((), (), "/var/elsewhere")
        refused = changer.enable(lambda text: with_bad_flag(edit(text)), **QUICK)
        assert refused.status != 0
        assert "The earlier manifest runs again" in refused.printed
        assert "unknown flag: --no-such-flag" in refused.printed, "the last words are read where kubelet keeps them"
        assert files(node) == before
        enabled = changer.enable(edit, **QUICK)
        assert enabled.status == 0, enabled.printed
        assert enabled.result.marker.endswith(f" in {LOGS}/audit.log")
        assert enabled.result.outage_seconds > 0
        removed = changer.remove(**QUICK)
        assert removed.status == 0, removed.printed
        assert node.run(f"cat {MANIFEST}").stdout == edit(original)
        as_kubeadm_left_it(lab, node, original)


@pytest.mark.exhaustive
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_alone(
    lab: Lab, node: Node, changer: NodeChanger, environment: Callable[[Node], AbstractContextManager[Edit]]
) -> None:
    original = node.run(f"cat {MANIFEST}").stdout
    with environment(node) as edit:
        enabled = changer.enable(edit)
        assert enabled.status == 0, enabled.printed
        assert enabled.result.rehearsed == (environment is not several_containers)
        assert enabled.result.mode == ("drain" if environment is several_containers else "seamless")
        removed = changer.remove()
        assert removed.status == 0, removed.printed
        assert node.run(f"cat {MANIFEST}").stdout == edit(original)
        as_kubeadm_left_it(lab, node, original)


def test_an_image_that_is_there_by_its_tag_alone_is_not_there_by_digest(node: Node, changer: NodeChanger) -> None:
    """The container runtime does not find it either, and would ask the registry."""
    tag, by_digest = image(node)
    running, before = restarts(node), files(node)
    named = f"{tag}@{by_digest.partition('@')[2]}"
    refused = changer.enable(lambda text: text.replace(f"image: {tag}", f"image: {named}"), **QUICK)
    assert refused.status != 0
    assert f"the image {named} is not on the node" in refused.printed
    assert "nothing was changed" in refused.printed
    assert (restarts(node), files(node)) == (running, before)


@contextmanager
def not_root(node: Node) -> Iterator[Edit]:
    """The API server runs as another user, as kubeadm has it with RootlessControlPlane: the keys are that user's."""
    node.run(f"chown -R {USER} {PKI} && rm -rf {LOGS}")
    context = f"    securityContext:\n      runAsUser: {USER}\n      runAsGroup: {USER}\n    image:"
    try:
        yield lambda text: text.replace("    image:", context, 1)
    finally:
        node.run(f"chown -R 0 {PKI}")


def test_an_api_server_that_is_not_roots(lab: Lab, node: Node, changer: NodeChanger) -> None:
    before, original = files(node), node.run(f"cat {MANIFEST}").stdout
    with not_root(node) as edit:
        node.run(f"mkdir -p {LOGS} && touch {LOGS}/audit.log")
        refused = changer.enable(edit, restart="quick")
        assert (
            f"the user {USER} (runAsUser), who cannot write {LOGS}/audit.log; give it to that user" in refused.printed
        )
        assert "nothing was changed" in refused.printed
        assert files(node) == before
        node.run(f"rm -r {LOGS}")
        enabled = changer.enable(edit, restart="quick")
        assert enabled.status == 0, enabled.printed
        assert enabled.result.rehearsed
        assert enabled.result.marker.endswith(f" in {LOGS}/audit.log")
        owners = node.run(f"stat -c '%a %u:%g' {POLICY} {LOGS}/audit.log; stat -c %u {LOGS}").stdout.split("\n")
        assert owners[:3] == [f"600 {USER}:{USER}", f"600 {USER}:{USER}", f"{USER}"]
        removed = changer.remove(restart="quick")
        assert removed.status == 0, removed.printed
        assert node.run(f"cat {MANIFEST}").stdout == edit(original)
        as_kubeadm_left_it(lab, node, original)
    node.run(f"rm -rf {LOGS}")
