"""Falco rules of the plugin k8saudit (https://falco.org/docs/reference/rules/), with their macros and lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from auditlog.detections.foreign.rule import (
    Alternatives,
    Asked,
    ForeignError,
    ForeignRule,
    NotUnderstoodError,
    Test,
    TooManyAlternativesError,
    either,
    every,
)
from auditlog.errors import UNREADABLE_YAML

_SOURCES = ("k8s_audit", "k8saudit")
_TOKEN = re.compile(r"""\s*("[^"]*"|'[^']*'|\(|\)|,|!=|<=|>=|=|<|>|[^\s(),=<>!"']+)""")
_OPERATORS = frozenset(
    {
        *("=", "!=", "<", "<=", ">", ">=", "in", "intersects", "contains", "icontains", "startswith", "endswith"),
        *("glob", "iglob", "pmatch", "regex", "exists", "bcontains", "bstartswith"),
    }
)
_FIELDS = {
    "ka.auditid": "auditID",
    "ka.stage": "stage",
    "ka.verb": "verb",
    "ka.uri": "requestURI",
    "ka.user.name": "user.username",
    "ka.user.groups": "user.groups",
    "ka.impuser.name": "impersonatedUser.username",
    "ka.auth.decision": "annotations.authorization.k8s.io/decision",
    "ka.auth.reason": "annotations.authorization.k8s.io/reason",
    "ka.auth.openshift.decision": "annotations.authentication.openshift.io/decision",
    "ka.auth.openshift.username": "annotations.authentication.openshift.io/username",
    "ka.target.name": "objectRef.name",
    "ka.target.namespace": "objectRef.namespace",
    "ka.target.resource": "objectRef.resource",
    "ka.target.subresource": "objectRef.subresource",
    "ka.target.pod.name": "objectRef.name",
    "ka.response.code": "responseStatus.code",
    "ka.response.reason": "responseStatus.reason",
    "ka.resp.name": "responseObject.metadata.name",
    "ka.useragent": "userAgent",
    "ka.sourceips": "sourceIPs",
    "ka.cluster.name": "annotations.cluster",
    "jevt.rawtime": "stageTimestamp",
    "jevt.time": "stageTimestamp",
}


def falco_rules(text: str, source: str) -> tuple[ForeignRule, ...]:
    """The rules of a file that are about audit events. Raises ForeignError."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        raise ForeignError(
            f"{source}: not valid YAML: {' '.join(str(error).split())}; allowed: a file of Falco rules"
        ) from error
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise ForeignError(f"{source}: is no list of rules, macros and lists; allowed: a file of Falco rules")
    macros = {str(each["macro"]): str(each.get("condition", "")) for each in document if "macro" in each}
    lists = {str(each["list"]): each.get("items") or [] for each in document if "list" in each}
    rules = [each for each in document if "rule" in each and "condition" in each]
    if not rules:
        raise ForeignError(f"{source}: has no rule with a condition; allowed: a file of Falco rules")
    return tuple(_rule(each, macros, lists) for each in rules)


def _rule(rule: Mapping[str, Any], macros: Mapping[str, str], lists: Mapping[str, Any]) -> ForeignRule:
    title = str(rule["rule"])
    if rule.get("source", "syscall") not in _SOURCES:
        return ForeignRule(title, problem="its source is not k8s_audit")
    try:
        return ForeignRule(title, _Condition(str(rule["condition"]), macros, lists).alternatives())
    except TooManyAlternativesError:
        return ForeignRule(title, problem="its condition has too many alternatives")
    except NotUnderstoodError as error:
        return ForeignRule(title, problem=str(error))


class _Condition:
    """A condition with the macros and lists of its file; `inside` are the macros that are being read."""

    def __init__(
        self, text: str, macros: Mapping[str, str], lists: Mapping[str, Any], inside: tuple[str, ...] = ()
    ) -> None:
        self.macros, self.lists, self.inside = macros, lists, inside
        self.tokens = _TOKEN.findall(text)

    def alternatives(self, *, negated: bool = False) -> Alternatives:
        found = self.any_of(negated=negated)
        if self.tokens:
            raise NotUnderstoodError(f'"{" ".join(self.tokens[:5])}" in its condition is not understood')
        return found

    def any_of(self, *, negated: bool) -> Alternatives:
        parts = [self.all_of(negated=negated)]
        while self.tokens and self.tokens[0] == "or":
            self.tokens.pop(0)
            parts.append(self.all_of(negated=negated))
        return every(parts) if negated else either(parts)

    def all_of(self, *, negated: bool) -> Alternatives:
        parts = [self.operand(negated=negated)]
        while self.tokens and self.tokens[0] == "and":
            self.tokens.pop(0)
            parts.append(self.operand(negated=negated))
        return either(parts) if negated else every(parts)

    def operand(self, *, negated: bool) -> Alternatives:
        word = self.next()
        if word == "not":
            return self.operand(negated=not negated)
        if word == "(":
            found = self.any_of(negated=negated)
            if self.next() != ")":
                raise NotUnderstoodError("a bracket in its condition is not closed")
            return found
        if self.tokens and self.tokens[0] in _OPERATORS:
            return self.comparison(word, negated=negated)
        return self.macro(word, negated=negated)

    def macro(self, name: str, *, negated: bool) -> Alternatives:
        if name in self.inside:
            raise NotUnderstoodError(f'macro "{name}" is inside of itself')
        if name not in self.macros:
            return (Asked(unknown=frozenset({f"macro {name}, which is not in the file"})),)
        inner = _Condition(self.macros[name], self.macros, self.lists, (*self.inside, name))
        return inner.alternatives(negated=negated)

    def comparison(self, name: str, *, negated: bool) -> Alternatives:
        operator = self.next()
        values = () if operator == "exists" else self.values()
        field = _field(name)
        words = " ".join(filter(None, (name, operator, ", ".join(values))))
        if operator == "!=":
            negated = not negated
        return Test(field, values, operator in ("=", "!=", "in"), words).asked(negated=negated)

    def values(self) -> tuple[str, ...]:
        word = self.next()
        if word != "(":
            return (_plain(word),)
        found: list[str] = []
        while (word := self.next()) != ")":
            if word != ",":
                found += self.listed(word)
        return tuple(found)

    def listed(self, word: str) -> list[str]:
        if word not in self.lists:
            return [_plain(word)]
        return [word for each in self.lists[word] for word in self.listed(str(each))]

    def next(self) -> str:
        if not self.tokens:
            raise NotUnderstoodError("its condition ends too early")
        return str(self.tokens.pop(0))


def _plain(word: str) -> str:
    return word[1:-1] if word[:1] in "\"'" and word[-1:] == word[:1] else word


def _field(name: str) -> str:
    """The field of an audit event that a field of the plugin is made from."""
    if name.startswith("jevt.value["):
        return name.removeprefix("jevt.value[").removesuffix("]").strip("/").replace("/", ".")
    base = name.partition("[")[0]
    if base.startswith("ka.req."):
        return f"requestObject ({name})"
    if base.startswith("ka.uri"):
        return "requestURI"
    return _FIELDS.get(base, name)
