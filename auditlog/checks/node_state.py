"""Whether a node can be changed at all: what kind of node it is, and what prevents a change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from auditlog.checks.finding import Finding, Severity
from auditlog.manifest import manifest
from auditlog.node_paths import ADMIN_KUBECONFIG, ARCHIVE, MANIFEST, MANIFESTS, RECORDS
from auditlog.nodes.fact_types import Role
from auditlog.nodes.facts import Facts

SEARCHED = "/usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin and /opt/bin"
"""The folders in which a node's scripts look for programs, whatever PATH the caller has; as in node/common.sh."""


def obstacles(facts: Facts, owner: str, *, quarantine: bool) -> Iterator[Finding]:
    """What keeps the stack ``owner`` from changing the node. With ``quarantine`` stray manifests do not."""
    yield from kind_of_node(facts)
    yield from kubelet(facts)
    if facts.missing_tools:
        yield _error(
            "missing-tools",
            f"the node lacks {', '.join(facts.missing_tools)}",
            "it cannot be changed without",
            f"install what is missing, or link it into one of {SEARCHED}",
        )
    yield from other_owner(facts, owner)
    yield from strays(facts, quarantine=quarantine)
    yield from pipes(facts)


def other_owner(facts: Facts, owner: str) -> Iterator[Finding]:
    """Whether the node is another stack's to change."""
    if facts.owner not in (None, owner):
        yield _error(
            "other-owner",
            f"its audit logging belongs to the stack {facts.owner!r}, and this is {owner!r}",
            "two stacks would undo each other's changes",
            f"destroy that stack first, or set takeOver: {facts.owner} to take the node over from it as it is",
        )


def kind_of_node(facts: Facts) -> Iterator[Finding]:
    """Whether this is a control-plane node that kubeadm made, with an API server."""
    if facts.manifest is None:
        yield _no_manifest(facts)
    elif facts.role in (Role.WORKER, Role.NONE):
        yield _error(
            "no-admin-conf",
            f"{ADMIN_KUBECONFIG} is not there",
            "kubeadm-config and the API server's health cannot be read without it",
            "create it on the node: kubeadm init phase kubeconfig admin",
        )


def _no_manifest(facts: Facts) -> Finding:
    if facts.role is Role.CONTROL_PLANE:
        return _error(
            "no-manifest",
            f"{MANIFEST} is not there",
            "this control-plane node has no API server",
            f"restore it from a copy (the newest one in {ARCHIVE}/*/), or create it with "
            "kubeadm init phase control-plane apiserver",
        )
    if facts.role is Role.WORKER:
        return _error(
            "no-manifest",
            f"{MANIFEST} is not there",
            "this is a worker and not a control-plane node",
            "take it out of nodes",
        )
    return _error(
        "no-manifest",
        f"{MANIFEST} is not there",
        "this is not a control-plane node of a kubeadm cluster",
        "give the addresses of those",
    )


def kubelet(facts: Facts) -> Iterator[Finding]:
    """Whether somebody is there to take a changed manifest."""
    if not facts.kubelet_runs and facts.role is not Role.NONE:
        yield _error(
            "kubelet-down",
            "kubelet does not run",
            "a changed manifest has no effect, and an API server that ends stays down",
            "start it (systemctl start kubelet); journalctl -u kubelet says why it ended",
        )


def strays(facts: Facts, *, quarantine: bool = False) -> Iterator[Finding]:
    """Other files in the manifests folder that kubelet runs as kube-apiserver.

    With ``quarantine`` only those that the stack cannot move, because their names are no plain text.
    """
    for stray in facts.stray_manifests:
        if quarantine and stray.plain:
            continue
        remedy = "move it out by hand: its name is no plain text, and is shown with escapes"
        if stray.plain:
            path = shlex.quote(f"{MANIFESTS}/{stray.name}")
            remedy = (
                f"move it out (mv {path} /etc/kubernetes/), or let the stack do it with quarantineStrayManifests: true"
            )
        yield _error(
            "stray-manifest",
            f"{stray.name} in {MANIFESTS} defines kube-apiserver too",
            "kubelet may run it in place of kube-apiserver.yaml at any time",
            remedy,
        )


def pipes(facts: Facts) -> Iterator[Finding]:
    """Named pipes in the manifests folder, if kubelet waits for somebody who writes to one.

    kubelet opens whatever appears there while it runs, and opening a pipe waits for a writer (kubernetes,
    pkg/kubelet/config/file_linux.go).
    """
    for name in facts.manifest_pipes:
        yield _error(
            "manifest-pipe",
            f"{name} in {MANIFESTS} is a named pipe",
            "kubelet waits for somebody to write to such a pipe, and takes no changed manifest meanwhile",
            f"remove it (rm {shlex.quote(f'{MANIFESTS}/{name}')}), and restart kubelet (systemctl restart kubelet)",
        )


def unfinished(facts: Facts) -> Iterator[Finding]:
    """A change of the node that was cut off."""
    if facts.unfinished_change:
        yield Finding(
            "unfinished-change",
            "a change of this node by pulumi was cut off",
            "the next pulumi up finishes it or rolls it back first",
        )


def forgotten(facts: Facts) -> Iterator[Finding]:
    """A stack wrote the manifest, and the node has lost what it kept of the time before."""
    if facts.manifest is None or facts.owner is not None or facts.unfinished_change:
        return
    if manifest.policy_annotation(facts.manifest.text) is not None:
        yield Finding(
            "forgotten",
            f"a stack wrote the manifest, and its record in {RECORDS} is gone",
            "after the next pulumi up the present manifest counts as the one from before, and removal leaves audit "
            "logging on",
            remedy=f"put the folder back first; the manifest from before is in the newest folder of {ARCHIVE} "
            "with a file before-audit-logging",
        )


def _error(finding: str, what: str, consequence: str, remedy: str) -> Finding:
    return Finding(finding, what, consequence, Severity.ERROR, remedy)
