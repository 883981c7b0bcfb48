"""Whether a policy records every request that a question looks for, and which of its rules keep it from that.

A question states its need as a policy: one that would record just the requests that it looks for. There, level None
means "not looked for". Both policies together divide all requests (`auditlog.policy.partition`), for each sender that
they can distinguish. So the answer holds for requests that nobody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.partition import partition
from auditlog.policy.senders import Sender, senders


def anyone(_: Sender) -> bool:
    """Every sender is looked for."""
    return True


@dataclass(frozen=True, slots=True)
class Need:
    """The requests that a question looks for."""

    what: str
    """The requests in words, as in "reads of Secrets"."""
    rules: tuple[PolicyRule, ...]
    """The first rule that matches decides: looked for, or not at level None. No match: not looked for."""
    sent_by: Callable[[Sender], bool] = anyone
    """Which senders are looked for."""
    users: tuple[str, ...] = ()
    """Users to distinguish from others although no rule names them."""
    advice: tuple[PolicyRule, ...] = ()
    """What a policy needs in front of its own rules to record them; valid on every supported version."""
    final: bool = False
    """Whether the answer stands only in the event of the last stage."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Requests that are looked for and that a policy does not record."""

    rule: int | None
    """The index of the rule that decides, counted from 0; None where no rule matches."""
    omitted: frozenset[Stage] = frozenset()
    """The stages whose omission hides the requests; empty where they are dropped."""
    senders: tuple[Sender, ...] = ()
    """Whose requests they are."""
    of_everyone: bool = False
    """Whether requests of every sender that is looked for are among them."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a policy does with the requests of a need."""

    holes: tuple[Hole, ...]
    """What is not recorded, by rule; empty where everything is."""
    records_some: bool
    """Whether there are requests of the need that the policy does record."""


# Requests that stay open: their last event comes when they end (BasicLongRunningRequestCheck,
# `k8s.io/apiserver/pkg/server/filters/longrunning.go`, with what `cmd/kube-apiserver` gives it).
_LONG_RUNNING = (
    PolicyRule(Level.METADATA, verbs=("watch", "proxy")),
    PolicyRule(
        Level.METADATA,
        resources=(GroupResources("*", ("*/exec", "*/attach", "*/portforward", "*/log", "*/proxy")),),
    ),
)
_ENDS = frozenset({Stage.RESPONSE_COMPLETE, Stage.PANIC})


@dataclass(slots=True)
class _Found:
    """The senders by the rule that hides their requests and the stages it omits, and how many there are.

    `recorded` is true once a rule hides none of a sender's requests.
    """

    hidden: dict[tuple[int | None, frozenset[Stage]], dict[Sender, None]] = field(default_factory=dict)
    recorded: bool = False
    looked_for: int = 0


def recording(policy: Policy, need: Need) -> Recording:
    """What `policy` does with every request of `need`, whoever sends it."""
    found = _Found()
    known: dict[tuple[tuple[int, ...], tuple[int, ...]], frozenset[tuple[int | None, bool]]] = {}
    for sender in senders((*policy.rules, *need.rules), need.users):
        if not need.sent_by(sender):
            continue
        own = tuple(index for index, rule in enumerate(policy.rules) if sender.meets(rule))
        asked = tuple(index for index, rule in enumerate(need.rules) if sender.meets(rule))
        if not asked:
            continue
        found.looked_for += 1
        if (own, asked) not in known:
            known[own, asked] = frozenset(_deciders(policy, own, need, asked))
        for rule, stays_open in known[own, asked]:
            omitted = _hiding(policy, rule, need, sender, stays_open=stays_open)
            if omitted is None:
                found.recorded = True
            else:
                found.hidden.setdefault((rule, omitted), {})[sender] = None
    order = sorted(found.hidden.items(), key=lambda item: (item[0][0] is None, item[0][0] or 0, sorted(item[0][1])))
    holes = (Hole(rule, omitted, tuple(who), len(who) == found.looked_for) for (rule, omitted), who in order)
    return Recording(tuple(holes), found.recorded)


def _deciders(
    policy: Policy, own: Sequence[int], need: Need, asked: Sequence[int]
) -> Iterator[tuple[int | None, bool]]:
    """The policy's rules that decide requests of the need, and whether they decide some that stay open."""
    parts = (
        [_for_anyone(policy.rules[index]) for index in own],
        [_for_anyone(need.rules[index]) for index in asked],
        _LONG_RUNNING,
    )
    for decides, wanted, stays_open in partition(parts).outcomes:
        if wanted is not None and need.rules[asked[wanted]].level is not Level.NONE:
            yield (None if decides is None else own[decides]), stays_open is not None


def _for_anyone(rule: PolicyRule) -> PolicyRule:
    return replace(rule, users=(), user_groups=())


def _hiding(
    policy: Policy, rule: int | None, need: Need, sender: Sender, *, stays_open: bool
) -> frozenset[Stage] | None:
    """The omitted stages that hide such a request, none when it is dropped; None when it is recorded."""
    decision = decision_of(policy, rule)
    if decision.level is Level.NONE:
        return frozenset()
    omitted = decision.omit_stages
    if sender.user is None:
        # A failed authentication has one event, at this stage (WithFailedAuthenticationAudit,
        # `k8s.io/apiserver/pkg/endpoints/filters/authn_audit.go`).
        return omitted & {Stage.RESPONSE_STARTED} or None
    if not need.final and Stage.REQUEST_RECEIVED not in omitted:
        return None
    needed = _ENDS | {Stage.RESPONSE_STARTED} if stays_open and not need.final else _ENDS
    return omitted & needed or None
