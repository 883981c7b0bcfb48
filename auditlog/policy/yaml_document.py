"""The one YAML document of a policy's text, with scalars as the API server's library reads them.

The library is go.yaml.in/yaml/v2, YAML 1.1: an unquoted `yes`, `on`, `y` or `1` is not a string there, so it is not one
here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from auditlog.errors import UNREADABLE_YAML
from auditlog.policy.model import Position, Problem

IGNORED_DOCUMENT = "ignored-document"

STRING = "tag:yaml.org,2002:str"
BOOLEAN = "tag:yaml.org,2002:bool"
NUMBER = "tag:yaml.org,2002:float"
NULL = "tag:yaml.org,2002:null"
TYPE_NAMES = {
    STRING: "a string",
    BOOLEAN: "a boolean",
    NUMBER: "a number",
    "tag:yaml.org,2002:int": "a number",
    NULL: "nothing",
    "tag:yaml.org,2002:seq": "a list",
    "tag:yaml.org,2002:map": "a mapping",
}

TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"))
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"\.(nan|NaN|NAN)|[-+]?\.(inf|Inf|INF)")


@dataclass(slots=True)
class Problems:
    """What is wrong with a text, in the order of its discovery."""

    found: list[Problem] = field(default_factory=list)

    def add(self, position: Position, path: str, message: str, *, refused: bool = True) -> None:
        """Adds what the API server refuses, or with ``refused`` False may start with."""
        self.found.append(Problem(position.line, position.column, path, message, refused))

    def ignored(self, position: Position, path: str, message: str, finding: str) -> None:
        """Adds what it starts with and ignores, under the id of a lint ``finding``."""
        self.found.append(Problem(position.line, position.column, path, message, False, finding))


def only_document(text: str, problems: Problems) -> Node | None:
    """The root node of the text's single document, or None after reporting why there is none."""
    try:
        composer = _PolicyComposer(text)
        root = composer.get_node() if composer.check_node() else None
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        _report_broken_yaml(problems, error, text)
        return None
    if root is None:
        problems.add(Position(1, 1), "", "the text is empty: a policy needs apiVersion, kind and rules")
        return None
    if composer.yaml_version not in (None, (1, 1)):
        problems.add(Position(1, 1), "", "the %YAML directive asks for a version other than 1.1; remove it")
    _refuse_more_documents(problems, composer)
    _refuse_what_json_lacks(problems, root)
    if root.tag == NULL:
        problems.add(start_of(root), "", "the document is empty: a policy needs apiVersion, kind and rules")
        return None
    if not isinstance(root, MappingNode):
        problems.add(start_of(root), "", f"a policy is a mapping, not {described(root)}")
        return None
    return root


def _report_broken_yaml(problems: Problems, error: Exception, text: str) -> None:
    position = _error_position(error, text)
    reason, refused = _error_reason(error), True
    if r"'\t'" in reason:
        reason = "a tab where a value or key must begin; use spaces"
        # The API server's library takes a tab for a space, but not where it would be indentation.
        before = text.splitlines()[position.line - 1][: position.column - 1]
        refused = not before.strip(" -")
    problems.add(position, "", f"not valid YAML: {reason}", refused=refused)


def _refuse_more_documents(problems: Problems, composer: _PolicyComposer) -> None:
    message = "a second document begins here; the API server reads only the first: one policy, one file"
    try:
        second = composer.get_node() if composer.check_node() else None
        if second is not None:
            problems.ignored(start_of(second), "", message, IGNORED_DOCUMENT)
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        problems.ignored(_error_position(error, ""), "", message, IGNORED_DOCUMENT)


def _refuse_what_json_lacks(problems: Problems, root: Node) -> None:
    """The API server turns YAML into JSON before it decodes it, also the parts it would not look at."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        # An alias is the same node again, and may even be inside itself.
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            for key, value in node.value:
                if not isinstance(key, ScalarNode):
                    problems.add(start_of(key), "", f"a key must be a string, not {described(key)}")
                waiting.append(value)
        elif isinstance(node, SequenceNode):
            waiting += node.value
        elif node.tag == NUMBER and _SPECIAL_FLOAT.fullmatch(node.value):
            problems.add(start_of(node), "", f"{node.value} is a number JSON cannot express")


class _PolicyComposer(Reader, Scanner, Parser, Composer, BaseResolver):
    """PyYAML up to the node tree, with the plain scalars of the API server's YAML library."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def resolve(self, kind: type[Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        if kind is ScalarNode and isinstance(implicit, tuple) and implicit[0] and value is not None:
            return _plain_scalar_tag(value)
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


def _plain_scalar_tag(value: str) -> str:
    if value in _NULLS:
        return NULL
    if value in TRUE or value in _FALSE:
        return BOOLEAN
    if value[0] not in "+-.0123456789":
        return STRING
    if _SPECIAL_FLOAT.fullmatch(value):
        return NUMBER
    digits = value if value.startswith(".") else value.replace("_", "")
    if _INTEGER.fullmatch(digits) or (_FLOAT.fullmatch(digits) and math.isfinite(float(digits))):
        return NUMBER
    return STRING


def start_of(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def described(node: Node) -> str:
    kind = TYPE_NAMES.get(node.tag, f"a value tagged {node.tag}")
    return f"{kind} ({node.value})" if isinstance(node, ScalarNode) and node.value else kind


def _error_position(error: Exception, text: str) -> Position:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return Position(mark.line + 1, mark.column + 1)
    before = text[: getattr(error, "position", 0)]
    return Position(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _error_reason(error: Exception) -> str:
    parts = (getattr(error, "context", None), getattr(error, "problem", None), getattr(error, "reason", None))
    return ", ".join(str(part) for part in parts if part) or str(error)
