"""What a machine gets before ``kubeadm join`` makes it a control-plane node.

kubeadm writes the new node's manifest from kubeadm-config, which names the policy file and the log's folder. Without
them the new API server cannot start, and the join fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from auditlog.checks.finding import errors
from auditlog.checks.node_name import name_findings
from auditlog.checks.node_state import other_owner
from auditlog.nodes.facts import Facts
from auditlog.plan.annotation_files import AnnotationFiles, prepare_annotation_files
from auditlog.plan.file_change import FileChange
from auditlog.plan.identity import former_name, taken_over
from auditlog.plan.plan_error import PlanError
from auditlog.plan.reasons import TAKEN_OVER
from auditlog.plan.startup_files import StartupFile, webhook_startup_file
from auditlog.settings import Host, Settings


@dataclass(frozen=True, slots=True)
class PreparationPlan:
    """One machine that is to join."""

    node: Host
    """The machine."""
    policy: FileChange
    """Its policy file."""
    log_path: str
    """Its log; empty where the log is no file."""
    scripts_sha256: str | None
    """As in ``NodePlan``."""
    scripts_token: str
    """As in ``NodePlan``."""
    reasons: tuple[str, ...]
    """Why it changes; empty if nothing is to be done."""
    webhook: StartupFile | None = None
    """The webhook's kubeconfig, without its text; None without a webhook."""
    former: str | None = None
    """As in ``NodePlan``."""
    taken_over_from: str | None = None
    """As in ``NodePlan``."""
    annotations: AnnotationFiles | None = None
    """What annotates, where files deliver that; None elsewhere."""

    @property
    def in_sync(self) -> bool:
        return not self.reasons


def plan_preparation(
    node: Host,
    settings: Settings,
    policy_text: str,
    facts: Facts,
    owner: str,
    static_policies: str = "",
    members: Mapping[str, Facts] = MappingProxyType({}),
) -> PreparationPlan:
    """The plan for a machine that has no kube-apiserver manifest yet.

    ``static_policies`` as in ``make_plan``; ``members`` are the nodes that have joined. Raises PlanError.
    """
    facts, taken_over_from = taken_over(facts, owner, settings.take_over)
    problems = errors((*name_findings(node.name, facts, owner), *other_owner(facts, owner)))
    if problems:
        raise PlanError(problems)
    policy = FileChange(
        path=settings.policy.path,
        live=facts.policy.text if facts.policy else None,
        desired=policy_text,
        before=None,
        token=facts.policy_token,
    )
    reasons = []
    if not policy.in_sync:
        reasons.append(f"to be prepared for kubeadm join: {policy.path} is not there or differs")
    elif facts.owner is None:
        reasons.append("to be prepared for kubeadm join: the machine is not this stack's yet")
    webhook = webhook_startup_file(settings.webhook, facts, None)
    if webhook is not None and not webhook.in_sync:
        reasons.append(f"to be prepared for kubeadm join: {webhook.path} is not there or differs")
    annotations = (
        prepare_annotation_files(settings.annotations, static_policies, facts, members) if static_policies else None
    )
    for file in (annotations.startup, annotations.reloaded) if annotations else ():
        if not file.in_sync:
            reasons.append(f"to be prepared for kubeadm join: {file.path} is not there or differs")
    if taken_over_from is not None:
        reasons.append(TAKEN_OVER.format(former=taken_over_from, owner=owner))
    return PreparationPlan(
        node,
        policy,
        settings.log_file or "",
        facts.scripts_sha256,
        facts.scripts_token,
        tuple(reasons),
        webhook,
        former_name(node, facts, owner, {each.name for each in settings.nodes}),
        taken_over_from,
        annotations,
    )
