"""Sigma rules for Kubernetes audit events (https://sigmahq.io/docs/basics/rules.html)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from auditlog.detections.foreign.rule import (
    ANYTHING,
    Alternatives,
    ForeignError,
    ForeignRule,
    NotUnderstoodError,
    Test,
    TooManyAlternativesError,
    either,
    every,
)
from auditlog.errors import UNREADABLE_YAML

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_NAMES = {"apiGroup": "objectRef.apiGroup", "username": "user.username", "objectRef.groups": "objectRef.apiGroup"}
"""Names that rules use beside those of the events."""


def sigma_rules(text: str, source: str) -> tuple[ForeignRule, ...]:
    """The rules of a file, which may hold several documents. Raises ForeignError."""
    try:
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        raise ForeignError(
            f"{source}: not valid YAML: {' '.join(str(error).split())}; allowed: a Sigma rule"
        ) from error
    rules = []
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("detection"), dict):
            raise ForeignError(f"{source}: has no detection; allowed: a Sigma rule")
        rules.append(_rule(document))
    if not rules:
        raise ForeignError(f"{source}: is empty; allowed: a Sigma rule")
    return tuple(rules)


def _rule(document: Mapping[str, Any]) -> ForeignRule:
    title = str(document.get("title", "a rule without a title"))
    origin = document.get("logsource")
    if not isinstance(origin, dict) or (origin.get("product"), origin.get("service")) != ("kubernetes", "audit"):
        return ForeignRule(title, problem="its logsource is not product: kubernetes, service: audit")
    try:
        return ForeignRule(title, _Condition(document["detection"]).alternatives())
    except TooManyAlternativesError:
        return ForeignRule(title, problem="its condition has too many alternatives")
    except NotUnderstoodError as error:
        return ForeignRule(title, problem=str(error))


class _Condition:
    """The condition of one rule, read from left to right; `not` binds strongest, then `and`, then `or`."""

    def __init__(self, detection: Mapping[str, Any]) -> None:
        self.selections = {
            str(name): each for name, each in detection.items() if name not in ("condition", "timeframe")
        }
        condition = detection.get("condition")
        words = condition if isinstance(condition, list) else [condition]
        if not words or not all(isinstance(each, str) for each in words):
            raise NotUnderstoodError("it has no condition")
        self.conditions = [str(each) for each in words]

    def alternatives(self) -> Alternatives:
        return either(self.one(condition) for condition in self.conditions)

    def one(self, condition: str) -> Alternatives:
        # What is counted changes how often it fires, not whether it can.
        selecting = condition.partition("|")[0]
        self.tokens = _TOKEN.findall(selecting)
        found = self.any_of(negated=False)
        if self.tokens:
            raise NotUnderstoodError(f'"{" ".join(self.tokens)}" in its condition is not understood')
        return found

    def any_of(self, *, negated: bool) -> Alternatives:
        parts = [self.all_of(negated=negated)]
        while self.tokens and self.tokens[0].lower() == "or":
            self.tokens.pop(0)
            parts.append(self.all_of(negated=negated))
        return every(parts) if negated else either(parts)

    def all_of(self, *, negated: bool) -> Alternatives:
        parts = [self.operand(negated=negated)]
        while self.tokens and self.tokens[0].lower() == "and":
            self.tokens.pop(0)
            parts.append(self.operand(negated=negated))
        return either(parts) if negated else every(parts)

    def operand(self, *, negated: bool) -> Alternatives:
        if not self.tokens:
            raise NotUnderstoodError("its condition ends too early")
        word = self.tokens.pop(0)
        if word.lower() == "not":
            return self.operand(negated=not negated)
        if word == "(":
            found = self.any_of(negated=negated)
            if not self.tokens or self.tokens.pop(0) != ")":
                raise NotUnderstoodError("a bracket in its condition is not closed")
            return found
        if len(self.tokens) >= 2 and self.tokens[0].lower() == "of":
            self.tokens.pop(0)
            pattern = self.tokens.pop(0)
            names = [name for name in self.selections if pattern == "them" or fnmatch.fnmatchcase(name, pattern)]
            parts = [self.selection(name, negated=negated) for name in names]
            is_all = word.lower() == "all"
            return every(parts) if is_all != negated else either(parts)
        return self.selection(word, negated=negated)

    def selection(self, name: str, *, negated: bool) -> Alternatives:
        if name not in self.selections:
            raise NotUnderstoodError(f'"{name}" in its condition is no selection')
        return _selected(self.selections[name], negated=negated)


def _selected(value: Any, *, negated: bool) -> Alternatives:
    if isinstance(value, list):
        parts = [_selected(each, negated=negated) for each in value]
        return every(parts) if negated else either(parts)
    if isinstance(value, dict):
        parts = [part for key, wanted in value.items() for part in _compared(str(key), wanted, negated=negated)]
        return either(parts) if negated else every(parts)
    return ANYTHING


def _compared(key: str, wanted: Any, *, negated: bool) -> Iterator[Alternatives]:
    name, *modifiers = key.split("|")
    name = _NAMES.get(name, name)
    values = wanted if isinstance(wanted, list) else [wanted]
    if "all" in modifiers:
        parts = [_test(name, [each], modifiers).asked(negated=negated) for each in values]
        yield either(parts) if negated else every(parts)
        return
    yield _test(name, values, modifiers).asked(negated=negated)


def _test(name: str, values: list[Any], modifiers: list[str]) -> Test:
    texts = tuple("" if each is None else str(each) for each in values)
    is_plain = not [each for each in modifiers if each not in ("all", "cased")]
    exactly = is_plain and not any("*" in text or "?" in text for text in texts)
    return Test(name, texts, exactly, name if exactly else f"{'|'.join([name, *modifiers])}: {', '.join(texts)}")
