"""One request for every way in which the rules of a policy can tell requests apart.

A policy only compares a request's values with the ones it names, so the values it names and one it does not
name stand for all there are. Groups are taken in every combination, because a user can be in several.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from auditlog.policy.model import Policy, Request

OTHER = "other"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def callers(policy: Policy) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """Every user the rules can tell apart with every combination of the groups they name, and nobody at all."""
    users = {OTHER}.union(*(rule.users for rule in policy.rules))
    groups = sorted({""}.union(*(rule.user_groups for rule in policy.rules)) - {""})
    yield None, ()
    for user in sorted(users):
        for size in range(len(groups) + 1):
            for chosen in itertools.combinations(groups, size):
                yield user, chosen


def resource_requests(
    policy: Policy, resources: Iterable[tuple[str, str]], verbs: Iterable[str] = VERBS
) -> Iterator[Request]:
    """Every request to the resources (group; plural, or plural/subresource) that the rules can tell apart."""
    namespaces = sorted({"", OTHER}.union(*(rule.namespaces for rule in policy.rules)))
    names = sorted({"", OTHER}.union(*(entry.resource_names for rule in policy.rules for entry in rule.resources)))
    kinds = [(group, *resource.partition("/")[::2]) for group, resource in resources]
    for (user, groups), verb, (group, resource, subresource), namespace, name in itertools.product(
        list(callers(policy)), verbs, kinds, namespaces, names
    ):
        yield Request(
            user,
            groups,
            verb,
            api_group=group,
            api_version="v1",
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=name,
        )
