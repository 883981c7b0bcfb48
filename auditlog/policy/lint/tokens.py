"""Whether a policy lets a token be traced back to whoever asked for it (`auditlog lineage`)."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.lint.finding import Check, Context, Hit, Severity
from auditlog.policy.model import GroupResources, Level, PolicyRule, Stage
from auditlog.policy.recording import Need, recording
from auditlog.policy.senders import Sender, described

_RULE = PolicyRule(Level.METADATA, verbs=("create",), resources=(GroupResources("", ("serviceaccounts/token",)),))
_NAMES = frozenset({"serviceaccounts/token", "serviceaccounts/*", "*/token"})


def _asks_for_tokens(sender: Sender) -> bool:
    return not sender.is_unauthenticated


TOKEN_NEED = Need("requests for tokens", (_RULE,), sent_by=_asks_for_tokens, advice=(_RULE,), final=True)
"""The requests that issue tokens. Only the event of the last stage has the annotation that names the token."""


def _untraceable(context: Context) -> Iterator[Hit]:
    """By a rule that names tokens or omits a stage: what a policy drops as a whole, or of a whole group, is meant."""
    for hole in recording(context.policy, TOKEN_NEED).holes:
        if hole.rule is None or not (hole.omitted or _names_tokens(context.policy.rules[hole.rule])):
            continue
        who = "" if hole.of_everyone else f" of {described(list(hole.senders))}"
        if hole.omitted:
            omits = " and ".join(stage.value for stage in Stage if stage in hole.omitted)
            reason = f"omits {omits} of requests for tokens{who}: which token was issued stands there alone"
            fix = f"do not omit {omits} for serviceaccounts/token"
        else:
            reason = f"drops requests for tokens{who}"
            fix = "put a rule with level Metadata for serviceaccounts/token in front of it"
        yield Hit(
            f"rules[{hole.rule}]",
            f"{reason}; a stolen token cannot be traced back to who asked for it (auditlog lineage)",
            fix,
        )


def _names_tokens(rule: PolicyRule) -> bool:
    return any(name in _NAMES for entry in rule.resources for name in entry.resources)


CHECKS = (
    Check(
        "untraceable-tokens",
        Severity.INFO,
        "Requests for tokens of some callers are not recorded: such a token leads to nobody.",
        _untraceable,
    ),
)
"""What is wrong with how a policy records issued tokens."""
