"""What an API server does not read of a policy it starts with, and what the policy therefore means.

The server logs a warning and goes on (`LoadPolicyFromBytes`, `k8s.io/apiserver/pkg/audit/policy/reader.go`). A key that
is not read widens what its rule matches, so each finding says what is matched instead.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from functools import partial

from auditlog.policy.lint.finding import Check, Context, Hit, Severity, listed
from auditlog.policy.model import GroupResources, Policy, PolicyRule, Position, Problem
from auditlog.policy.read import (
    EMPTY_VALUE,
    IGNORED_KEY,
    MERGED_KEYS,
    MISSING_KIND,
    NEEDLESS_METADATA,
    REPEATED_KEY,
)
from auditlog.policy.yaml_document import IGNORED_DOCUMENT

_RULE_KEYS = ("verbs", "users", "userGroups", "namespaces", "resources", "nonResourceURLs", "omitStages")
_ENTRY_KEYS = ("group", "resources", "resourceNames")
_MEANT = {
    "username": "users",
    "usernames": "users",
    "serviceaccount": "users",
    "group": "userGroups",
    "groups": "userGroups",
    "verb": "verbs",
    "methods": "verbs",
    "resource": "resources",
    "ns": "namespaces",
    "paths": "nonResourceURLs",
    "urls": "nonResourceURLs",
}
"""What keys mean in a rule that are not close in spelling; an entry of `resources` has `_MEANT_IN_ENTRY` first."""

_MEANT_IN_ENTRY = {
    "apigroup": "group",
    "apigroups": "group",
    "groups": "group",
    "resource": "resources",
    "name": "resourceNames",
    "names": "resourceNames",
}
_PATH = re.compile(r"(?:(?P<parent>.*)\.)?(?P<key>[^.]+)", re.DOTALL)
_RULE = re.compile(r"rules\[(\d+)\]")
_ENTRY = re.compile(r"rules\[(\d+)\]\.resources\[(\d+)\]")


def _keys(context: Context) -> Iterator[Hit]:
    for problem in _of(context, IGNORED_KEY):
        match = _PATH.fullmatch(problem.path)
        parent, key = ("", problem.path) if match is None else (match["parent"] or "", match["key"])
        meaning, fix, severity = _meaning(context.policy, parent, key)
        yield Hit(
            problem.path,
            f'"{key}" is not a key here; the API server ignores it and starts: {meaning}',
            fix,
            severity,
            Position(problem.line, problem.column),
        )


def _meaning(policy: Policy, parent: str, key: str) -> tuple[str, str, Severity]:
    """What the policy means without the key, what to do, and how bad it is."""
    entry, rule = _ENTRY.fullmatch(parent), _RULE.fullmatch(parent)
    if entry is not None:
        owner = policy.rules[int(entry[1])]
        return _in_entry(owner, owner.resources[int(entry[2])], key)
    if rule is not None:
        return _in_rule(policy.rules[int(rule[1])], key)
    if parent == "" and (close := _close(key, ("omitStages", "omitManagedFields", "rules", "metadata"))):
        return f"{close} has the value that it has without this line", f"write {close}", Severity.ERROR
    return "nothing that is recorded changes by it", "remove it, or make it a comment", Severity.INFO


def _in_rule(rule: PolicyRule, key: str) -> tuple[str, str, Severity]:
    if key in ("resourceNames", "names", "resourceName"):
        fix = "move resourceNames into an entry of resources, beside the resources it is about"
        return "the rule matches objects of any name", fix, Severity.ERROR
    if key.lower() in ("apigroups", "apigroup"):
        fix = "write resources: [{group: …, resources: […]}]: a group belongs into an entry of resources"
        return _unrestricted(rule, "resources"), fix, Severity.ERROR
    meant = _MEANT.get(key.lower()) or _close(key, (*_RULE_KEYS, "omitManagedFields", "level"))
    if meant is None:
        return "the rule means the same as without it", "remove it, or make it a comment", Severity.WARNING
    return _unrestricted(rule, meant), f"write {meant}", Severity.ERROR


def _in_entry(rule: PolicyRule, entry: GroupResources, key: str) -> tuple[str, str, Severity]:
    whole = "" if entry.resources else f"the entry names no resources and stands for all of {_group(entry)}"
    meant = _MEANT_IN_ENTRY.get(key.lower()) or _close(key, _ENTRY_KEYS)
    if meant == "group":
        return whole or f"the entry is about {_group(entry)}", "write group, with one name", Severity.ERROR
    if meant == "resources":
        return whole or f"only {listed(entry.resources)} of {_group(entry)} count", "write resources", Severity.ERROR
    if meant == "resourceNames":
        return (
            whole or f"the entry matches {listed(entry.resources)} of any name",
            "write resourceNames",
            Severity.ERROR,
        )
    of_rule = _MEANT.get(key.lower()) or _close(key, _RULE_KEYS)
    if of_rule is None:
        return whole or "the entry means the same as without it", "remove it, or make it a comment", Severity.WARNING
    meaning = " and ".join(filter(None, (whole, _unrestricted(rule, of_rule))))
    return meaning, f"{of_rule} belongs one level up, beside resources", Severity.ERROR


def _unrestricted(rule: PolicyRule, key: str) -> str:
    """What a rule matches that has only what is left of it."""
    if key in ("users", "userGroups"):
        if rule.users or rule.user_groups:
            return f"the rule matches by {listed(sorted((*rule.users, *rule.user_groups)))} alone"
        return "the rule matches every user"
    if key in ("resources", "nonResourceURLs"):
        if rule.resources or rule.non_resource_urls:
            return "the rule matches only what else it names"
        return "the rule matches every resource" + ("" if rule.namespaces else " and every URL")
    if key == "namespaces":
        named = rule.namespaces
        return f"the rule matches namespace {listed(named)} alone" if named else "the rule matches every namespace"
    if key == "verbs":
        return f"the rule matches {listed(rule.verbs)} alone" if rule.verbs else "the rule matches every verb"
    return f"{key} has the value that it has without this line"


def _group(entry: GroupResources) -> str:
    return {"": "the core group", "*": "every group"}.get(entry.group, entry.group)


def _close(key: str, known: tuple[str, ...]) -> str | None:
    by_lower_case = {name.lower(): name for name in known}
    close = difflib.get_close_matches(key.lower(), list(by_lower_case), n=1, cutoff=0.75)
    return by_lower_case[close[0]] if close else None


def _of(context: Context, finding: str) -> Iterator[Problem]:
    return (problem for problem in context.policy.ignored if problem.finding == finding)


def _plain(finding: str, reason: Callable[[Problem], str], fix: str, context: Context) -> Iterator[Hit]:
    for problem in _of(context, finding):
        yield Hit(problem.path, reason(problem), fix, place=Position(problem.line, problem.column))


def _key(problem: Problem) -> str:
    return problem.path.rpartition(".")[2] or "kind"


CHECKS = (
    Check(IGNORED_KEY, Severity.ERROR, "A key that the API server ignores, so the rule matches more.", _keys),
    Check(
        REPEATED_KEY,
        Severity.ERROR,
        "A key appears twice; the API server takes the last one.",
        partial(
            _plain,
            REPEATED_KEY,
            lambda problem: f'"{_key(problem)}" is {problem.message}, and the values of the first have no effect',
            "write one list",
        ),
    ),
    Check(
        EMPTY_VALUE,
        Severity.WARNING,
        "A key or an item without a value.",
        partial(
            _plain,
            EMPTY_VALUE,
            lambda problem: f'"{_key(problem)}" has no value: the API server reads the policy as if it was not written',
            "give it a value or remove it",
        ),
    ),
    Check(
        MERGED_KEYS,
        Severity.WARNING,
        "A YAML merge key, whose effect depends on its place.",
        partial(
            _plain,
            MERGED_KEYS,
            lambda _: (
                "the API server's strict reader refuses merge keys, its second one lets them override the keys "
                "in front of them"
            ),
            "write the keys out",
        ),
    ),
    Check(
        IGNORED_DOCUMENT,
        Severity.ERROR,
        "A second document in the same file, which the API server does not read.",
        partial(
            _plain,
            IGNORED_DOCUMENT,
            lambda _: (
                "a second document begins here; the API server reads only the first, so no rule below is in force"
            ),
            "one policy, one file",
        ),
    ),
    Check(
        MISSING_KIND,
        Severity.INFO,
        "There is no kind; the API server takes the text for a Policy.",
        partial(
            _plain, MISSING_KIND, lambda _: "there is no kind; the API server assumes Policy", "write kind: Policy"
        ),
    ),
    Check(
        NEEDLESS_METADATA,
        Severity.INFO,
        "metadata that only an object of the cluster has.",
        partial(
            _plain,
            NEEDLESS_METADATA,
            lambda _: "creationTimestamp is of an object of the cluster, which a policy is not",
            "remove it",
        ),
    ),
)
