"""What turning audit logging off restores (``enabled: false``), for the preview to show.

The engine then deletes the stack's resources, and each ``delete`` carries the earlier text. The node refuses if the
live file is not the one that the stack wrote last. What is shown here is read from the nodes' own records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.checks.cluster import cluster_findings
from auditlog.checks.finding import errors
from auditlog.checks.node_state import other_owner
from auditlog.manifest.admission_configuration import ADMISSION_PATH
from auditlog.node_paths import MANIFEST
from auditlog.nodes.fact_types import RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.plan.annotation_files import delivers_by_files
from auditlog.plan.file_change import FileChange
from auditlog.plan.identity import taken_over
from auditlog.plan.plan_error import PlanError
from auditlog.settings import Host, Settings


@dataclass(frozen=True, slots=True)
class RemovalPlan:
    """Each edit with the node or cluster it is on and what to say about it, in the order in which they are made.

    ``has_webhook`` says whether the nodes that are ``gone`` had the webhook's kubeconfig too, and
    ``has_annotation_files`` whether they had the files that annotate.
    """

    changes: tuple[tuple[str, tuple[str, ...], FileChange], ...]
    gone: tuple[Host, ...]
    has_webhook: bool = False
    has_annotation_files: bool = False


def plan_removal(settings: Settings, facts: Mapping[str, Facts], owner: str) -> RemovalPlan:
    """The reverse edits on nodes with these facts. Raises PlanError with every node that is another stack's,
    and with what is wrong with the cluster."""
    planned = {name: taken_over(each, owner, settings.take_over)[0] for name, each in facts.items()}
    problems = [f"{name}: {problem}" for name, each in planned.items() for problem in errors(other_owner(each, owner))]
    if any(each.changed_by_stack for each in facts.values()):
        problems += [f"{name}: {problem}" for name in facts for problem in errors(cluster_findings(name, facts))]
    if problems:
        raise PlanError(problems)
    changes: list[tuple[str, tuple[str, ...], FileChange]] = []
    config = next((each.kubeadm_config for each in facts.values() if each.kubeadm_config), None)
    earlier_config = next((each.before_kubeadm_config for each in facts.values() if each.before_kubeadm_config), None)
    if config is not None and earlier_config is not None:
        change = FileChange("kube-system/kubeadm-config", config.text, earlier_config.text, None, config.token)
        changes.append((settings.cluster, ("kubeadm-config is restored as it was before audit logging",), change))
    for name, each in reversed(list(facts.items())):
        if each.changed_by_stack and each.manifest is not None:
            change = _given_back(MANIFEST, each.manifest, each.before_manifest or each.manifest)
            changes.append((name, ("restart, the manifest is restored as it was before audit logging",), change))
    for name, each in facts.items():
        if each.changed_by_stack and each.policy is not None:
            change = _given_back(settings.policy.path, each.policy, each.before_policy)
            changes.append((name, ("the policy file is removed after the restart",), change))
        if each.changed_by_stack and delivers_by_files(each):
            paths = {ADMISSION_PATH: each.admission, settings.annotations.static_path: each.static_policies}
            for path, live in paths.items():
                if live is not None:
                    change = _given_back(path, live, None)
                    changes.append((name, ("the file is removed after the restart",), change))
    return RemovalPlan(
        tuple(change for change in changes if not change[2].in_sync),
        tuple(node for node in settings.nodes if node.gone),
        settings.webhook is not None,
        settings.annotations.in_files,
    )


def _given_back(path: str, live: RemoteFile, before: RemoteFile | None) -> FileChange:
    return FileChange(path, live.text, before.text if before else "", None, live.token)
