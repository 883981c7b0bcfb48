"""How a node's API server is restarted, why that way, and how long the API is away: from settings and facts.

docs/design.md has the measurements: "Rehearse first, and let the rehearsal answer".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from auditlog.errors import AuditlogError
from auditlog.manifest import manifest, manifest_edit
from auditlog.manifest.audit_flags import POLICY_FLAG
from auditlog.manifest.backends import log_backend, webhook_backend
from auditlog.manifest.desired import AuditConfiguration
from auditlog.manifest.line_edits import line_edits
from auditlog.manifest.manifest import ManifestError
from auditlog.nodes.facts import Facts
from auditlog.nodes.second_api_server import memory_needed
from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import Level, Policy, Stage
from auditlog.settings import STDOUT
from auditlog.settings.restart import RestartMode, RestartSettings

AWAY = {
    RestartMode.SEAMLESS: "the API stays reachable; open connections are closed twice, and clients connect again",
    RestartMode.QUICK: "the API of this node is away for 5 to 10 seconds",
    RestartMode.DRAIN: "the API of this node is away for about 40 seconds",
}
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


class RestartError(AuditlogError):
    """The restart that the settings ask for would lose audit events; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Restart:
    """How one node's API server is restarted.

    ``reason`` says why not as the settings have it; None when it is. ``rehearses`` says whether a canary runs first,
    and ``no_rehearsal`` why it does not. ``over_loopback`` are those on the node that a redirect does not reach.
    """

    mode: RestartMode
    reason: str | None
    no_rehearsal: str | None
    # A connection that comes and goes must not make an ``up`` differ from its preview: the digest is of this repr.
    over_loopback: tuple[str, ...] = field(default=(), repr=False)

    @property
    def rehearses(self) -> bool:
        return self.no_rehearsal is None

    @property
    def in_place_of_it(self) -> str:
        """What a preview tells where the API server takes the change as it runs."""
        rehearsal = "rehearsed by a second API server first" if self.rehearses else f"no rehearsal: {self.no_rehearsal}"
        return f"no restart: the API server reads the admission policies again by itself; {rehearsal}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a preview says about it."""
        instead = f" and not {RestartMode.SEAMLESS}, because {self.reason}" if self.reason else ""
        rehearsal = "rehearsed by a second API server first" if self.rehearses else f"no rehearsal: {self.no_rehearsal}"
        restart = f"restart: {self.mode}{instead}; {AWAY[self.mode]}; {rehearsal}"
        if self.mode is not RestartMode.SEAMLESS or not self.over_loopback:
            return (restart,)
        return (
            restart,
            f"restart: {', '.join(self.over_loopback)} on this node may reach the API over 127.0.0.1, where nothing is "
            f"redirected: for them, and for whom they pass on, {AWAY[RestartMode.DRAIN]}, and outageSeconds counts it",
        )


def choose_restart(
    wanted: RestartSettings, facts: Facts, argument_list: Sequence[str], policy: Policy, no_canary: str | None
) -> Restart:
    """The restart of a node with these facts, whose API server is to run with ``argument_list``.

    ``no_canary`` is why none can be made from the manifest, None when it can. Raises RestartError.
    """
    flags = manifest.flag_values(argument_list)
    lacking = no_canary or _lacks_memory(facts)
    no_rehearsal = lacking if wanted.rehearsal else "switched off"
    match wanted.mode:
        case RestartMode.SEAMLESS:
            reason = lacking or _cannot_redirect(facts, flags)
            if reason is None:
                return Restart(RestartMode.SEAMLESS, None, None, facts.loopback_clients)
            return Restart(RestartMode.DRAIN, reason, no_rehearsal)
        case RestartMode.QUICK:
            _check_nothing_is_lost(wanted, flags, policy)
    return Restart(wanted.mode, None, no_rehearsal)


def placed_first(text: str) -> str:
    """Edits of lines that turn the manifest into the one that a quick restart puts in place first.

    It differs by the policy's annotation. The exact manifest then follows as another static pod, which kubelet starts
    at once. A pod that had to wait it tries again only after about ten seconds. "" if the manifest cannot be edited.
    """
    source = text if text.endswith("\n") else text + "\n"
    try:
        return line_edits(source, manifest_edit.edit(source, AuditConfiguration((), ()), "placed-first"))
    except ManifestError:
        return ""


def _lacks_memory(facts: Facts) -> str | None:
    available = facts.memory_available_bytes
    if available is None or available >= memory_needed(facts.memory_running_bytes):
        return None
    return "memory is short for a second API server"


def _cannot_redirect(facts: Facts, flags: Mapping[str, str]) -> str | None:
    """Why new connections cannot go to a second API server for a while; None when they can."""
    if not facts.processes:
        return "no API server runs"
    if facts.unfinished_change:
        return "an earlier change was cut off and is finished first"
    if facts.redirect_tool is None:
        return "the node has neither iptables nor nft"
    if facts.firewall:
        return facts.firewall
    if not flags.get("advertise-address"):
        return "the API server has no --advertise-address"
    address = flags.get("bind-address", "0.0.0.0")  # noqa: S104  compared, never bound
    if address not in ("0.0.0.0", "::"):  # noqa: S104
        return f"the API server listens on {address} alone, where the two could not be distinguished"
    log = log_backend(flags, minor=0)
    if flags.get(POLICY_FLAG) and (log is None or log.path == STDOUT):
        return "the audit log is not a file, so a second API server could not write its own"
    return None


def _check_nothing_is_lost(wanted: RestartSettings, flags: Mapping[str, str], policy: Policy) -> None:
    """Raises RestartError if ending the API server without its drain can lose events without a trace.

    Events wait in memory in batch mode. If a write reached etcd but its ResponseComplete was not yet written, only its
    RequestReceived shows it.
    """
    if wanted.accept_lost_events:
        return
    losses = []
    log, webhook = log_backend(flags, minor=0), webhook_backend(flags)
    if log is not None and log.mode == "batch":
        losses.append("events of the log wait in memory (--audit-log-mode=batch)")
    if log is None and webhook is not None:
        losses.append("the webhook is the only backend, and nothing on the node shows what it did not get")
    if _omits_beginning_of_writes(policy):
        losses.append("the policy omits RequestReceived for writes, so that one which was cut off leaves no trace")
    if losses:
        raise RestartError(
            f"restart: quick can lose audit events: {'; '.join(losses)}. "
            "Set restart to seamless or drain, or acceptLostEvents to true"
        )


def _omits_beginning_of_writes(policy: Policy) -> bool:
    """Whether some write is recorded, but not when it arrives."""
    for index, rule in enumerate(policy.rules):
        decision = decision_of(policy, index)
        writes = not rule.verbs or not _WRITES.isdisjoint(rule.verbs)
        if writes and decision.level != Level.NONE and Stage.REQUEST_RECEIVED in decision.omit_stages:
            return True
    return False
