"""One cluster's row: what its stack file asks for, beside what its nodes say. Pure.

What the nodes cannot tell is None or named as such, never taken for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache

from auditlog.checks.audit_state import audit_is_on
from auditlog.checks.retention import days_held
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.cross_check import Sight, sights
from auditlog.manifest import manifest
from auditlog.manifest.backends import log_backend
from auditlog.manifest.desired import sha256
from auditlog.manifest.manifest import ManifestError
from auditlog.nodes import node_scripts
from auditlog.nodes.facts import Facts
from auditlog.nodes.kubernetes_version import kubernetes_version
from auditlog.plan.plan import make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.policy.model import NEWEST_MINOR, PolicyError
from auditlog.policy.presets import without_header
from auditlog.policy.selection import SelectedPolicy
from auditlog.policy.validate import policy_as_read
from auditlog.review.topic import some
from auditlog.settings import Settings
from auditlog.settings.setting import Encrypted

SILENT_SECONDS = 600
"""No API server is that quiet under a policy that records how it renews its own lease, every 10 seconds."""

_HEARTBEAT = "no-events-from-node"
"""The detection that takes silence for a fault, and so knows whether a policy records that renewal."""

LEAST_DAYS = 1.0
"""What breaks in the evening is fixed the next day; until then the files are the only copy."""


class Audit(StrEnum):
    """Whether the API servers of a cluster record anything."""

    ON = "on"
    OFF = "off"
    PARTLY = "partly"
    """On some nodes."""
    UNKNOWN = "unknown"


class Drift(StrEnum):
    """Whether the nodes are as the stack file asks for."""

    NONE = "none"
    DRIFTED = "drifted"
    REFUSED = "refused"
    """A preview would refuse to change them."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """One cluster."""

    stack: str
    """The stack's name."""
    cluster: str
    """The cluster's name; the stack's where the stack file cannot be read."""
    nodes: int
    """How many control-plane nodes the stack file has that can be contacted."""
    reached: int
    """How many of them answered."""
    wanted: bool = True
    """Whether the stack file asks for audit logging."""
    audit: Audit = Audit.UNKNOWN
    """Whether the nodes that answered record anything."""
    policy: str | None = None
    """What the stack file calls its policy."""
    drift: Drift = Drift.UNKNOWN
    """Whether the nodes are as the stack file asks for."""
    differences: tuple[str, ...] = ()
    """Why they are not."""
    silent_seconds: int | None = None
    """How long ago the node that wrote last longest ago wrote to its log; None where none tells."""
    has_heartbeat: bool = False
    """Whether the policies on the nodes make each API server write at least every 10 seconds."""
    days: float | None = None
    """How many days the rotated files of the node with the fewest hold at its rate so far; None where none tells."""
    blind: tuple[str, ...] | None = None
    """Deployed detections that can never fire under the policies on the nodes; None where that is not known."""
    kubernetes: tuple[str, ...] = ()
    """The API servers' versions."""
    old_scripts: tuple[str, ...] = ()
    """Nodes whose scripts are of another version of this program."""
    problems: tuple[str, ...] = ()
    """Why a node, or the stack file, could not be read."""

    @property
    def findings(self) -> tuple[str, ...]:
        """What somebody has to look at, in sentences; empty if all is well or nothing is known."""
        return tuple(_findings(self))

    @property
    def is_unknown(self) -> bool:
        """Whether a part of the answer is missing."""
        return bool(self.problems) or self.reached < self.nodes

    @property
    def urgency(self) -> int:
        """For sorting: what is found comes first, then what is not known."""
        return 0 if self.findings else 1 if self.is_unknown else 2


def _findings(row: Row) -> Iterator[str]:
    if row.wanted and row.audit in (Audit.OFF, Audit.PARTLY):
        yield f"audit logging is {'off' if row.audit is Audit.OFF else 'off on some nodes'}"
    if not row.wanted and row.audit in (Audit.ON, Audit.PARTLY):
        yield "audit logging is on, and the stack file says enabled: false"
    if row.drift in (Drift.DRIFTED, Drift.REFUSED):
        yield from row.differences
    if row.has_heartbeat and row.silent_seconds is not None and row.silent_seconds > SILENT_SECONDS:
        yield f"a node has written nothing to its log for {row.silent_seconds // 60} minutes"
    if row.days is not None and row.days < LEAST_DAYS:
        yield f"rotated files hold {row.days * 24:.1f} hours: events are deleted before a day is over"
    if row.blind:
        yield f"{len(row.blind)} deployed detections can never fire: {some(row.blind)}"


def unread_row(stack: str, problem: str) -> Row:
    """The row of a stack file that cannot be read."""
    return Row(stack, stack, 0, 0, problems=(problem,))


def row_of(
    stack: str,
    settings: Settings,
    policy: SelectedPolicy,
    owner: str,
    readings: Mapping[str, Facts | str],
    static_policies: str = "",
) -> Row:
    """The row of a cluster whose nodes answered so. ``owner`` is what its stack writes on the nodes.

    ``static_policies`` as in ``make_plan``.
    """
    facts = {name: found for name, found in readings.items() if not isinstance(found, str)}
    joined = {name: found for name, found in facts.items() if found.manifest is not None}
    servers = [_Server.of(found) for found in joined.values()]
    drift, differences = _drift(settings, policy, owner, readings, facts, static_policies)
    days = [server.days for server in servers if server.days is not None]
    silent = [found.log_silent_seconds for found in joined.values() if found.log_silent_seconds is not None]
    return Row(
        stack=stack,
        cluster=settings.cluster,
        nodes=len(readings),
        reached=len(facts),
        wanted=settings.enabled,
        audit=_audit([server.audits for server in servers]),
        policy=policy.source,
        drift=drift,
        differences=differences,
        silent_seconds=max(silent, default=None),
        has_heartbeat=bool(joined) and all(_has_heartbeat(found) for found in joined.values()),
        days=min(days, default=None),
        blind=_blind(settings, joined),
        kubernetes=tuple(sorted({server.version for server in servers if server.version})),
        old_scripts=tuple(name for name, found in facts.items() if _is_old(found)),
        problems=tuple(found for found in readings.values() if isinstance(found, str)),
    )


@dataclass(frozen=True, slots=True)
class _Server:
    """One API server, as its manifest and its process have it."""

    version: str | None
    audits: bool
    days: float | None

    @classmethod
    def of(cls, facts: Facts) -> _Server:
        text = facts.manifest.text if facts.manifest else ""
        try:
            version, flags = kubernetes_version(text, facts), manifest.flag_values(manifest.arguments(text))
        except ManifestError:
            version, flags = None, {}
        log = log_backend(flags, int(version.split(".")[1]) if version else NEWEST_MINOR)
        return cls(version, audit_is_on(facts, flags), None if log is None else days_held(log, facts))


def _audit(servers: Sequence[bool]) -> Audit:
    if not servers:
        return Audit.UNKNOWN
    return Audit.ON if all(servers) else Audit.PARTLY if any(servers) else Audit.OFF


def _drift(
    settings: Settings,
    policy: SelectedPolicy,
    owner: str,
    readings: Mapping[str, Facts | str],
    facts: Mapping[str, Facts],
    static_policies: str,
) -> tuple[Drift, tuple[str, ...]]:
    if len(facts) < len(readings) or not readings:
        return Drift.UNKNOWN, ()
    if not settings.enabled:
        left = [name for name, found in facts.items() if found.changed_by_stack]
        return (Drift.DRIFTED, (f"{', '.join(left)}: not given back yet",)) if left else (Drift.NONE, ())
    if _has_secrets(settings):
        return _since_written(facts)
    try:
        plan = make_plan(settings, policy.text, facts, owner, static_policies)
    except PlanError as error:
        return Drift.REFUSED, tuple(error.problems)
    reasons = [f"{node.node.name}: {reason}" for node in plan.nodes for reason in node.reasons]
    reasons += [f"{each.node.name}: {reason}" for each in plan.joining for reason in each.reasons]
    reasons += [f"kubeadm-config: {reason}" for reason in plan.kubeadm_config_reasons]
    return (Drift.DRIFTED, tuple(reasons)) if reasons else (Drift.NONE, ())


def _has_secrets(settings: Settings) -> bool:
    """Whether a file on the nodes is made from what the stack file keeps encrypted."""
    webhook = settings.webhook
    return webhook is not None and any(isinstance(getattr(webhook, each.name), Encrypted) for each in fields(webhook))


def _since_written(facts: Mapping[str, Facts]) -> tuple[Drift, tuple[str, ...]]:
    """What somebody changed since the stack wrote it: what the stack file would change now takes its secrets."""
    edited = []
    for name, found in facts.items():
        pairs = {
            "the manifest": (found.written.manifest, found.manifest),
            "the policy": (found.written.policy, found.policy),
        }
        for what, (written, live) in pairs.items():
            if written is not None and (live is None or sha256(live.text) != written):
                edited.append(f"{name}: {what} was edited since the stack wrote it")
    if edited:
        return Drift.DRIFTED, tuple(edited)
    return Drift.UNKNOWN, ()


def _blind(settings: Settings, facts: Mapping[str, Facts]) -> tuple[str, ...] | None:
    if not settings.alerts.are_on or not settings.enabled:
        return ()
    texts = {found.policy.text if found.policy else None for found in facts.values()}
    blind: set[str] = set()
    for text in texts:
        seen = None if text is None else _seen_under(without_header(text))
        if seen is None:
            return None
        blind |= {name for name, sight in seen.items() if not sight.can_fire}
    return tuple(each.id for each in DETECTIONS if each.id in blind and each.id not in settings.alerts.disable)


def _has_heartbeat(facts: Facts) -> bool:
    seen = _seen_under(without_header(facts.policy.text)) if facts.policy else None
    return seen is not None and seen[_HEARTBEAT] is not Sight.FALSE_ALARMS


@cache  # the clusters of a fleet mostly have the same few policies
def _seen_under(text: str) -> Mapping[str, Sight] | None:
    """What each detection sees under this policy; None if it is none."""
    try:
        policy = policy_as_read(text, "the live policy")
    except PolicyError:
        return None
    return {each.id: sight for each, sight in zip(DETECTIONS, sights(policy, DETECTIONS), strict=True)}


def _is_old(facts: Facts) -> bool:
    return facts.scripts_sha256 is not None and facts.scripts_sha256 != _own_scripts()


@cache
def _own_scripts() -> str:
    return sha256(node_scripts.bundle())
