"""Bodies that must not be written, or that are larger than they are worth."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, writes
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.partition import RESOURCE_VERBS, partition
from auditlog.policy.resources import CREDENTIAL_RESOURCES

# Verbs whose request has the object in it; the others carry options at most.
_VERBS_WITH_OBJECT = ("create", "update", "patch")
_TOKEN = "serviceaccounts/token"  # noqa: S105 - a resource, whose request names audiences and whose answer is the token
# A watch is answered by a stream, of which only the status is recorded.
_VERBS_WITH_ANSWER = tuple(verb for verb in RESOURCE_VERBS if verb != "watch")


def _credentials(context: Context) -> Iterator[Hit]:
    for group, resource in CREDENTIAL_RESOURCES:
        entry = (GroupResources(group, (resource,)),)
        sent = PolicyRule(Level.REQUEST, verbs=_VERBS_WITH_OBJECT, resources=entry)
        answered = PolicyRule(Level.REQUEST_RESPONSE, verbs=_VERBS_WITH_ANSWER, resources=entry)
        guilty: dict[int, set[Level]] = {}
        for question in (answered,) if resource == _TOKEN else (sent, answered):
            for index, matched in partition((context.policy, (question,))).outcomes:
                decision = context.decision(index)
                if matched is not None and index is not None and decision.level >= question.level and writes(decision):
                    guilty.setdefault(index, set()).add(question.level)
        for index in sorted(guilty):
            level = context.policy.rules[index].level
            what = f"{resource}.{group}" if group else resource
            yield Hit(
                _place(context.policy.rules[index], f"rules[{index}]", group, resource),
                f"writes bodies of {what} at {level.value}: whoever reads the log reads the credentials in them",
                f"put a rule with level Metadata for {what} in front of it",
            )


def _place(rule: PolicyRule, path: str, group: str, resource: str) -> str:
    """The entry that names the resource, else the rule's level."""
    for index, entry in enumerate(rule.resources):
        if entry.group == group and resource in entry.resources:
            return f"{path}.resources[{index}].resources[{entry.resources.index(resource)}]"
    return f"{path}.level"


def _lists(context: Context) -> Iterator[Hit]:
    question = PolicyRule(Level.REQUEST_RESPONSE, verbs=("list",), resources=(GroupResources("*"),))
    outcomes = partition((context.policy, (question,))).outcomes
    for index in sorted(index for index, matched in outcomes if matched is not None and index is not None):
        if context.policy.rules[index].level is Level.REQUEST_RESPONSE:
            yield Hit(
                f"rules[{index}].level",
                "answers to list are written in full: one event holds every object of the list",
                "name the verbs of changes (create, update, patch, delete, deletecollection), or lower the level",
            )


def _managed_fields(context: Context) -> Iterator[Hit]:
    for index, (path, rule) in enumerate(context.rules()):
        has_bodies = rule.level is Level.REQUEST_RESPONSE or not rule.verbs or set(rule.verbs) & set(_VERBS_WITH_OBJECT)
        if rule.level >= Level.REQUEST and has_bodies and not context.decision(index).omit_managed_fields:
            yield Hit(
                f"{path}.level",
                "bodies are written with managedFields, which are often larger than the object and tell nothing more",
                "set omitManagedFields: true, for the policy or for the rule",
            )


CHECKS = (
    Check(
        "credential-bodies",
        Severity.ERROR,
        "Bodies that hold credentials are written: Secrets, ConfigMaps, issued tokens, TokenReviews.",
        _credentials,
    ),
    Check("list-bodies", Severity.WARNING, "Answers to list are written in full.", _lists),
    Check("managed-fields-kept", Severity.INFO, "Bodies are written with their managedFields.", _managed_fields),
)
