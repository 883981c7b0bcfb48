"""Edits of YAML text that leave every other byte alone.

Loading a manifest and dumping it again loses comments, order and quoting. A reviewer of the diff then sees a rewritten
file instead of the three lines that matter. Here the YAML parser only says *where* things are, and the edit is a splice
into the file's own text.

Every function takes the whole text of one YAML document and returns the new text. A ``Path`` is a tuple of mapping keys
and sequence indices from the document's root, for example ``("spec", "containers", 0, "command")``. Only block style is
edited; a block replaces an empty flow collection (``{}``, ``[]``) or a null.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import yaml

from auditlog.errors import UNREADABLE_YAML, AuditlogError

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML that was built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

Path = tuple[str | int, ...]
_NULL = "tag:yaml.org,2002:null"


_RESOLVER: Any = yaml.resolver.Resolver()


@functools.lru_cache(maxsize=4096)
def _tag_of_plain(value: str) -> str:
    return str(_RESOLVER.resolve(yaml.ScalarNode, value, (True, False)))


class _PlaceLoader(_Loader):
    """Composes the same nodes as SafeLoader in half the time: it remembers whether a plain scalar is number or text. An
    edit parses its text again each time."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _tag_of_plain(value) if implicit[0] else "tag:yaml.org,2002:str"
        return "tag:yaml.org,2002:map" if kind is yaml.MappingNode else "tag:yaml.org,2002:seq"

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


class YamlEditError(AuditlogError):
    """The text is not one YAML document, or is written in a way that cannot be edited in place."""


@functools.lru_cache(maxsize=32)
def load(text: str) -> Any:
    """The document's plain values. Raises YamlEditError when the text is not exactly one YAML document.

    Who asks again gets the same values, because an edit asks after every flag; copy before changing them.
    """
    try:
        # A merge key is resolved in the nodes themselves, which are then no longer those of the text.
        node = _compose(text) if "<<" in text else _composed(text)
        return None if node is None else yaml.constructor.SafeConstructor().construct_document(node)
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        raise YamlEditError(_reason(error)) from error


def append_item(text: str, path: Path, value: object) -> str:
    """Adds ``value`` as the last item of the block sequence at ``path``, or fills an empty one."""
    node = _node_at(text, path)
    if _is_empty(node):
        return _fill_empty(text, path, [value])
    if not isinstance(node, yaml.SequenceNode):
        raise YamlEditError(f"{show(path)} is not a list")
    _require_block(node, path)
    lines = _render([value], node.start_mark.column, _newline(text))
    return _insert(text, _end_of_lines(text, node.value[-1]), lines)


def add_key(text: str, path: Path, key: str, value: object) -> str:
    """Adds ``key: value`` as the last entry of the block mapping at ``path``, or fills an empty one."""
    node = _node_at(text, path)
    if _is_empty(node):
        return _fill_empty(text, path, {key: value})
    if not isinstance(node, yaml.MappingNode):
        raise YamlEditError(f"{show(path)} is not a mapping")
    _require_block(node, path)
    lines = _render({key: value}, node.start_mark.column, _newline(text))
    return _insert(text, _end_of_lines(text, node.value[-1][1]), lines)


def set_scalar(text: str, path: Path, value: str) -> str:
    """Replaces the scalar at ``path``, keeping its quotation marks and a comment that follows it."""
    node = _node_at(text, path)
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise YamlEditError(f"{show(path)} is not a value on one line")
    style = node.style if node.style in ("'", '"') else None
    return text[: node.start_mark.index] + _scalar(value, style) + text[node.end_mark.index :]


def remove(text: str, path: Path) -> str:
    """Removes the mapping entry or sequence item at ``path`` with its lines; the last one leaves ``{}`` or ``[]``."""
    parent = _node_at(text, path[:-1])
    _require_block(parent, path[:-1])
    if isinstance(parent, yaml.MappingNode):
        pairs = {key.value: (key, value) for key, value in parent.value}
        first, last = pairs[str(path[-1])]
        alone, empty = len(parent.value) == 1, "{}"
    elif isinstance(parent, yaml.SequenceNode):
        first = last = parent.value[int(path[-1])]
        alone, empty = len(parent.value) == 1, "[]"
    else:
        raise YamlEditError(f"{show(path[:-1])} holds no entries")
    if alone:
        return replace_value(text, path[:-1], empty)
    start, end = _start_of_line(text, first), _end_of_lines(text, last)
    if text[start : first.start_mark.index].strip(" -") or (
        isinstance(parent, yaml.MappingNode) and "-" in text[start : first.start_mark.index]
    ):
        # The first entry of a mapping shares its line with the dash of the list it is an item of.
        following = parent.value[1][0].start_mark.index
        return text[: first.start_mark.index] + text[following:]
    if end == len(text) and not text.endswith("\n"):
        # The line break before the last line belongs to it where the file ends without one.
        start -= len(_newline(text))
    return text[:start] + text[end:]


def replace_value(text: str, path: Path, written: str) -> str:
    """Replaces the whole value of the key at ``path`` by ``written``, a flow value or scalar for the key's own line.

    What follows the key there, such as a comment, stays.
    """
    parent, node = _node_at(text, path[:-1]), _node_at(text, path)
    if not isinstance(parent, yaml.MappingNode):
        raise YamlEditError(f"{show(path)} is not the value of a key")
    key = next(key for key, _ in parent.value if key.value == path[-1])
    colon = text.index(":", key.end_mark.index) + 1
    if node.start_mark.line == key.start_mark.line:
        return f"{text[:colon]} {written}{text[_last_leaf(node).end_mark.index :]}"
    newline = _newline(text)
    end_of_line = text.index(newline, colon)
    end = _end_of_lines(text, node)
    ending = newline if text[:end].endswith("\n") else ""
    return f"{text[:colon]} {written}{text[colon:end_of_line].rstrip(' ')}{ending}{text[end:]}"


def show(path: Path) -> str:
    """``("spec", "containers", 0)`` as a person writes it: ``spec.containers[0]``."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.lstrip(".") or "the document"


def written_value(text: str, path: Path) -> str:
    """The text of the value at ``path`` in the document, without what follows it."""
    node = _node_at(text, path)
    return text[node.start_mark.index : _last_leaf(node).end_mark.index]


def _compose(text: str) -> yaml.Node | None:
    """The document's nodes; None when it has none."""
    try:
        # Places count from the byte order mark, which the loader leaves out.
        marked = "\n" + text[1:] if text.startswith("\ufeff") else text
        node: yaml.Node | None = yaml.compose(marked, Loader=_PlaceLoader)
    except (yaml.YAMLError, *UNREADABLE_YAML) as error:
        raise YamlEditError(_reason(error)) from error
    return node


_composed = functools.lru_cache(maxsize=32)(_compose)
"""The same for whoever never changes the nodes: an edit asks for several places of one text, and for its values."""


def _node_at(text: str, path: Path) -> yaml.Node:
    node = _composed(text)
    if node is None:
        raise YamlEditError("the document is empty")
    for depth, step in enumerate(path):
        child = _child(node, step)
        if child is None:
            raise YamlEditError(f"{show(path[: depth + 1])} does not exist")
        node = child
    return node


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode) and isinstance(step, str):
        return next((value for key, value in node.value if key.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    return None


def _is_empty(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return bool(node.tag == _NULL)
    return not node.value


def _require_block(node: yaml.Node, path: Path) -> None:
    if isinstance(node, yaml.CollectionNode) and node.flow_style:
        raise YamlEditError(
            f"{show(path)} is written in flow style ([..] or {{..}}); write it as a block, one entry a line"
        )


def _fill_empty(text: str, path: Path, value: object) -> str:
    node = _node_at(text, path)
    if not path:
        raise YamlEditError("the document is empty")
    parent = _node_at(text, path[:-1])
    _require_block(parent, path[:-1])
    newline = _newline(text)
    column = _key_column(parent, path[-1])
    indent = column if isinstance(value, list) else column + 2
    written = newline + _render(value, indent, newline).rstrip("\r\n")
    end_of_line = text.find(newline, node.end_mark.index)
    if end_of_line < 0:
        end_of_line = len(text)
    comment = text[node.end_mark.index : end_of_line]
    return text[: node.start_mark.index].rstrip(" ") + comment + written + text[end_of_line:]


def _key_column(parent: yaml.Node, step: str | int) -> int:
    if isinstance(parent, yaml.MappingNode):
        key = next(key for key, _ in parent.value if key.value == step)
        return int(key.start_mark.column)
    return int(parent.start_mark.column)


def _last_leaf(node: yaml.Node) -> yaml.Node:
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _start_of_line(text: str, node: yaml.Node) -> int:
    return text.rfind("\n", 0, node.start_mark.index) + 1


def _end_of_lines(text: str, node: yaml.Node) -> int:
    """Where the line after the node's last line starts; the end of the text when there is none."""
    leaf = _last_leaf(node)
    end: int = leaf.end_mark.index
    if isinstance(leaf, yaml.ScalarNode) and leaf.style in ("|", ">"):
        return _start_of_line(text, leaf) if end == leaf.start_mark.index else end
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline + 1


def _insert(text: str, position: int, lines: str) -> str:
    if position and not text[:position].endswith("\n"):
        # The file does not end with a line break; neither does the edited one, so that removal gives it back exactly.
        return text[:position] + _newline(text) + lines.rstrip("\r\n") + text[position:]
    return text[:position] + lines + text[position:]


def _render(value: object, column: int, newline: str) -> str:
    dumped = yaml.safe_dump(value, sort_keys=False, default_flow_style=False, width=1_000_000, allow_unicode=True)
    return "".join(" " * column + line + newline for line in dumped.splitlines())


def _scalar(value: str, style: str | None) -> str:
    dumped = yaml.safe_dump([value], default_style=style, default_flow_style=False, width=1_000_000, allow_unicode=True)
    return dumped[2:].rstrip("\n")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def find(items: Sequence[Any], key: str, wanted: object) -> int | None:
    """The index of the first mapping in ``items`` whose ``key`` is ``wanted``, or None."""
    return next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get(key) == wanted), None)
