"""Values that look as if they meant something else: wildcards that are none, verbs that never occur, odd patterns."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from auditlog.policy.lint.finding import SUBJECT, Check, Context, Hit, Severity, listed
from auditlog.policy.model import GroupResources, PolicyRule
from auditlog.policy.partition import HTTP_VERBS, RARE_RESOURCE_VERBS, RESOURCE_VERBS
from auditlog.policy.resources import builtin_groups, is_resource_path

_SYSTEM_GROUPS = (
    "system:authenticated",
    "system:masters",
    "system:nodes",
    "system:serviceaccounts",
    "system:unauthenticated",
)
_SYSTEM_USERS = (
    "system:anonymous",
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
)
_SUBRESOURCE_VERBS = ("attach", "exec", "log", "logs", "portforward", "port-forward", "proxy", "scale", "evict")
_HTTP_TO_RESOURCE_VERBS = {"post": "create", "put": "update", "head": "get", "read": "get", "edit": "update"}


def _wildcards(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for key, values in (
            ("users", rule.users),
            ("userGroups", rule.user_groups),
            ("verbs", rule.verbs),
            ("namespaces", rule.namespaces),
        ):
            for index, value in enumerate(values):
                if "*" not in value:
                    continue
                fix = f"leave {key} out to match all of them" if value == "*" else "list the full names"
                if value != "*" and key == "users" and value.startswith("system:serviceaccount:"):
                    namespace = value.split(":")[2]
                    fix = f'use userGroups: ["system:serviceaccounts{"" if "*" in namespace else f":{namespace}"}"]'
                yield Hit(f"{path}.{key}[{index}]", f'"{value}" is taken literally: {key} know no wildcard', fix)


def _verb_case(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for index, verb in enumerate(rule.verbs):
            if verb != verb.lower():
                yield Hit(
                    f"{path}.verbs[{index}]", f'"{verb}" never matches: verbs are lower-case', f'write "{verb.lower()}"'
                )


def _unknown_verbs(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        allowed = _verbs_of(rule)
        for index, verb in enumerate(rule.verbs):
            if verb in allowed or "*" in verb or verb != verb.lower():
                continue
            if verb in _SUBRESOURCE_VERBS:
                subresource = {"logs": "log", "port-forward": "portforward", "evict": "eviction"}.get(verb, verb)
                resource = "deployments" if verb == "scale" else "pods"
                yield Hit(
                    f"{path}.verbs[{index}]",
                    f"no request has a subresource as its verb: {SUBJECT}",
                    "name it among the resources, in a rule without verbs",
                    subject=f'"{verb}" is "{resource}/{subresource}"',
                )
                continue
            close = _HTTP_TO_RESOURCE_VERBS.get(verb) or next(
                iter(difflib.get_close_matches(verb, [each for each in allowed if each], n=1)), None
            )
            usual = [each for each in allowed if each not in RARE_RESOURCE_VERBS]
            fix = f'did you mean "{close}"?' if close in allowed else f"allowed: {listed(usual, 'or')}"
            yield Hit(f"{path}.verbs[{index}]", f'no request that this rule can match has the verb "{verb}"', fix)


def _verbs_of(rule: PolicyRule) -> tuple[str, ...]:
    """The verbs of the requests a rule is about."""
    of_resources = (*RESOURCE_VERBS, *RARE_RESOURCE_VERBS)
    if rule.resources or rule.namespaces:
        return of_resources
    return HTTP_VERBS if rule.non_resource_urls else tuple(dict.fromkeys((*of_resources, *HTTP_VERBS)))


def _swapped(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for index, name in enumerate(rule.users):
            if name in _SYSTEM_GROUPS or name.startswith("system:serviceaccounts:"):
                yield Hit(f"{path}.users[{index}]", f'"{name}" is a group, and no user has that name', "use userGroups")
        for index, name in enumerate(rule.user_groups):
            if name in _SYSTEM_USERS or name.startswith(("system:serviceaccount:", "system:node:")):
                yield Hit(f"{path}.userGroups[{index}]", f'"{name}" is a user, and no group has that name', "use users")


def _malformed_resources(context: Context) -> Iterator[Hit]:
    for path, entry in _entries(context):
        for position, pattern in enumerate(entry.resources):
            resource, slash, subresource = pattern.partition("/")
            reason = ""
            if pattern == "*/*":
                reason = "matches nothing: it stands for neither all resources nor all subresources"
            elif not resource or (slash and not subresource) or "/" in subresource:
                reason = "has an empty or a third part, which no request has"
            elif ("*" in resource and resource != "*") or ("*" in subresource and subresource != "*"):
                reason = "is taken literally: * only stands for a whole resource or a whole subresource"
            elif pattern != pattern.lower() and entry.group not in builtin_groups(context.kubernetes_minor):
                reason = "never matches: names of resources are lower-case plurals"
            if reason:
                yield Hit(
                    f"{path}.resources[{position}]",
                    f'"{pattern}" {reason}',
                    'allowed: "*", "pods", "pods/log", "pods/*" (with pods itself) and "*/scale"',
                )


def _subresource_wildcards(context: Context) -> Iterator[Hit]:
    for path, entry in _entries(context):
        for position, pattern in enumerate(entry.resources):
            resource = pattern.removesuffix("/*")
            if pattern != "*/*" and resource != pattern and "*" not in resource and resource not in entry.resources:
                yield Hit(
                    f"{path}.resources[{position}]",
                    f'"{pattern}" matches {resource} themselves too, not only their subresources as its '
                    "documentation says",
                    f'add "{resource}" beside it when that is meant, else name the subresources',
                )


def _names_on_nameless_verbs(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for index, entry in enumerate(rule.resources):
            if not entry.resource_names or "" in entry.resource_names:
                continue
            verbs = [verb for verb in rule.verbs if verb in _nameless_verbs(entry)]
            if verbs:
                yield Hit(
                    f"{path}.resources[{index}].resourceNames",
                    f"a request to {listed(verbs, 'or')} carries no name to compare "
                    "(list and watch only with fieldSelector=metadata.name=…), so this does not match it",
                    "give these verbs a rule without resourceNames",
                )


def _nameless_verbs(entry: GroupResources) -> tuple[str, ...]:
    # The create of a subresource, such as pods/exec or serviceaccounts/token, has the name of its object.
    only_subresources = all("/" in resource for resource in entry.resources)
    return () if only_subresources else ("create", "list", "watch", "deletecollection")


def _impossible_urls(context: Context) -> Iterator[Hit]:
    for path, rule in context.rules():
        for index, pattern in enumerate(rule.non_resource_urls):
            here = f"{path}.nonResourceURLs[{index}]"
            prefix = pattern.rstrip("*")
            if "?" in pattern:
                yield Hit(
                    here, f'"{pattern}" never matches: the query is not part of what is compared', "end before the ?"
                )
            elif is_resource_path(prefix) and pattern != "*":
                yield Hit(
                    here, f'"{pattern}" never matches: requests below it are for resources', "use resources in the rule"
                )


def _entries(context: Context) -> Iterator[tuple[str, GroupResources]]:
    for path, rule in context.rules():
        for index, entry in enumerate(rule.resources):
            yield f"{path}.resources[{index}]", entry


CHECKS = (
    Check(
        "wildcard-is-literal",
        Severity.ERROR,
        "A * in users, userGroups, verbs or namespaces is a plain character there.",
        _wildcards,
    ),
    Check("verb-case", Severity.ERROR, "A verb is not written in lower case.", _verb_case),
    Check("unknown-verb", Severity.ERROR, "A verb that no request of the rule's kind has.", _unknown_verbs),
    Check(
        "user-group-swapped",
        Severity.ERROR,
        "A well-known group stands among the users, or a user among the groups.",
        _swapped,
    ),
    Check(
        "malformed-resource",
        Severity.ERROR,
        "A resource pattern of a shape that matches nothing.",
        _malformed_resources,
    ),
    Check(
        "subresource-wildcard",
        Severity.INFO,
        "A pattern such as pods/* matches the resource itself as well.",
        _subresource_wildcards,
    ),
    Check(
        "names-without-name",
        Severity.WARNING,
        "resourceNames stand together with verbs whose requests carry no name.",
        _names_on_nameless_verbs,
    ),
    Check(
        "impossible-url", Severity.ERROR, "A nonResourceURLs pattern that no request for a URL has.", _impossible_urls
    ),
)
