"""Reads ``Pulumi.<env>.yaml`` as the Pulumi CLI does, without the CLI: which values the program will get.

Tried out with Pulumi 3.250:

- A key without a namespace is the project's own.
- A scalar at the top reaches the program as its text. An empty value is an empty text.
- The CLI refuses a list or a mapping that is given as a text.
- Inside values YAML 1.2 counts, so ``off`` is a text.
- Encrypted values stay encrypted.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from auditlog.errors import AuditlogError
from auditlog.settings.mistake import Mistake
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.configuration import decoded, holds_keys
from auditlog.stack_file.namespaces import TWICE, own_keys

KEYS_OF_A_STACK_FILE = ("config", "environment", "secretsprovider", "encryptedkey", "encryptionsalt")
"""workspace.ProjectStack of the Pulumi CLI."""


class StackFileError(AuditlogError):
    """A file that cannot be read, or is no YAML mapping.

    ``line`` and ``column`` are where, counted from 1; None where it is the file as a whole.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a stack file gives the program.

    ``values`` are by key without namespace, what is encrypted as ``Encrypted``; ``others`` are the keys in full of
    other namespaces. ``lines`` are by key in full as messages write it. ``mistakes`` are those of the file's form.
    ``environments`` are the names under its key ``environment``: Pulumi ESC adds their values to the file's.
    """

    values: Mapping[str, Any]
    others: frozenset[str]
    lines: Mapping[str, int]
    mistakes: tuple[Mistake, ...]
    environments: tuple[str, ...] = ()

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
        place = f"{path}:{error.line}:{error.column}" if error.line else str(path)
        raise StackFileError(f"{place}: {error}") from error


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
    except (YAMLError, ValueError) as error:
        mark, what = getattr(error, "problem_mark", None), getattr(error, "problem", None) or error
        place = (mark.line + 1, mark.column + 1) if mark else ()
        raise StackFileError(f"{what}; allowed: YAML", *place) from error


@dataclass(slots=True)
class _Document:
    yaml: YAML
    project: str
    values: dict[str, Any] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    lines: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def read(self, root: MappingNode) -> StackFile:
        config: Node | None = None
        environments: tuple[str, ...] = ()
        for key, key_node, node in self._entries(root, ""):
            if key == "config":
                config = node
            elif key == "environment":
                environments = tuple(self._environments(node))
            elif key not in KEYS_OF_A_STACK_FILE:
                self.lines.setdefault(key, key_node.start_mark.line + 1)
                self._mistake(key, "is not a key of a stack file", ", ".join(KEYS_OF_A_STACK_FILE))
        if isinstance(config, MappingNode):
            self._read_config(config)
        elif config is not None and not (isinstance(config, ScalarNode) and config.value in ("", "~", "null")):
            self._mistake("config", "is no mapping", f"a mapping of {self.project}:KEY to values")
        return StackFile(self.values, frozenset(self.others), self.lines, tuple(self.mistakes), environments)

    def _environments(self, node: Node) -> Iterator[str]:
        """The names in a list of environments, or under ``imports`` of one that is written in the file."""
        found = self._value(node, "environment")
        if isinstance(found, Mapping):
            yield "written in the file"
            found = found.get("imports")
        for entry in found if isinstance(found, list) else [found] if isinstance(found, str) and found else ():
            yield from map(str, entry) if isinstance(entry, Mapping) else [str(entry)]

    def _read_config(self, config: MappingNode) -> None:
        entries = {written: (key_node, node) for written, key_node, node in self._entries(config, "config")}
        own = own_keys(entries, self.project)
        self.mistakes += own.mistakes
        wrong = {mistake.key for mistake in own.mistakes}
        self.lines |= {written: entries[written][0].start_mark.line + 1 for written in wrong}
        for key, written in own.written.items():
            key_node, node = entries[written]
            self.lines[key] = key_node.start_mark.line + 1
            self.values[key] = self._top(node, key)
        self.others = {*entries} - {*own.written.values()} - wrong

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
                self._mistake(here, TWICE, "every key once")
                continue
            seen.add(key)
            yield key, key_node, entry

    def _mistake(self, key: str, what: str, allowed: str) -> None:
        self.mistakes.append(Mistake(key, what, allowed))
