"""What is true of audit logging on nodes that nobody told us anything about. Pure: from facts to reports.

``inspect_node`` looks at one node, ``inspect_cluster`` at all of them and at what they do not have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditlog.checks.api_server import ApiServer
from auditlog.checks.audit_state import audit_is_on
from auditlog.checks.between_nodes import NodeTraits, differences
from auditlog.checks.catalogue import live_findings
from auditlog.checks.disk import Disk, disk_of
from auditlog.checks.finding import Finding
from auditlog.checks.node_state import kind_of_node, kubelet
from auditlog.manifest.audit_flags import AUDIT, POLICY_FLAG
from auditlog.manifest.backends import LogBackend, WebhookBackend, log_backend, webhook_backend
from auditlog.manifest.desired import Flag, sha256
from auditlog.manifest.manifest import ManifestError
from auditlog.node_paths import MANIFEST
from auditlog.nodes.fact_types import RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.nodes.flagz import Witness, witness
from auditlog.nodes.kubernetes_version import kubernetes_version
from auditlog.policy.coverage import cover
from auditlog.policy.lint import Finding as LintFinding
from auditlog.policy.lint import Severity, lint
from auditlog.policy.model import NEWEST_MINOR, SUPPORTED_MINORS, Problem
from auditlog.policy.presets import preset_names, preset_text, without_header
from auditlog.policy.read import parse_policy
from auditlog.policy.validate import validate

LEADING = ("no-manifest", "manifest-unreadable", "kubelet-down", "no-process", "api-server-silent")
"""Ids of the findings that come before all others about a node: while one of them holds, the others may be its
consequences."""


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
    lint: tuple[LintFinding, ...]
    not_recorded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. ``kubernetes`` is the API server's version, None where nothing tells it; ``owner`` the Pulumi stack.

    ``audit_is_on`` says whether the running API server, or without one the manifest, has a policy and a backend.
    ``flagz`` says whether the API server's own account of its audit flags agrees with that. ``dead_apis`` are the
    cluster's aggregated APIs whose backends do not answer, each with the reason.
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
    disagreements: tuple[Finding, ...]
    flagz: Witness = Witness.UNKNOWN
    dead_apis: tuple[str, ...] = ()

    @property
    def trouble(self) -> Finding | None:
        """What a person has to know first; None where the API server runs and answers."""
        return next((each for each in self.disagreements if each.id in LEADING), None)

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
    disagreements: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        return not self.disagreements and all(node.is_well for node in self.nodes)


def inspect_cluster(facts: Mapping[str, Facts]) -> ClusterReport:
    """The report on these nodes, by the names they are to have in it."""
    nodes = tuple(inspect_node(name, each) for name, each in facts.items())
    return ClusterReport(nodes, tuple(differences([_traits(node) for node in nodes])))


def inspect_node(name: str, facts: Facts) -> NodeReport:
    """The report on one node. It raises nothing: a node that cannot be understood has a report that says so."""
    if facts.manifest is None:
        return _unreadable(name, facts, *kind_of_node(facts), *kubelet(facts))
    try:
        return _inspect(name, facts, facts.manifest)
    except ManifestError as error:
        problem = Finding("manifest-unreadable", f"{MANIFEST} {error}", "nothing more can be said about this node")
        return _unreadable(name, facts, problem)


def _inspect(name: str, facts: Facts, live: RemoteFile) -> NodeReport:
    version = kubernetes_version(live.text, facts)
    minor = int(version.split(".")[1]) if version else NEWEST_MINOR
    server = ApiServer.of(facts, live.text, minor)
    flags = server.flags
    log, webhook = log_backend(flags, minor), webhook_backend(flags)
    mode = log.mode if log else None
    policy = _inspect_policy(facts.policy, facts.policy_path or flags.get(POLICY_FLAG, ""), minor, mode)
    return NodeReport(
        name=name,
        hostname=facts.hostname,
        kubernetes=version,
        owner=facts.owner,
        audit_is_on=audit_is_on(facts, flags),
        flags=tuple(Flag(flag, value) for flag, value in sorted(flags.items()) if flag.startswith(AUDIT)),
        log=log,
        webhook=webhook,
        policy=policy,
        disk=disk_of(log, facts),
        disagreements=_leading_first((*_policy_problems(policy), *live_findings(server))),
        flagz=witness(facts, flags),
        dead_apis=facts.dead_apis,
    )


def _unreadable(name: str, facts: Facts, *found: Finding) -> NodeReport:
    is_on = audit_is_on(facts, {})
    return NodeReport(name, facts.hostname, None, facts.owner, is_on, (), None, None, None, None, _leading_first(found))


def _leading_first(found: Sequence[Finding]) -> tuple[Finding, ...]:
    order = {identifier: place for place, identifier in enumerate(LEADING)}
    return tuple(sorted(found, key=lambda each: order.get(each.id, len(order))))


def _inspect_policy(file: RemoteFile | None, path: str, minor: int, mode: str | None) -> PolicyReport | None:
    if file is None:
        return None
    checked = min(max(minor, SUPPORTED_MINORS[0]), SUPPORTED_MINORS[-1])
    text = without_header(file.text)
    preset = next((name for name in preset_names() if without_header(preset_text(name)) == text), None)
    parsed = parse_policy(file.text, path)
    if parsed.policy is None or parsed.fatal:
        return PolicyReport(path, sha256(file.text), preset, None, checked, parsed.problems, (), ())
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


def _policy_problems(policy: PolicyReport | None) -> Iterator[Finding]:
    for problem in policy.problems if policy else ():
        yield Finding(
            "policy-refused",
            f"{policy.path if policy else ''}:{problem.line}:{problem.column}: {problem.message}",
            f"the API server of 1.{policy.minor if policy else ''} does not start with this policy",
        )


def _traits(node: NodeReport) -> NodeTraits:
    return NodeTraits(
        node.name,
        node.kubernetes,
        node.policy.sha256 if node.policy else None,
        {flag.name: flag.value for flag in node.flags},
    )
