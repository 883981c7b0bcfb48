"""From settings and facts to what is to change on every node, and why. Pure: it dials nothing and writes nothing."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.apiserver import kubeadm_config, manifest, yaml_edit
from auditlog.apiserver.desired import AuditConfiguration, audit_configuration, sha256
from auditlog.apiserver.facts import Facts, Process
from auditlog.apiserver.kubeadm_config import KubeadmConfigError
from auditlog.apiserver.manifest import ManifestError
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import SUPPORTED_MINORS, Level, Policy, PolicyError, Request, Stage
from auditlog.policy.validate import load_policy
from auditlog.settings import Host, Settings

MANIFEST_PATH = "/etc/kubernetes/manifests/kube-apiserver.yaml"
ABSENT = "absent"
_PASSWORD_IN_URL = re.compile(r"(://[^/\s:@\"']+:)[^/\s@\"']+@")


class PlanError(Exception):
    """The nodes are not in a state that can be changed safely. ``problems`` holds one line for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class FileChange:
    """A text that lives on the node or in the cluster: as it is, as it shall be, as removal gives it back.

    ``live`` is None where there is none. ``token`` names the live text at its time, for the comparison right before
    the write. ``before`` is None where removal leaves nothing.
    """

    path: str
    live: str | None
    desired: str
    before: str | None
    token: str

    @property
    def in_sync(self) -> bool:
        return self.live == self.desired

    def diff(self) -> str:
        """The unified diff from the live text to the desired one; empty when they are equal."""
        live, desired = (self.live or "").splitlines(keepends=True), self.desired.splitlines(keepends=True)
        source = self.path if self.live is not None else "/dev/null"
        lines = difflib.unified_diff(live, desired, source, self.path)
        without_end = "\n\\ No newline at end of file\n"
        return "".join(line if line.endswith("\n") else line + without_end for line in lines)

    @property
    def carries_credentials(self) -> bool:
        """Whether one of the texts holds a URL with a password, as a proxy setting may (design decision 3)."""
        return any(_PASSWORD_IN_URL.search(text) for text in (self.live, self.desired, self.before) if text)

    def masked_diff(self) -> str:
        """The diff with passwords in URLs replaced by dots, for logs."""
        return _PASSWORD_IN_URL.sub(r"\1…@", self.diff())


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What happens to one control-plane node.

    The ``arguments`` hashes are of ``/proc/<pid>/cmdline`` of the process that a manifest leads to: the desired one,
    the live one, and the one that removal gives back. ``restart`` says that the process must be ended although both
    files are right. ``reasons`` is empty when nothing is to be done. ``scripts_sha256`` and ``staged_policy_sha256``
    are of the node's copy of the node side and of the policy that waits there.
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
    reasons: tuple[str, ...]

    @property
    def in_sync(self) -> bool:
        return not self.reasons

    @property
    def policy_reasons(self) -> tuple[str, ...]:
        """The reasons that are about the policy file."""
        return tuple(reason for reason in self.reasons if self.policy.path in reason)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole stack's plan; nodes in the order in which they are changed."""

    cluster: str
    nodes: tuple[NodePlan, ...]
    kubeadm_config: FileChange
    kubeadm_config_reasons: tuple[str, ...]

    def keeps_scripts(self, node: NodePlan, script: str) -> bool:
        """Whether the node's copy of the node side stays: it is ``script`` already, or nothing there calls it now."""
        if node.scripts_sha256 == sha256(script):
            return True
        writes_kubeadm_config = node is self.nodes[0] and not self.kubeadm_config.in_sync
        return node.scripts_sha256 is not None and node.in_sync and not writes_kubeadm_config


def make_plan(settings: Settings, policy_text: str, facts: Mapping[str, Facts], owner: str) -> Plan:
    """The plan for these settings on nodes with these facts.

    ``policy_text`` is a policy that was read and validated; it is checked once more for each node's own version.
    ``owner`` names this stack in the marker on the nodes. Raises PlanError with every problem of every node.
    """
    configuration = audit_configuration(settings.policy, settings.log)
    problems: list[str] = []
    nodes: list[NodePlan] = []
    for node in settings.nodes:
        try:
            nodes.append(_plan_node(node, settings, configuration, policy_text, facts[node.name], owner))
        except PlanError as error:
            problems.extend(f"{node.name}: {problem}" for problem in error.problems)
    config: FileChange | None = None
    try:
        config = _plan_kubeadm_config(configuration, facts[settings.nodes[0].name], facts)
    except PlanError as error:
        problems.extend(error.problems)
    if problems or config is None:
        raise PlanError(problems)
    return Plan(settings.cluster, tuple(nodes), config, _kubeadm_config_reasons(config))


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


def _plan_node(
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
        desired = manifest.edit(live, configuration, stamp)
        if not facts.changed_by_stack or facts.before_manifest is None:
            before = live
        else:
            recorded = facts.before_manifest.text
            before = _given_back(manifest.revert(desired, recorded, configuration), recorded)
        arguments = manifest.arguments(desired)
        arguments_live, arguments_before = manifest.arguments(live), manifest.arguments(before)
    except ManifestError as error:
        raise PlanError([f"{MANIFEST_PATH} {error}"]) from error
    unsupported = [argument for argument in arguments if "$(" in argument]
    if unsupported:
        raise PlanError([f"{MANIFEST_PATH} uses {unsupported[0]!r}: arguments that kubelet expands cannot be verified"])
    policy_before = facts.before_policy if facts.changed_by_stack else facts.policy
    manifest_change = FileChange(MANIFEST_PATH, live, desired, before, facts.manifest.token)
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
        manifest=manifest_change,
        arguments_sha256=_arguments_sha256(arguments),
        arguments_live_sha256=_arguments_sha256(arguments_live),
        arguments_before_sha256=_arguments_sha256(arguments_before),
        endpoint=_endpoint(arguments),
        marker_is_recorded=records_marker(policy),
        restart=behind is not None and manifest_change.in_sync and policy_change.in_sync,
        scripts_sha256=facts.scripts_sha256,
        staged_policy_sha256=facts.staged_policy_sha256,
        reasons=_reasons(policy_change, manifest_change, configuration, behind, facts),
    )


def _check_node(facts: Facts, owner: str) -> None:
    problems = []
    if facts.missing_tools:
        problems.append(f"the node lacks {', '.join(facts.missing_tools)}, which changing it needs")
    if facts.owner is not None and facts.owner != owner:
        problems.append(
            f"its audit logging belongs to the stack {facts.owner!r}, and this is {owner!r}; destroy that stack first, "
            "or remove /etc/kubernetes/audit-logging/owner on the node if it is no more"
        )
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
        return load_policy(policy_text, settings.policy.file or f"preset {settings.policy.preset}", minor)
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


def _given_back(reverted: str, recorded: str) -> str:
    """What removal gives back: the recorded text, byte for byte, while nothing but audit logging has changed since."""
    return recorded if yaml_edit.load(reverted) == yaml_edit.load(recorded) else reverted


def _plan_kubeadm_config(configuration: AuditConfiguration, first: Facts, facts: Mapping[str, Facts]) -> FileChange:
    """From what any node could read: the others may be able to while one API server is away."""
    found = next((each.kubeadm_config for each in facts.values() if each.kubeadm_config is not None), None)
    if found is None:
        reasons = [f"{name}: {each.kubeadm_config_error or 'no answer'}" for name, each in facts.items()]
        raise PlanError(["the ConfigMap kube-system/kubeadm-config cannot be read; " + "; ".join(reasons)])
    live = found.text
    try:
        desired = kubeadm_config.edit(live, configuration)
        if first.before_kubeadm_config is None:
            before = live
        else:
            recorded = first.before_kubeadm_config.text
            before = _given_back(kubeadm_config.revert(desired, recorded, configuration), recorded)
    except KubeadmConfigError as error:
        raise PlanError([f"ClusterConfiguration in kube-system/kubeadm-config {error}"]) from error
    return FileChange("kube-system/kubeadm-config", live, desired, before, found.token)


def _reasons(
    policy: FileChange,
    manifest_change: FileChange,
    configuration: AuditConfiguration,
    behind: str | None,
    facts: Facts,
) -> tuple[str, ...]:
    reasons: list[str] = []
    if policy.live is None:
        reasons.append(f"the policy file {policy.path} is not there")
    elif not policy.in_sync:
        reasons.append(f"the policy file {policy.path} differs")
    argument_list = manifest.arguments(manifest_change.live or "")
    for flag in configuration.flags:
        there = manifest.flag_value(argument_list, flag.name)
        if there is None:
            reasons.append(f"the manifest lacks --{flag.name}")
        elif there != flag.value:
            reasons.append(f"the manifest has --{flag.name}={there}, not {flag.value}")
    if behind is not None:
        reasons.append(behind)
    if not manifest_change.in_sync and not reasons:
        reasons.append("the manifest lacks a mount or the policy's hash")
    if facts.unfinished_change:
        reasons.append("an earlier change of the node was cut off and is to be finished")
    return tuple(reasons)


def _kubeadm_config_reasons(change: FileChange) -> tuple[str, ...]:
    if change.in_sync:
        return ()
    live, desired = kubeadm_config.extra_args(change.live or ""), kubeadm_config.extra_args(change.desired)
    lacking = [name for name, value in desired.items() if live.get(name) != value]
    names = ", ".join(lacking) if lacking else "a volume"
    return (f"kubeadm-config lacks {names}: the next kubeadm upgrade or join would drop it",)


def _arguments_sha256(argument_list: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(f"{argument}\0" for argument in argument_list).encode()).hexdigest()


def _endpoint(argument_list: tuple[str, ...]) -> str:
    """Where this node's own API server answers: loopback, unless it listens on one address only."""
    port = manifest.flag_value(argument_list, "secure-port") or "6443"
    address = manifest.flag_value(argument_list, "bind-address") or "0.0.0.0"  # noqa: S104  compared, never bound
    if address in ("0.0.0.0", "::"):  # noqa: S104
        address = "127.0.0.1"
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
