"""All nodes together: which resources there are, and in which order they change.

Nodes change one at a time. kubeadm-config follows the last healthy node, and goes first on removal. Policy files go
last on removal (docs/design.md). The engine takes dependencies the other way round when it deletes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi_command import remote

from auditlog.plan.plan import Plan
from auditlog.plan.removal import RemovalPlan
from auditlog.proof.verdict import DueProof
from auditlog.settings import Host, Settings
from components.annotation_files import KINDS, AnnotationFiles
from components.audit_policy import AuditPolicy
from components.audit_webhook import AuditWebhook
from components.change import Change
from components.control_plane_node import ControlPlaneNode
from components.kubeadm_config import KubeadmConfig
from components.node_command import diff_message, untouched_node_command
from components.node_scripts import NodeScripts
from components.scope import Scope


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What the stack knows of each node, by its name, the last resources that change on it, and what changes now."""

    states: Mapping[str, Any]
    last: Sequence[pulumi.Resource] = ()
    changes: Mapping[str, Change] = field(default_factory=dict)


def audited_nodes(
    plan: Plan,
    settings: Settings,
    scope: Scope,
    connections: Mapping[str, remote.ConnectionArgs],
    due_proofs: Mapping[str, DueProof],
    written: frozenset[str],
    first: Sequence[pulumi.Resource] = (),
) -> ControlPlane:
    """Declares audit logging on every node; gives what the stack knows of them.

    ``due_proofs`` are those of the nodes that are to be proven although nothing else changes on them; ``written`` the
    keys that annotations write into events. ``first`` is what must be there before an API server changes.
    """
    scripts = NodeScripts("node-scripts", plan, connections, scope)
    policy = AuditPolicy("audit-policy", plan, connections, scripts.commands, written, scope)
    webhook: Mapping[str, remote.Command] = {}
    if settings.webhook is not None:
        webhook = AuditWebhook("audit-webhook", settings.webhook, plan, connections, policy.files, scope).files
    annotations: Mapping[str, remote.Command] = {}
    if any(node.annotations for node in plan.nodes) or any(machine.annotations for machine in plan.joining):
        staged = {**policy.files, **webhook}
        annotations = AnnotationFiles("annotation-files", plan, connections, staged, scope).files
    nodes: list[ControlPlaneNode] = []
    for node in plan.nodes:
        files = [each[node.node.name] for each in (policy.files, webhook, annotations) if node.node.name in each]
        after = [*files, *first, *(previous.command for previous in nodes[-1:])]
        name = node.node.name
        due = due_proofs.get(name)
        turn = _turn(name, [each.node.name for each in plan.nodes], plan.gone)
        nodes.append(ControlPlaneNode(name, node, settings, connections[name], after, scope, turn, due))
    writer = connections[plan.nodes[0].node.name]
    config = KubeadmConfig("kubeadm-config", plan, writer, [node.command for node in nodes], scope)
    _forget_manifests(plan.gone, connections, scope)
    states = {
        **{node.node.name: declared.state for node, declared in zip(plan.nodes, nodes, strict=True)},
        **{machine.node.name: {"host": machine.node.host, "state": "prepared to join"} for machine in plan.joining},
        **{host.name: {"host": host.host, "state": "gone"} for host in plan.gone},
    }
    changes = {node.node.name: declared.change for node, declared in zip(plan.nodes, nodes, strict=True)}
    return ControlPlane(states, [config.command], changes)


def _turn(name: str, names: Sequence[str], gone: Sequence[Host]) -> Mapping[str, str]:
    """What a node gets to know about the others: whose turn comes earlier and later, and whom not to look for."""
    place = names.index(name)
    told = {"earlier": names[:place], "later": names[place + 1 :], "without": [host.name for host in gone]}
    return {key: ",".join(others) for key, others in told.items() if others}


def say_unread(settings: Settings) -> None:
    """Warns that ``liveRead`` is off. Raises RunError outside previews."""
    names = ", ".join(node.name for node in settings.nodes)
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(f"liveRead is off: {names} would be changed unread. Set liveRead to on for pulumi up.")
    pulumi.log.warn(f"liveRead is off: {names} not read; whether they differ from this configuration is not checked")


def unread_nodes(settings: Settings, connections: Mapping[str, remote.ConnectionArgs], scope: Scope) -> ControlPlane:
    """Declares the same for nodes that were not read. It compares nothing, so a preview shows no false change."""
    with_manifest = settings.nodes_with_manifest
    for kind, name, suffixes in _file_groups_of(settings):
        commands = {f"{node.name}-{suffix}": connections[node.name] for suffix in suffixes for node in settings.nodes}
        _untouched(scope, kind, name, commands)
    for node in with_manifest:
        _untouched(scope, ControlPlaneNode.TYPE, node.name, {f"{node.name}-manifest": connections[node.name]})
    writer = connections[with_manifest[0].name]
    _untouched(scope, KubeadmConfig.TYPE, "kubeadm-config", {"cluster-configuration": writer})
    return ControlPlane({node.name: pulumi.UNKNOWN for node in settings.nodes})


def released_nodes(plan: RemovalPlan, connections: Mapping[str, remote.ConnectionArgs], scope: Scope) -> ControlPlane:
    """Says what the engine will restore on every node: it deletes whatever is no longer declared."""
    if pulumi.runtime.is_dry_run():
        for where, reasons, change in plan.changes:
            pulumi.log.info(diff_message(where, change, reasons))
    for kind, name, suffixes in _file_groups(has_webhook=plan.has_webhook, has_annotations=plan.has_annotation_files):
        forgotten = {f"{host.name}-{suffix}": connections[host.name] for suffix in suffixes for host in plan.gone}
        _untouched(scope, kind, name, forgotten, forget=True)
    _forget_manifests(plan.gone, connections, scope)
    return ControlPlane({host.name: {"host": host.host, "state": "gone"} for host in plan.gone})


def forgotten_nodes(settings: Settings, connections: Mapping[str, remote.ConnectionArgs], scope: Scope) -> ControlPlane:
    """Declares everything so that it is forgotten without contacting a node: every one of them is gone."""
    for kind, name, suffixes in _file_groups_of(settings):
        forgotten = {f"{host.name}-{suffix}": connections[host.name] for suffix in suffixes for host in settings.nodes}
        _untouched(scope, kind, name, forgotten, forget=True)
    _forget_manifests(settings.nodes, connections, scope)
    writer = connections[settings.nodes[0].name]
    _untouched(scope, KubeadmConfig.TYPE, "kubeadm-config", {"cluster-configuration": writer}, forget=True)
    return ControlPlane({host.name: {"host": host.host, "state": "gone"} for host in settings.nodes})


def _file_groups_of(settings: Settings) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    return _file_groups(has_webhook=settings.webhook is not None, has_annotations=settings.annotations.in_files)


def _file_groups(*, has_webhook: bool, has_annotations: bool) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """The components with Commands for each node: type, name, and what their Commands' names end in."""
    yield NodeScripts.TYPE, "node-scripts", ("scripts",)
    yield AuditPolicy.TYPE, "audit-policy", ("policy",)
    if has_webhook:
        yield AuditWebhook.TYPE, "audit-webhook", ("webhook",)
    if has_annotations:
        yield AnnotationFiles.TYPE, "annotation-files", KINDS


def _forget_manifests(gone: Sequence[Host], connections: Mapping[str, remote.ConnectionArgs], scope: Scope) -> None:
    for host in gone:
        command = {f"{host.name}-manifest": connections[host.name]}
        _untouched(scope, ControlPlaneNode.TYPE, host.name, command, forget=True)


def _untouched(
    scope: Scope,
    component_type: str,
    name: str,
    commands: Mapping[str, remote.ConnectionArgs],
    *,
    forget: bool = False,
) -> None:
    if commands:
        component = pulumi.ComponentResource(component_type, scope.name(name), None, scope.options())
        for command, connection in commands.items():
            untouched_node_command(scope.name(command), connection, parent=component, forget=forget)
        component.register_outputs({})
