"""Names of resources as people write them, and messages about those that are neither built in nor in the log."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.cli.common import UsageError
from auditlog.events.evidence import Evidence
from auditlog.events.layout import listed, safe
from auditlog.policy.model import NEWEST_MINOR
from auditlog.policy.resources import builtin_groups, close_resources, find_resource_of_any_version


def resource_meant(word: str) -> str:
    """The plural that the API server writes for `po`, `Pod`, `deploy.apps` or `Pod/exec`; else the word itself."""
    if "*" in word:
        return word
    whole, slash, subresource = word.lower().partition("/")
    name, dot, group = whole.partition(".")
    found = find_resource_of_any_version(name, group if dot else None)
    return f"{found.resource if found else name}{dot}{group}{slash}{subresource}"


def custom_resource(resource: str) -> str:
    """The plural of a resource that is not built in; "" for any other."""
    name = resource.partition("/")[0].partition(".")[0]
    return "" if "*" in resource or find_resource_of_any_version(name) else name


def about_resource(given: str, resource: str, evidence: Evidence) -> Iterator[str]:
    """What people should know about the resource that they gave.

    Raises UsageError, which names `given`, for what is most likely a slip: it has no event, and a known one has almost
    its name.
    """
    name, group = custom_resource(resource), resource.partition("/")[0].partition(".")[2]
    if not name or name in evidence.resources:
        return
    close = close_resources(name, NEWEST_MINOR, evidence.resources)
    if close and (not group or group in builtin_groups(NEWEST_MINOR)):
        plurals = list(dict.fromkeys(_plural(each, evidence) for each in close))
        raise UsageError(
            f"{given}: no resource {safe(name)} is built in or in these logs; did you mean {listed(plurals, 'or')}? "
            f"A custom resource without events is named with its group, such as {safe(name)}.example.com"
        )
    yield f"no event in these logs is about the resource {name}, which is not built in"


def _plural(name: str, evidence: Evidence) -> str:
    builtin = find_resource_of_any_version(name)
    return builtin.resource if builtin and name not in evidence.resources else safe(name)
