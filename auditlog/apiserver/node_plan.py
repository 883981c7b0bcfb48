"""What happens to one control-plane node: a pure function of the settings and of the node's facts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from auditlog.apiserver import manifest
from auditlog.apiserver.desired import AuditConfiguration, sha256
from auditlog.apiserver.facts import Facts, Process
from auditlog.apiserver.file_change import ABSENT, FileChange
from auditlog.apiserver.manifest import MANIFEST_PATH, ManifestError
from auditlog.apiserver.manifest_plan import ManifestPlan, plan_manifest
from auditlog.apiserver.ownership import Owned
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import SUPPORTED_MINORS, Level, Policy, PolicyError, Request, Stage
from auditlog.policy.selection import policy_source
from auditlog.policy.validate import load_policy
from auditlog.settings import Host, LogFormat, Settings


class PlanError(Exception):
    """The nodes are not in a state that can be changed safely. ``problems`` holds one line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What happens to one control-plane node.

    The ``arguments`` hashes are of ``/proc/<pid>/cmdline`` of the process that a manifest leads to: the desired one,
    the live one, and the one that removal gives back. ``restart`` says that the process must be ended although both
    files are right. ``reasons`` is empty when nothing is to be done. ``scripts_sha256`` and ``staged_policy_sha256``
    are of the node's copy of the node side and of the policy that waits there. ``owned`` is what of the desired
    manifest is the stack's own.
    """

    node: Host
    kubernetes_minor: int
    policy: FileChange
    manifest: FileChange
    arguments_sha256: str
    arguments_live_sha256: str
    arguments_before_sha256: str
    endpoint: str
    marker_is_recorded: bool
    restart: bool
    scripts_sha256: str | None
    staged_policy_sha256: str | None
    owned: Owned
    reasons: tuple[str, ...]

    @property
    def in_sync(self) -> bool:
        return not self.reasons

    @property
    def policy_reasons(self) -> tuple[str, ...]:
        """The reasons that are about the policy file."""
        return tuple(reason for reason in self.reasons if self.policy.path in reason)


def plan_node(
    node: Host, settings: Settings, configuration: AuditConfiguration, policy_text: str, facts: Facts, owner: str
) -> NodePlan:
    _check_node(facts, owner)
    if facts.manifest is None:
        raise PlanError([f"{MANIFEST_PATH} is not there: not a control-plane node of a kubeadm cluster"])
    live = facts.manifest.text
    try:
        minor = _nearest_known_minor(live)
        policy = _policy_for(minor, policy_text, settings)
        behind = _process_behind(facts, live, policy_text)
        stamp = sha256(policy_text) if _needs_stamp(facts, live, policy_text, behind) else None
        planned = plan_manifest(configuration, facts.manifest, facts, stamp)
        change = planned.change
        arguments = manifest.arguments(change.desired)
        arguments_live, arguments_before = manifest.arguments(live), manifest.arguments(change.before or "")
    except ManifestError as error:
        raise PlanError([f"{MANIFEST_PATH} {error}"]) from error
    unsupported = [argument for argument in arguments if "$(" in argument]
    if unsupported:
        raise PlanError([f"{MANIFEST_PATH} uses {unsupported[0]!r}: arguments that kubelet expands cannot be verified"])
    policy_before = facts.before_policy if facts.changed_by_stack else facts.policy
    policy_change = FileChange(
        path=settings.policy.path,
        live=facts.policy.text if facts.policy else None,
        desired=policy_text,
        before=policy_before.text if policy_before else None,
        token=facts.policy.token if facts.policy else ABSENT,
    )
    return NodePlan(
        node=node,
        kubernetes_minor=minor,
        policy=policy_change,
        manifest=change,
        arguments_sha256=_arguments_sha256(arguments),
        arguments_live_sha256=_arguments_sha256(arguments_live),
        arguments_before_sha256=_arguments_sha256(arguments_before),
        endpoint=_endpoint(arguments),
        marker_is_recorded=records_marker(policy) and _log_shows_names(settings),
        restart=behind is not None and change.in_sync and policy_change.in_sync,
        scripts_sha256=facts.scripts_sha256,
        staged_policy_sha256=facts.staged_policy_sha256,
        owned=planned.owned,
        reasons=_reasons(policy_change, planned, behind, facts),
    )


def check_owner(facts: Facts, owner: str) -> str | None:
    """Why the node is not ``owner``'s to change; None when it is."""
    if facts.owner in (None, owner):
        return None
    return (
        f"its audit logging belongs to the stack {facts.owner!r}, and this is {owner!r}; destroy that stack first, "
        "or remove /etc/kubernetes/audit-logging/owner on the node if it is no more"
    )


def _check_node(facts: Facts, owner: str) -> None:
    problems = []
    if facts.missing_tools:
        problems.append(f"the node lacks {', '.join(facts.missing_tools)}, which changing it needs")
    other_owner = check_owner(facts, owner)
    if other_owner is not None:
        problems.append(other_owner)
    problems.extend(
        f"{stray} in /etc/kubernetes/manifests defines kube-apiserver too, and kubelet may run it in place of "
        f"kube-apiserver.yaml; move it out: mv /etc/kubernetes/manifests/{stray} /etc/kubernetes/"
        for stray in facts.stray_manifests
    )
    if problems:
        raise PlanError(problems)


def _nearest_known_minor(manifest_text: str) -> int:
    """The node's minor version; the nearest one whose rules are known when it is another or cannot be told."""
    version = manifest.image_version(manifest_text)
    oldest, newest = SUPPORTED_MINORS[0], SUPPORTED_MINORS[-1]
    return newest if version is None else min(max(int(version.split(".")[1]), oldest), newest)


def _policy_for(minor: int, policy_text: str, settings: Settings) -> Policy:
    try:
        return load_policy(policy_text, policy_source(settings.policy), minor)
    except PolicyError as error:
        raise PlanError([f"the policy is not valid on Kubernetes 1.{minor}: {error}"]) from error


def _process_behind(facts: Facts, live: str, policy_text: str) -> str | None:
    """Why the running process does not do what the files on the node say; None when it does."""
    if not facts.processes:
        return "no API server runs"
    expected = manifest.arguments(live)
    matching = [process for process in facts.processes if process.arguments == expected]
    if not matching:
        return "the running API server has other arguments than the manifest"
    policy = facts.policy
    if policy is None or policy.text != policy_text or manifest.flag_value(expected, "audit-policy-file") is None:
        return None
    if _started(matching) < policy.modified and manifest.policy_annotation(live) != sha256(policy_text):
        return "the running API server is older than its policy file"
    return None


def _started(processes: list[Process]) -> int:
    return max(process.started for process in processes)


def _needs_stamp(facts: Facts, live: str, policy_text: str, behind: str | None) -> bool:
    """Whether the manifest must name the policy's hash to make kubelet restart the API server.

    A manifest without the annotation, as kubeadm writes it, is in sync when the policy was there before the process.
    """
    if manifest.policy_annotation(live) is not None or behind is not None:
        return True
    return facts.policy is None or facts.policy.text != policy_text


def records_marker(policy: Policy) -> bool:
    """Whether the policy writes an event for the request that the node makes to prove that events arrive.

    It is the creation of a ConfigMap in kube-system, as a dry run, by the node's own administrator (admin.conf).
    """
    request = Request(
        user="kubernetes-admin",
        groups=("kubeadm:cluster-admins", "system:authenticated"),
        verb="create",
        api_version="v1",
        resource="configmaps",
        namespace="kube-system",
        path="/api/v1/namespaces/kube-system/configmaps",
    )
    decision = evaluate(policy, request)
    return decision.level != Level.NONE and Stage.RESPONSE_COMPLETE not in decision.omit_stages


def _log_shows_names(settings: Settings) -> bool:
    """Whether the log's lines hold the marker's name, which the legacy format leaves out."""
    return settings.log is not None and settings.log.format != LogFormat.LEGACY


def _reasons(policy: FileChange, planned: ManifestPlan, behind: str | None, facts: Facts) -> tuple[str, ...]:
    reasons: list[str] = []
    if policy.live is None:
        reasons.append(f"the policy file {policy.path} is not there")
    elif not policy.in_sync:
        reasons.append(f"the policy file {policy.path} differs")
    reasons += planned.reasons
    if behind is not None:
        reasons.append(behind)
    if not planned.change.in_sync and not reasons:
        reasons.append("the manifest lacks a mount or the policy's hash")
    if facts.unfinished_change:
        reasons.append("an earlier change of the node was cut off and is to be finished")
        if facts.kubeadm_config is not None and facts.kubeadm_config.stale:
            reasons.append("no API server answers; kubeadm-config is taken as it was when that change began")
    return tuple(reasons)


def _arguments_sha256(argument_list: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(f"{argument}\0" for argument in argument_list).encode()).hexdigest()


def _endpoint(argument_list: tuple[str, ...]) -> str:
    """Where this node's own API server answers: loopback, unless it listens on one address only."""
    port = manifest.flag_value(argument_list, "secure-port") or "6443"
    address = manifest.flag_value(argument_list, "bind-address") or "0.0.0.0"  # noqa: S104  compared, never bound
    if address in ("0.0.0.0", "::"):  # noqa: S104
        address = "127.0.0.1"
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
