"""Which requests `who` looks for, as a policy that would record just these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from auditlog.events.questions.attribution import WhoQuery
from auditlog.events.questions.pattern import any_pattern, pattern
from auditlog.policy.model import SUPPORTED_MINORS, GroupResources, Level, PolicyRule
from auditlog.policy.partition import HTTP_VERBS, RARE_RESOURCE_VERBS, RESOURCE_VERBS
from auditlog.policy.recording import Need
from auditlog.policy.resources import groups_with
from auditlog.policy.senders import CONTROL_PLANE, Sender


def who_need(query: WhoQuery, user: str = "") -> Need:
    """The requests that `query` asks for. `user` is the user that the answer is about, if it is not the query's.

    It never covers less: a value with `*` counts as every value, and somebody else may have acted as the user. A
    built-in resource without its group means the built-in groups that have it.
    """
    has_verb, asked_user = any_pattern(query.verbs), user or query.user
    verbs = tuple(filter(has_verb, dict.fromkeys((*_EVERY_VERB, *query.verbs)))) if query.verbs else ()
    every = verbs or _EVERY_VERB
    entries = _entries(query.resource) or _any_resource(query)
    namespaces = (query.namespace,) if query.namespace and "*" not in query.namespace else ()
    rules: list[PolicyRule] = []
    named = tuple(verb for verb in every if verb != "create")
    if query.name and "*" not in query.name and named:
        with_name = tuple(replace(entry, resource_names=(query.name,)) for entry in entries)
        rules.append(_rule(named, with_name, namespaces))
    else:
        rules.append(_rule(verbs, entries, namespaces))
    # A creation carries its name in the body, and the deletion of a collection none.
    nameless = {"create": "create", "delete": "deletecollection"}
    rules += [_rule((verb,), entries, namespaces) for asked, verb in nameless.items() if query.name and asked in every]
    if namespaces and "create" in every and query.resource in ("", "namespaces"):
        # A Namespace is created outside of the namespace that it becomes.
        rules.append(_rule(("create",), (GroupResources("", ("namespaces",)),), ("",)))
    return Need(
        "such requests",
        tuple(rules),
        sent_by=_sent_by(asked_user),
        users=(asked_user,) if asked_user and "*" not in asked_user else (),
        advice=tuple(_advice(rule, asked_user) for rule in rules),
    )


_ANY_RESOURCE = (GroupResources("*", ("*",)),)
_EVERY_VERB = tuple(dict.fromkeys((*RESOURCE_VERBS, *RARE_RESOURCE_VERBS, *HTTP_VERBS)))


def _any_resource(query: WhoQuery) -> tuple[GroupResources, ...]:
    """Requests for URLs have neither resource nor namespace."""
    return _ANY_RESOURCE if query.resource or query.namespace or query.name else ()


def _rule(verbs: tuple[str, ...], entries: tuple[GroupResources, ...], namespaces: tuple[str, ...]) -> PolicyRule:
    return PolicyRule(Level.METADATA, verbs=verbs, resources=entries, namespaces=namespaces)


def _entries(resource: str) -> tuple[GroupResources, ...]:
    if not resource:
        return ()
    whole, slash, subresource = resource.partition("/")
    plural, _, group = whole.partition(".")
    if "*" in plural or "*" in group or "*" in subresource:
        is_any_subresource = plural == "*" and not group and subresource and "*" not in subresource
        return (GroupResources("*", (f"*/{subresource}",)),) if is_any_subresource else _ANY_RESOURCE
    name = f"{plural}/{subresource}" if slash else f"{plural}/*"
    return tuple(GroupResources(each, (name,)) for each in ([group] if group else _groups_of(plural)))


def _groups_of(plural: str) -> list[str]:
    """The built-in groups that have the resource; `*` for a custom resource."""
    groups = dict.fromkeys(group for minor in SUPPORTED_MINORS for group in groups_with(plural, minor))
    return list(groups) or ["*"]


def _advice(rule: PolicyRule, user: str) -> PolicyRule:
    """The rule for the user alone, and without the group `*`, which API servers before 1.36 refuse."""
    has_any_group = any(entry.group == "*" for entry in rule.resources)
    users = (user,) if user and "*" not in user else ()
    return replace(rule, resources=() if has_any_group else rule.resources, users=users)


def _sent_by(user: str) -> Callable[[Sender], bool]:
    """Who may have sent what is asked for: the user, or somebody who acted as the user."""
    if not user:
        return lambda _: True
    fits, beginning = pattern(user), user.partition("*")[0]

    def sends(sender: Sender) -> bool:
        if sender.user is None or fits(sender.user):
            return fits(sender.user or "")
        # A component of the control plane and a kubelet never act as somebody else.
        acts_alone = sender.user in CONTROL_PLANE or "system:nodes" in sender.groups
        known = sender.user.partition("\0")[0]
        may_be_meant = "*" in user and (known.startswith(beginning) or beginning.startswith(known))
        return may_be_meant or not acts_alone

    return sends
