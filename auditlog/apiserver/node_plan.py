"""What happens to one control-plane node: a pure function of the settings and of the node's facts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.apiserver import manifest
from auditlog.apiserver.companions import Companion, webhook_companion
from auditlog.apiserver.desired import POLICY_FLAG, AuditConfiguration, sha256
from auditlog.apiserver.facts import Facts
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
    manifest is the stack's own. ``webhook`` is the webhook's kubeconfig, None without a webhook; its text is no part of
    the plan. ``staged_webhook_sha256`` is as of the policy.
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
    webhook: Companion | None = None
    staged_webhook_sha256: str | None = None

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
        policy_file, webhook = _companions(settings, live, policy_text, facts)
        files = (policy_file, webhook) if webhook is not None else (policy_file,)
        behind = _process_behind(facts, live, files)
        stamps = [file.stamp(behind=behind is not None) for file in files]
        planned = plan_manifest(configuration, facts.manifest, facts, *stamps)
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
        restart=behind is not None and change.in_sync and all(file.in_sync for file in files),
        scripts_sha256=facts.scripts_sha256,
        staged_policy_sha256=facts.staged_policy_sha256,
        owned=planned.owned,
        reasons=_reasons(files, planned, behind, facts),
        webhook=webhook,
        staged_webhook_sha256=facts.staged_webhook_sha256,
    )


def _companions(settings: Settings, live: str, policy_text: str, facts: Facts) -> tuple[Companion, Companion | None]:
    """The policy, and the webhook's kubeconfig where there is one."""
    flags = manifest.flag_values(manifest.arguments(live))
    policy = Companion(
        what="policy file",
        path=settings.policy.path,
        live=facts.policy.hashed if facts.policy else None,
        desired_sha256=sha256(policy_text),
        annotation=manifest.policy_annotation(live),
        is_named=POLICY_FLAG in flags,
    )
    return policy, webhook_companion(settings.webhook, facts, flags, manifest.webhook_annotation(live))


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


def _process_behind(facts: Facts, live: str, files: Sequence[Companion]) -> str | None:
    """Why the running process does not do what the files on the node say; None when it does."""
    if not facts.processes:
        return "no API server runs"
    expected = manifest.arguments(live)
    matching = [process for process in facts.processes if process.arguments == expected]
    if not matching:
        return "the running API server has other arguments than the manifest"
    started = max(process.started for process in matching)
    newer = next((file for file in files if file.is_newer_than(started)), None)
    return None if newer is None else f"the running API server is older than its {newer.what}"


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


def _reasons(files: Sequence[Companion], planned: ManifestPlan, behind: str | None, facts: Facts) -> tuple[str, ...]:
    reasons = [reason for reason in (file.reason() for file in files) if reason is not None]
    reasons += planned.reasons
    if behind is not None:
        reasons.append(behind)
    if not planned.change.in_sync and not reasons:
        reasons.append("the manifest lacks a mount or the hash of a file that it names")
    if facts.unfinished_change:
        reasons.append("an earlier change of the node was cut off and is to be finished")
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
