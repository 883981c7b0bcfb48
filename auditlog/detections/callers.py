"""Who a detection is about, once in LogQL and once in the language of an audit policy.

A user name shows what somebody is: `system:` begins the names of everything that belongs to the cluster. LogQL matches
such a prefix. An audit policy cannot, but it distinguishes only those users and groups that it names. Leaving out the
named ones that do not belong has the same effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from auditlog.policy.model import Level, PolicyRule

_AUTHENTICATED = "system:authenticated"
_UNAUTHENTICATED = "system:unauthenticated"
_SERVICE_ACCOUNTS = "system:serviceaccounts"
_KUBE_SYSTEM = "system:serviceaccounts:kube-system"
_NODES = "system:nodes"

_SYSTEM = r"system:.*"
_CONTROL_PLANE = r"system:(apiserver|kube-.*|node:.*|serviceaccount:kube-system:.*)"
_OTHER_SERVICE_ACCOUNT = r"system:serviceaccount:.*"


class Callers(Enum):
    """Kinds of callers. Each but ANYONE has a LogQL filter on the structured metadata `user`."""

    ANYONE = "anyone"
    PEOPLE = "people"
    """Every user whose name does not begin with `system:`: people, and programs outside of the cluster."""
    NOT_CONTROL_PLANE = "people and workloads"
    """Neither a node, nor the control plane, nor a ServiceAccount of kube-system (controllers, add-ons)."""
    WORKLOADS = "workloads"
    """ServiceAccounts outside of kube-system."""
    ANONYMOUS = "anonymous callers"
    NOBODY_KNOWN = "callers whose credentials were not accepted"


def logql_filters(callers: Callers) -> tuple[str, ...]:
    """Label filters of LogQL that let only events of these callers through."""
    return _LOGQL[callers]


_LOGQL = {
    Callers.ANYONE: (),
    Callers.PEOPLE: (f'user!~"{_SYSTEM}"', 'user!=""'),
    Callers.NOT_CONTROL_PLANE: (f'user!~"{_CONTROL_PLANE}|system:anonymous"', 'user!=""'),
    Callers.WORKLOADS: (
        f'user=~"{_OTHER_SERVICE_ACCOUNT}"',
        'user!~"system:serviceaccount:kube-system:.*"',
    ),
    Callers.ANONYMOUS: ('user="system:anonymous"',),
    Callers.NOBODY_KNOWN: ('user=""',),
}


def required_group(callers: Callers) -> tuple[str, ...]:
    """Groups of which every one of these callers has one; empty where no group is common to them."""
    return _REQUIRED[callers]


_REQUIRED = {
    Callers.ANYONE: (),
    Callers.PEOPLE: (_AUTHENTICATED,),
    Callers.NOT_CONTROL_PLANE: (_AUTHENTICATED,),
    Callers.WORKLOADS: (_SERVICE_ACCOUNTS,),
    Callers.ANONYMOUS: (_UNAUTHENTICATED,),
    Callers.NOBODY_KNOWN: (),
}


def other_callers(callers: Callers, rules: Iterable[PolicyRule]) -> tuple[PolicyRule, ...]:
    """Rules of level None for everybody whom `rules` name and who is not one of these callers.

    In front of rules for certain requests they leave these callers' requests alone; an empty tuple for ANYONE.
    """
    rules = tuple(rules)
    users = dict.fromkeys(user for rule in rules for user in rule.users if not _is_user(callers, user))
    groups = dict.fromkeys(group for rule in rules for group in rule.user_groups if not _may_have(callers, group))
    if callers is Callers.NOBODY_KNOWN:
        groups.update(dict.fromkeys((_AUTHENTICATED, _UNAUTHENTICATED)))
    found = []
    if users:
        found.append(PolicyRule(Level.NONE, users=tuple(users)))
    if groups:
        found.append(PolicyRule(Level.NONE, user_groups=tuple(groups)))
    return tuple(found)


def _is_user(callers: Callers, user: str) -> bool:
    if callers is Callers.PEOPLE:
        return not re.fullmatch(_SYSTEM, user)
    if callers is Callers.NOT_CONTROL_PLANE:
        return not re.fullmatch(f"{_CONTROL_PLANE}|system:anonymous", user)
    if callers is Callers.WORKLOADS:
        return bool(re.fullmatch(_OTHER_SERVICE_ACCOUNT, user)) and ":kube-system:" not in user
    if callers is Callers.ANONYMOUS:
        return user == "system:anonymous"
    return callers is Callers.ANYONE


def _may_have(callers: Callers, group: str) -> bool:
    """Whether one of these callers can be in the group; the API server gives the groups of `system:` itself."""
    if callers is Callers.ANYONE:
        return True
    if callers is Callers.NOBODY_KNOWN:
        return False
    if callers is Callers.ANONYMOUS:
        return group == _UNAUTHENTICATED
    if group in (_UNAUTHENTICATED, _NODES, _KUBE_SYSTEM):
        return False
    is_service_account_group = group == _SERVICE_ACCOUNTS or group.startswith(f"{_SERVICE_ACCOUNTS}:")
    if callers is Callers.PEOPLE:
        return not is_service_account_group
    if callers is Callers.WORKLOADS:
        return is_service_account_group or group == _AUTHENTICATED
    return True
