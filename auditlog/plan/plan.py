"""From settings and facts to what is to change on every node, and why. Pure: it contacts nothing and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from auditlog.checks.answering import unanswered
from auditlog.checks.between_nodes import NodeTraits, audit_differences, version_differences
from auditlog.checks.cluster import cluster_findings
from auditlog.checks.finding import Finding, Severity, errors
from auditlog.checks.kubeadm_config import cluster_configuration_findings
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import AUDIT, POLICY_FLAG
from auditlog.manifest.desired import audit_configuration, sha256
from auditlog.manifest.ownership import Owned
from auditlog.nodes.facts import Facts
from auditlog.plan.file_change import FileChange
from auditlog.plan.identity import same_machines
from auditlog.plan.kubeadm_config_plan import KubeadmConfigPlan, plan_kubeadm_config
from auditlog.plan.node_plan import NodePlan, plan_node
from auditlog.plan.plan_error import Edit, PlanError
from auditlog.plan.preparation import PreparationPlan, plan_preparation
from auditlog.policy.presets import without_header
from auditlog.settings import Host, Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to change in the whole stack, and why."""

    cluster: str
    """The cluster's name."""
    nodes: tuple[NodePlan, ...]
    """A plan for each control-plane node, in the order in which they are changed."""
    kubeadm_config: FileChange
    """ClusterConfiguration in the ConfigMap kubeadm-config."""
    kubeadm_config_reasons: tuple[str, ...]
    """Why it changes; empty if it does not."""
    kubeadm_config_owned: Owned
    """What of the desired ClusterConfiguration is the stack's own."""
    is_kubeadm_config_record_only: bool
    """Whether only the stack's record of it changes: it is right, and somebody else wrote it."""
    warnings: tuple[Finding, ...] = field(repr=False)
    """About the nodes together; those about one node are in its plan. Not printed: they hold what changes from minute
    to minute, such as free space."""
    joining: tuple[PreparationPlan, ...] = ()
    """Machines that are prepared for `kubeadm join`."""
    gone: tuple[Host, ...] = ()
    """Machines that are forgotten without being contacted."""

    def keeps_scripts(self, node: NodePlan | PreparationPlan, script: str) -> bool:
        """Whether the node's copy of the node side stays: it is ``script`` already, or nothing there calls it now."""
        if node.scripts_sha256 == sha256(script):
            return True
        writes_kubeadm_config = node is self.nodes[0] and not self.kubeadm_config.in_sync
        return node.scripts_sha256 is not None and node.in_sync and not writes_kubeadm_config


def make_plan(
    settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str, static_policies: str = ""
) -> Plan:
    """The plan for these settings on nodes with these facts.

    ``policy_text`` is a policy that was read and validated; it is checked once more for each node's own version.
    ``static_policies`` are the admission policies that annotate, as one file; empty where files deliver none.
    ``owner`` names this stack in the marker on the nodes. Raises PlanError with every problem of every node.
    """
    folder = settings.annotations.folder if static_policies else None
    configuration = audit_configuration(settings.policy, settings.log, settings.webhook, folder)
    joined = {node.name: facts[node.name] for node in settings.nodes_to_read if facts[node.name].manifest is not None}
    problems = list(same_machines(settings.nodes_to_read, facts))
    nodes: list[NodePlan] = []
    joining: list[PreparationPlan] = []
    for node in settings.nodes_to_read:
        try:
            if node.joining and facts[node.name].manifest is None:
                own = facts[node.name]
                joining.append(plan_preparation(node, settings, policy_text, own, owner, static_policies, joined))
                continue
            nodes.append(
                plan_node(node, settings, configuration, policy_text, static_policies, facts[node.name], owner)
            )
        except PlanError as error:
            problems.extend(f"{node.name}: {problem}" for problem in error.problems)
    problems.extend(_unreadable_once_joined(joining, nodes))
    members = [node.name for node in settings.nodes_to_read if node not in [machine.node for machine in joining]]
    restarted = [node.node.name for node in nodes if node.needs_restart]
    seen = {name: tuple(cluster_findings(name, facts, alone=restarted == [name])) for name in members}
    if restarted:
        problems.extend(f"{name}: {problem}" for name, found in seen.items() for problem in errors(found))
    config: KubeadmConfigPlan | None = None
    try:
        config = plan_kubeadm_config(configuration, facts)
    except PlanError as error:
        problems.extend(_why_unread(nodes, facts) or ([] if problems else error.problems))
    if problems or config is None:
        raise PlanError(problems, list(_edits(nodes)) if config is None else ())
    planned = tuple(
        _with_warnings(_with_kubeadm_config_warnings(node, config.change), seen[node.node.name]) for node in nodes
    )
    return Plan(
        settings.cluster,
        planned,
        config.change,
        config.reasons,
        config.owned,
        config.is_record_only,
        tuple(_between(planned, facts)),
        tuple(joining),
        tuple(node for node in settings.nodes if node.gone),
    )


def _unreadable_once_joined(joining: Sequence[PreparationPlan], nodes: Sequence[NodePlan]) -> Iterator[str]:
    """What a machine gets before it joins is root's; kubeadm's RootlessControlPlane then gives it its own user."""
    users = {node.node.name: manifest.user(node.manifest.desired) for node in nodes}
    not_root = next((name for name, user in users.items() if user is not None), None)
    if not_root is not None:
        for each in joining:
            yield (
                f"{each.node.name}: the API server of {not_root} is not root's (runAsUser). On this machine it could "
                "not read its policy, which is root's until kubeadm join; join it with enabled: false, or let API "
                "servers run as root"
            )


def _why_unread(nodes: Sequence[NodePlan], facts: Mapping[str, Facts]) -> list[str]:
    """kubeadm-config cannot be read where no API server answers, which is the line that helps."""
    found = {node.node.name: unanswered(facts[node.node.name]) for node in nodes}
    return [
        f"{name}: {silence}. What up would do to kubeadm-config is unknown until then"
        for name, silence in found.items()
        if silence is not None
    ]


def _edits(nodes: Sequence[NodePlan]) -> Iterator[Edit]:
    """What is known of the nodes while kubeadm-config cannot be read."""
    for node in nodes:
        if node.reasons:
            yield Edit(node.node.name, node.reasons, node.manifest)
        if node.policy_reasons:
            yield Edit(node.node.name, node.policy_reasons, node.policy)


def _with_kubeadm_config_warnings(node: NodePlan, config: FileChange) -> NodePlan:
    flags = manifest.flag_values(manifest.arguments(node.manifest.desired))
    return replace(node, warnings=(*node.warnings, *cluster_configuration_findings(config.desired, flags)))


def _with_warnings(node: NodePlan, found: Sequence[Finding]) -> NodePlan:
    """What stops a restart is worth a warning if there is none."""
    return replace(node, warnings=(*node.warnings, *(replace(each, severity=Severity.WARNING) for each in found)))


def _between(nodes: Sequence[NodePlan], facts: Mapping[str, Facts]) -> Iterator[Finding]:
    """What the nodes differ in now; of policy and flags only those that have audit logging on already."""
    traits = []
    for node in nodes:
        live, policy = node.manifest.live or "", facts[node.node.name].policy
        flags = manifest.flag_values(manifest.arguments(live))
        audit_flags = {name: value for name, value in flags.items() if name.startswith(AUDIT)}
        policy_sha256 = sha256(without_header(policy.text)) if policy else None
        traits.append(NodeTraits(node.node.name, manifest.image_version(live), policy_sha256, audit_flags))
    audited = [each for each in traits if POLICY_FLAG in each.audit_flags]
    yield from version_differences(traits)
    yield from audit_differences(audited)
