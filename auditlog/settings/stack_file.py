"""Reads ``Pulumi.<env>.yaml`` as the Pulumi CLI does, without the CLI: which values the program will be given.

What was tried out with Pulumi 3.250: a key without a namespace is the project's own; a scalar at the top reaches the
program as its text; a list or a mapping cannot be given as a text, the CLI refuses it; inside of values YAML 1.2
counts, so that ``off`` is a text; an empty value is an empty text. Encrypted values stay encrypted.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from auditlog.settings.configuration import decoded, holds_keys
from auditlog.settings.mistake import Mistake
from auditlog.settings.setting import Encrypted

KEYS_OF_A_STACK_FILE = ("config", "environment", "secretsprovider", "encryptedkey", "encryptionsalt")
"""workspace.ProjectStack of the Pulumi CLI."""

_CLOSE = 0.9
"""How alike a namespace is to the project's when it is a slip of the pen; that of the Kubernetes provider is 0.77."""


class StackFileError(Exception):
    """A file that cannot be read, or is no YAML mapping."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a stack file gives the program.

    ``values`` by key without namespace, what is encrypted as ``Encrypted``. ``lines`` by key in full as messages write
    it. ``mistakes`` are those of the file's own form.
    """

    values: Mapping[str, Any]
    lines: Mapping[str, int]
    mistakes: tuple[Mistake, ...]

    def line_of(self, key: str) -> int:
        """The line of a key, or of what it is missing from; counted from 1."""
        while key and key not in self.lines:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.lines.get(key, 1)


def read_stack_file(path: Path, project: str) -> StackFile:
    """The stack file of a project with this name. Raises StackFileError."""
    try:
        return parse_stack_file(path.read_text(encoding="utf-8"), project)
    except OSError as error:
        raise StackFileError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StackFileError(f"{path}: is no UTF-8 text") from error
    except StackFileError as error:
        raise StackFileError(f"{path}: {error}") from error


def parse_stack_file(text: str, project: str) -> StackFile:
    """The same from the file's text."""
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(io.StringIO(text))
        if not isinstance(root, MappingNode):
            raise StackFileError("is no mapping; allowed: a stack file with the key config")
        return _Document(yaml, project).read(root)
    except RecursionError as error:
        raise StackFileError("an alias stands inside of what it names; allowed: YAML without such aliases") from error
    except YAMLError as error:
        mark, what = getattr(error, "problem_mark", None), getattr(error, "problem", None) or error
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise StackFileError(f"{place}{what}; allowed: YAML") from error


@dataclass(slots=True)
class _Document:
    yaml: YAML
    project: str
    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def read(self, root: MappingNode) -> StackFile:
        config: Node | None = None
        for key, key_node, node in self._entries(root, ""):
            if key == "config":
                config = node
            elif key not in KEYS_OF_A_STACK_FILE:
                self.lines.setdefault(key, key_node.start_mark.line + 1)
                self._mistake(key, "is not a key of a stack file", ", ".join(KEYS_OF_A_STACK_FILE))
        if isinstance(config, MappingNode):
            self._read_config(config)
        elif config is not None and not (isinstance(config, ScalarNode) and config.value in ("", "~", "null")):
            self._mistake("config", "is no mapping", f"a mapping of {self.project}:KEY to values")
        return StackFile(self.values, self.lines, tuple(self.mistakes))

    def _read_config(self, config: MappingNode) -> None:
        for written, key_node, node in self._entries(config, "config"):
            namespace, _, key = written.rpartition(":")
            if namespace not in ("", self.project):
                if not difflib.get_close_matches(namespace, [self.project], cutoff=_CLOSE):
                    continue
                self.lines[written] = key_node.start_mark.line + 1
                self._mistake(written, f"has the namespace {namespace!r}", f"{self.project}:{key}")
            if key in self.values:
                self.lines[written] = key_node.start_mark.line + 1
                self._mistake(written, f"stands twice, as {self.project}:{key} and {key}", "one of the two")
                continue
            self.lines[key] = key_node.start_mark.line + 1
            self.values[key] = self._top(node, key)

    def _top(self, node: Node, key: str) -> Any:
        value = self._value(node, key)
        if not isinstance(node, ScalarNode):
            return value
        written = value if isinstance(value, str) else json.dumps(value) if value is not None else ""
        return written if holds_keys(key) or written != written.strip() else decoded(key, written)

    def _value(self, node: Node, key: str) -> Any:
        if isinstance(node, SequenceNode):
            return [self._item(item, f"{key}[{index}]") for index, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            found: dict[str, Any] = {}
            for name, key_node, entry in self._entries(node, key):
                here = f"{key}.{name}"
                self.lines.setdefault(here, key_node.start_mark.line + 1)
                found[name] = self._value(entry, here)
            secure = found.get("secure")
            return Encrypted(secure) if list(found) == ["secure"] and isinstance(secure, str) else found
        value = self.yaml.constructor.construct_object(node)
        # What JSON has no form for reaches the program as a text, a date for example.
        return value if isinstance(value, str | int | float | None) else node.value

    def _item(self, node: Node, key: str) -> Any:
        self.lines.setdefault(key, node.start_mark.line + 1)
        return self._value(node, key)

    def _entries(self, node: MappingNode, where: str) -> Iterator[tuple[str, Node, Node]]:
        self.yaml.constructor.flatten_mapping(node)
        seen: set[str] = set()
        for key_node, entry in node.value:
            key = str(key_node.value)
            if key in seen:
                here = f"{where}.{key}" if where not in ("", "config") else key.removeprefix(f"{self.project}:")
                self.lines[here] = key_node.start_mark.line + 1
                self._mistake(here, "stands twice", "every key once")
                continue
            seen.add(key)
            yield key, key_node, entry

    def _mistake(self, key: str, what: str, allowed: str) -> None:
        self.mistakes.append(Mistake(key, what, allowed))
