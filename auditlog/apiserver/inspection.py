"""What is true of audit logging on nodes that nobody told us anything about. Pure: from facts to reports.

``inspect_node`` looks at one node, ``inspect_cluster`` at all of them and at what they do not have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditlog.apiserver import manifest
from auditlog.apiserver.backends import LogBackend, WebhookBackend, log_backend, webhook_backend
from auditlog.apiserver.comparison import AUDIT, Disagreement, compare
from auditlog.apiserver.desired import POLICY_FLAG, Flag, sha256
from auditlog.apiserver.facts import Facts, RemoteFile
from auditlog.apiserver.kubeadm_config import KubeadmConfigError, kubernetes_version
from auditlog.apiserver.manifest import MANIFEST_PATH, ManifestError
from auditlog.policy.coverage import cover
from auditlog.policy.lint import Finding, Severity, lint
from auditlog.policy.model import NEWEST_MINOR, SUPPORTED_MINORS, Problem
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.read import parse_policy
from auditlog.policy.validate import validate
from auditlog.settings import STDOUT


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """The policy on a node. ``preset`` has the same text, ``same_rules_as`` only the same rules.

    ``minor`` is the Kubernetes version it was checked for; ``problems`` are what that API server refuses. Lint findings
    and ``not_recorded``, the requests that leave no event, are empty for a policy that it refuses.
    """

    path: str
    sha256: str
    preset: str | None
    same_rules_as: str | None
    minor: int
    problems: tuple[Problem, ...]
    lint: tuple[Finding, ...]
    not_recorded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes for the log file: the most it takes (None: no limit), what it takes now, and what is free beside it."""

    worst_case: int | None
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. ``kubernetes`` is the API server's version, None where nothing tells it; ``owner`` the Pulumi stack.

    ``audit_is_on`` says whether the running API server, or without one the manifest, has a policy and a backend.
    """

    name: str
    hostname: str
    kubernetes: str | None
    owner: str | None
    audit_is_on: bool
    flags: tuple[Flag, ...]
    log: LogBackend | None
    webhook: WebhookBackend | None
    policy: PolicyReport | None
    disk: Disk | None
    disagreements: tuple[Disagreement, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing was found; a lint finding that is silenced, or is information only, is none."""
        linted = self.policy.lint if self.policy else ()
        return not self.disagreements and not any(
            finding.silenced is None and finding.severity is not Severity.INFO for finding in linted
        )


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """All nodes that could be read, and what they do not have in common."""

    nodes: tuple[NodeReport, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def is_well(self) -> bool:
        return not self.disagreements and all(node.is_well for node in self.nodes)


def inspect_cluster(facts: Mapping[str, Facts]) -> ClusterReport:
    """The report on these nodes, by the names they are to have in it."""
    nodes = tuple(inspect_node(name, each) for name, each in facts.items())
    return ClusterReport(nodes, tuple(_between(nodes)))


def inspect_node(name: str, facts: Facts) -> NodeReport:
    """The report on one node. It raises nothing: a node that cannot be understood has a report that says so."""
    if facts.manifest is None:
        problem = Disagreement(
            "no-manifest",
            f"{MANIFEST_PATH} is not there",
            "this is not a control-plane node of a kubeadm cluster",
        )
        return _unreadable(name, facts, problem)
    try:
        return _inspect(name, facts, facts.manifest)
    except ManifestError as error:
        problem = Disagreement(
            "manifest-unreadable", f"{MANIFEST_PATH} {error}", "nothing more can be said about this node"
        )
        return _unreadable(name, facts, problem)


def _inspect(name: str, facts: Facts, live: RemoteFile) -> NodeReport:
    flags = manifest.flag_values(manifest.arguments(live.text))
    version = manifest.image_version(live.text) or _recorded_version(facts)
    minor = int(version.split(".")[1]) if version else NEWEST_MINOR
    log, webhook = log_backend(flags, minor), webhook_backend(flags)
    mode = log.mode if log else None
    policy = _inspect_policy(facts.policy, facts.policy_path or flags.get(POLICY_FLAG, ""), minor, mode)
    disk = None
    if log is not None and log.path != STDOUT:
        disk = Disk(log.worst_case_bytes, facts.log_used_bytes, facts.log_free_bytes)
    running = manifest.flag_values(facts.processes[-1].arguments) if facts.processes else flags
    return NodeReport(
        name=name,
        hostname=facts.hostname,
        kubernetes=version,
        owner=facts.owner,
        audit_is_on=_is_on(running),
        flags=tuple(Flag(flag, value) for flag, value in sorted(flags.items()) if flag.startswith(AUDIT)),
        log=log,
        webhook=webhook,
        policy=policy,
        disk=disk,
        disagreements=(*_recording(flags), *_policy_problems(policy), *compare(facts), *_space(log, disk)),
    )


def _unreadable(name: str, facts: Facts, problem: Disagreement) -> NodeReport:
    running = manifest.flag_values(facts.processes[-1].arguments) if facts.processes else {}
    return NodeReport(name, facts.hostname, None, facts.owner, _is_on(running), (), None, None, None, None, (problem,))


def _is_on(flags: Mapping[str, str]) -> bool:
    return bool(flags.get(POLICY_FLAG)) and (log_backend(flags, NEWEST_MINOR) or webhook_backend(flags)) is not None


def _recorded_version(facts: Facts) -> str | None:
    try:
        return kubernetes_version(facts.kubeadm_config.text) if facts.kubeadm_config else None
    except KubeadmConfigError:
        return None


def _inspect_policy(file: RemoteFile | None, path: str, minor: int, mode: str | None) -> PolicyReport | None:
    if file is None:
        return None
    checked = min(max(minor, SUPPORTED_MINORS[0]), SUPPORTED_MINORS[-1])
    preset = next((name for name in preset_names() if preset_text(name) == file.text), None)
    parsed = parse_policy(file.text, path)
    problems = parsed.problems
    if parsed.policy is None or problems:
        return PolicyReport(path, sha256(file.text), preset, None, checked, tuple(problems), (), ())
    policy = parsed.policy
    same = next((name for name in preset_names() if parse_policy(preset_text(name), name).policy == policy), None)
    refused = tuple(validate(policy, checked))
    return PolicyReport(
        path=path,
        sha256=sha256(file.text),
        preset=preset,
        same_rules_as=same,
        minor=checked,
        problems=refused,
        lint=() if refused else lint(policy, file.text, checked, audit_log_mode=mode),
        not_recorded=() if refused else cover(policy, checked).never_recorded,
    )


def _recording(flags: Mapping[str, str]) -> Iterator[Disagreement]:
    policy = bool(flags.get(POLICY_FLAG))
    backend = bool(flags.get("audit-log-path") or flags.get("audit-webhook-config-file"))
    if not policy and not backend:
        yield Disagreement(
            "audit-off", "the manifest has neither a policy nor a backend", "nobody can tell afterwards who did what"
        )
    elif not policy:
        yield Disagreement(
            "no-policy", f"the manifest has a backend, and no --{POLICY_FLAG}", "not a single event is written"
        )
    elif not backend:
        yield Disagreement(
            "no-backend",
            "the manifest has a policy, and neither --audit-log-path nor --audit-webhook-config-file",
            "not a single event is written",
        )


def _policy_problems(policy: PolicyReport | None) -> Iterator[Disagreement]:
    for problem in policy.problems if policy else ():
        yield Disagreement(
            "policy-refused",
            f"{policy.path if policy else ''}:{problem.line}:{problem.column}: {problem.message}",
            f"the API server of 1.{policy.minor if policy else ''} does not start with this policy",
        )


def _space(log: LogBackend | None, disk: Disk | None) -> Iterator[Disagreement]:
    if log is None or disk is None:
        return
    if log.worst_case_bytes is None:
        yield Disagreement(
            "disk-unbounded",
            _why_unbounded(log),
            "the log grows until the disk is full, and a full disk takes the API server and etcd with it",
        )
    elif log.worst_case_bytes > disk.free + disk.used:
        yield Disagreement(
            "disk-too-small",
            f"the log may take {log.max_size} MB x ({log.max_backup} + 1) files, "
            f"and its file system has room for {(disk.free + disk.used) // 1024**2} MB",
            "the disk is full before the first file is deleted; lower --audit-log-maxbackup or --audit-log-maxsize",
        )


def _why_unbounded(log: LogBackend) -> str:
    if log.max_size is None:
        return "--audit-log-maxsize=0 turns rotation off"
    if "audit-log-maxbackup" in log.unset:
        return "--audit-log-maxbackup is not set, and this Kubernetes version then keeps every file"
    return "--audit-log-maxbackup=0 keeps every file"


def _between(nodes: tuple[NodeReport, ...]) -> Iterator[Disagreement]:
    """What nodes do not have in common. A client meets any of them, so the same request leaves other traces."""
    yield from _differing(
        "nodes-differ-kubernetes",
        "Kubernetes versions",
        {node.name: node.kubernetes or "unknown" for node in nodes},
        "an upgrade is under way or was not finished; a policy has to be valid for all of them",
    )
    yield from _differing(
        "nodes-differ-policy",
        "policies",
        {node.name: f"sha256 {node.policy.sha256[:12]}" if node.policy else "none" for node in nodes},
        "what is recorded of a request depends on the node that answers it",
    )
    for flag in sorted({flag.name for node in nodes for flag in node.flags}):
        values = {node.name: next((each.value for each in node.flags if each.name == flag), "unset") for node in nodes}
        yield from _differing(
            "nodes-differ-flags",
            f"values of --{flag}",
            values,
            "what is recorded, or how long it is kept, depends on the node that answers",
        )


def _differing(finding: str, what: str, values: Mapping[str, str], consequence: str) -> Iterator[Disagreement]:
    if len(set(values.values())) > 1:
        seen = ", ".join(f"{name}: {value}" for name, value in values.items())
        yield Disagreement(finding, f"the nodes have different {what}: {seen}", consequence)
