"""Bodies that must not be written, that are larger than they are worth, or that are not there."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.bodies import (
    rules_with_credentials,
    rules_with_lists,
    rules_with_managed_fields,
    rules_without_any_body,
)
from auditlog.policy.lint.finding import SUBJECT, Check, Context, Hit, Severity, writes
from auditlog.policy.model import PolicyRule
from auditlog.policy.resources import CREDENTIAL_RESOURCES


def _credentials(context: Context) -> Iterator[Hit]:
    for group, resource in CREDENTIAL_RESOURCES:
        for index in rules_with_credentials(context.policy, group, resource):
            level = context.policy.rules[index].level
            yield Hit(
                _place(context.policy.rules[index], f"rules[{index}]", group, resource),
                f"writes bodies of {SUBJECT} at {level.value}: whoever reads the log reads the credentials in them",
                "put a rule with level Metadata for these resources in front of it",
                subject=f"{resource}.{group}" if group else resource,
            )


def _place(rule: PolicyRule, path: str, group: str, resource: str) -> str:
    """The entry that names the resource, else the rule's level."""
    for index, entry in enumerate(rule.resources):
        if entry.group == group and resource in entry.resources:
            return f"{path}.resources[{index}].resources[{entry.resources.index(resource)}]"
    return f"{path}.level"


def _lists(context: Context) -> Iterator[Hit]:
    for index in rules_with_lists(context.policy):
        if writes(context.decision(index)):
            yield Hit(
                f"rules[{index}].level",
                "answers to list are written in full: one event holds every object of the list",
                "name the verbs of changes (create, update, patch, delete, deletecollection), or lower the level",
            )


def _managed_fields(context: Context) -> Iterator[Hit]:
    for index in rules_with_managed_fields(context.policy):
        if writes(context.decision(index)) and not context.decision(index).omit_managed_fields:
            yield Hit(
                f"rules[{index}].level",
                "bodies are written with managedFields, which are often larger than the object and tell nothing more",
                "set omitManagedFields: true, for the policy or for the rule",
            )


def _no_bodies(context: Context) -> Iterator[Hit]:
    for index in rules_without_any_body(context.policy):
        if writes(context.decision(index)):
            level = context.policy.rules[index].level.value
            yield Hit(
                f"rules[{index}].level",
                f"level {level} writes no more than Metadata here: no request that the rule decides has a body",
                "write level Metadata",
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
    Check("no-bodies", Severity.INFO, "A level for bodies on requests that have none.", _no_bodies),
)
