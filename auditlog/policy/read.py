"""Strict reading of an audit policy text.

The API server first decodes a policy strictly. If that fails, it decodes again and ignores unknown keys
(`LoadPolicyFromBytes` in `k8s.io/apiserver/pkg/audit/policy/reader.go`). A misspelt key then leaves a warning in its
log, and a rule that matches more than it says. Here every such thing is a problem. Each problem says whether the API
server refuses the policy too. If the server starts, the problem names the lint finding under which the policy can be
examined.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from auditlog.policy.model import (
    GroupResources,
    Level,
    Policy,
    PolicyError,
    PolicyRule,
    Position,
    Problem,
    Stage,
)
from auditlog.policy.yaml_document import (
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    TRUE,
    TYPE_NAMES,
    Problems,
    described,
    only_document,
    start_of,
)

IGNORED_KEY = "ignored-key"
REPEATED_KEY = "repeated-key"
MERGED_KEYS = "merged-keys"
EMPTY_VALUE = "empty-value"
NEEDLESS_METADATA = "needless-metadata"
MISSING_KIND = "missing-kind"

API_VERSION = "audit.k8s.io/v1"
KIND = "Policy"

_POLICY_KEYS = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
_RULE_KEYS = (
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
)
_GROUP_KEYS = ("group", "resources", "resourceNames")
_METADATA_TEXTS = ("name", "namespace")
_METADATA_MAPS = ("labels", "annotations")
_METADATA_KEYS = (*_METADATA_TEXTS, *_METADATA_MAPS, "creationTimestamp")

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """What could be made of a text. `policy` is None when there is nothing that could be called one.

    Where each problem is one of `ignored`, `policy` is exactly what the API server works with. Otherwise it is only for
    later checks, so that these can add their own findings.
    """

    policy: Policy | None
    problems: tuple[Problem, ...]

    @property
    def ignored(self) -> tuple[Problem, ...]:
        """What the API server starts with, and ignores in a way that is known."""
        return tuple(each for each in self.problems if each.finding)

    @property
    def fatal(self) -> tuple[Problem, ...]:
        """What it refuses, or reads in a way that cannot be known here."""
        return tuple(each for each in self.problems if not each.finding)


def read_policy(text: str, source: str) -> Policy:
    """The policy written in `text`; `source` names the text in messages.

    Only the text itself is judged: `auditlog.policy.validate.load_policy` also asks whether an API server
    accepts it. Raises PolicyError with every problem found.
    """
    parsed = parse_policy(text, source)
    if parsed.policy is None or parsed.problems:
        raise PolicyError(source, parsed.problems)
    return parsed.policy


@functools.lru_cache(maxsize=8)  # each node's plan asks for the same policy
def parse_policy(text: str, source: str) -> ParsedPolicy:
    """`read_policy` without raising: the policy as far as it can be read, and every problem in the order of
    the text.
    """
    reading = _Reading()
    root = only_document(text, reading.problems)
    policy = reading.policy(root, source) if root is not None else None
    problems = tuple(sorted(reading.problems.found, key=lambda each: (each.line, each.column)))
    if policy is not None:
        # What an alias repeats is in the text once.
        ignored = {(each.line, each.column, each.finding): each for each in reversed(problems) if each.finding}
        policy = replace(policy, ignored=tuple(reversed(ignored.values())))
    return ParsedPolicy(policy, problems)


class _Reading:
    """One pass over one text: collects problems and the positions of what was read."""

    def __init__(self) -> None:
        self.problems = Problems()
        self.positions: dict[str, Position] = {}

    def policy(self, root: Node, source: str) -> Policy | None:
        fields = self._fields(root, "", _POLICY_KEYS)
        self.positions[""] = start_of(root)
        self._expect(root, "apiVersion", API_VERSION)
        self._expect(root, "kind", KIND)
        if "metadata" in fields:
            self._metadata(fields["metadata"])
        omit_stages = self._stages(fields.get("omitStages"), "omitStages")
        omit_managed_fields = self._boolean(fields.get("omitManagedFields"), "omitManagedFields") or False
        if "rules" not in fields:
            self.problems.add(start_of(root), "rules", "missing: a policy needs at least one rule")
            return None
        items = self._items(fields["rules"], "rules", "a list of rules")
        if not isinstance(fields["rules"], SequenceNode) and fields["rules"].tag != NULL:
            return None
        rules = tuple(self._rule(item, f"rules[{index}]") for index, item in enumerate(items))
        return Policy(
            rules=rules,
            omit_stages=omit_stages,
            omit_managed_fields=omit_managed_fields,
            source=source,
            positions=MappingProxyType(self.positions),
        )

    def _expect(self, root: Node, key: str, expected: str) -> None:
        """Check apiVersion or kind.

        The API server looks at these two keys before it decodes the text, and ignores their case. Of several spellings
        the last in alphabetical order counts. Without a kind it assumes a Policy.
        """
        spellings = {
            str(name.value): value
            for name, value in root.value
            if isinstance(name, ScalarNode) and name.value.lower() == key.lower()
        }
        found, position = "", start_of(root)
        for spelling in sorted(spellings):
            text = self._text(spellings[spelling], spelling)
            if text:
                found, position = text, start_of(spellings[spelling])
        if not found:
            message = f'missing: must be "{expected}"'
            if key == "kind":
                self.problems.ignored(position, key, message, MISSING_KIND)
            else:
                self.problems.add(position, key, message)
        elif found != expected:
            self.problems.add(position, key, f'"{found}" is not supported; allowed is "{expected}"')

    def _metadata(self, node: Node) -> None:
        if self._is_null(node, "metadata"):
            return
        if not isinstance(node, MappingNode):
            self._wrong_type(node, "metadata", "a mapping")
            return
        fields = self._fields(node, "metadata", _METADATA_KEYS)
        created = fields.get("creationTimestamp")
        if created is not None and created.tag != NULL:
            message = "a policy is not an object of the cluster: remove it"
            if isinstance(created, ScalarNode) and _TIMESTAMP.fullmatch(created.value):
                self.problems.ignored(start_of(created), "metadata.creationTimestamp", message, NEEDLESS_METADATA)
            else:
                self.problems.add(start_of(created), "metadata.creationTimestamp", message)
        for key in _METADATA_TEXTS:
            if key in fields:
                self._text(fields[key], f"metadata.{key}")
        for key in _METADATA_MAPS:
            if key not in fields or self._is_null(fields[key], f"metadata.{key}"):
                continue
            entries = fields[key]
            if not isinstance(entries, MappingNode):
                self._wrong_type(entries, f"metadata.{key}", "a mapping of strings")
                continue
            for name, value in entries.value:
                self._text(value, f"metadata.{key}.{name.value}")

    def _rule(self, node: Node, path: str) -> PolicyRule:
        position = self.positions[path] = start_of(node)
        if not isinstance(node, MappingNode):
            self._wrong_type(node, path, "a rule (a mapping with a level)")
            return PolicyRule(Level.NONE, line=position.line)
        fields = self._fields(node, path, _RULE_KEYS)

        def texts(key: str) -> tuple[str, ...]:
            return self._texts(fields.get(key), f"{path}.{key}")

        return PolicyRule(
            level=self._level(node, fields.get("level"), f"{path}.level"),
            users=texts("users"),
            user_groups=texts("userGroups"),
            verbs=texts("verbs"),
            resources=self._groups(fields.get("resources"), f"{path}.resources"),
            namespaces=texts("namespaces"),
            non_resource_urls=texts("nonResourceURLs"),
            omit_stages=self._stages(fields.get("omitStages"), f"{path}.omitStages"),
            omit_managed_fields=self._boolean(fields.get("omitManagedFields"), f"{path}.omitManagedFields"),
            line=position.line,
        )

    def _groups(self, node: Node | None, path: str) -> tuple[GroupResources, ...]:
        if node is None:
            return ()
        groups = []
        for index, item in enumerate(self._items(node, path, "a list of groups with their resources")):
            here = f"{path}[{index}]"
            self.positions[here] = start_of(item)
            if self._is_null(item, here):
                groups.append(GroupResources())
                continue
            if not isinstance(item, MappingNode):
                hint = ""
                if isinstance(item, ScalarNode) and item.tag == STRING:
                    hint = f'; write {{group: "", resources: ["{item.value}"]}}'
                self._wrong_type(item, here, "a mapping with group and resources", hint)
                continue
            fields = self._fields(item, here, _GROUP_KEYS)
            group = self._text(fields["group"], f"{here}.group") if "group" in fields else None
            groups.append(
                GroupResources(
                    group=group or "",
                    resources=self._texts(fields.get("resources"), f"{here}.resources"),
                    resource_names=self._texts(fields.get("resourceNames"), f"{here}.resourceNames"),
                )
            )
        return tuple(groups)

    def _level(self, rule: Node, node: Node | None, path: str) -> Level:
        allowed = [level.value for level in Level]
        if node is None:
            self.problems.add(start_of(rule), path, f"missing: must be one of {_listed(allowed)}")
            return Level.NONE
        if node.tag == NULL:
            self.problems.add(start_of(node), path, f"has no value: must be one of {_listed(allowed)}")
            return Level.NONE
        value = self._text(node, path)
        if value is None:
            return Level.NONE
        if value not in allowed:
            message = f'"{value}" is not a level{_did_you_mean(value, allowed)}; allowed are {_listed(allowed)}'
            self.problems.add(start_of(node), path, message)
            return Level.NONE
        return Level(value)

    def _stages(self, node: Node | None, path: str) -> tuple[Stage, ...]:
        if node is None:
            return ()
        allowed = [stage.value for stage in Stage]
        stages = []
        for index, item in enumerate(self._items(node, path, "a list of stages")):
            here = f"{path}[{index}]"
            if item.tag == NULL:
                self.problems.add(start_of(item), here, f"has no value: must be one of {_listed(allowed)}")
                continue
            value = self._text(item, here)
            if value is None:
                continue
            if value in allowed:
                stages.append(Stage(value))
                continue
            message = f'"{value}" is not a stage{_did_you_mean(value, allowed)}; allowed are {_listed(allowed)}'
            self.problems.add(start_of(item), here, message)
        return tuple(stages)

    def _boolean(self, node: Node | None, path: str) -> bool | None:
        if node is None or self._is_null(node, path):
            return None
        if not isinstance(node, ScalarNode) or node.tag != BOOLEAN:
            self._wrong_type(node, path, "true or false")
            return None
        self.positions[path] = start_of(node)
        return node.value in TRUE

    def _texts(self, node: Node | None, path: str) -> tuple[str, ...]:
        if node is None:
            return ()
        values = []
        for index, item in enumerate(self._items(node, path, "a list of strings")):
            value = self._text(item, f"{path}[{index}]")
            # The API server reads a null in a list of strings as "".
            values.append(value or "")
        return tuple(values)

    def _text(self, node: Node, path: str) -> str | None:
        if self._is_null(node, path):
            return None
        if not isinstance(node, ScalarNode) or node.tag != STRING:
            hint = ""
            if isinstance(node, ScalarNode) and node.tag in (BOOLEAN, NUMBER):
                hint = f'; put it in quotes: "{node.value}"'
            self._wrong_type(node, path, "a string", hint)
            return None
        self.positions[path] = start_of(node)
        return str(node.value)

    def _items(self, node: Node, path: str, expected: str) -> list[Node]:
        if self._is_null(node, path):
            return []
        if not isinstance(node, SequenceNode):
            hint = f'; write ["{node.value}"]' if isinstance(node, ScalarNode) else ""
            self._wrong_type(node, path, expected, hint)
            return []
        self.positions.setdefault(path, start_of(node))
        return list(node.value)

    def _fields(self, node: Node, path: str, known: tuple[str, ...]) -> dict[str, Node]:
        """The known keys of a mapping with their values; reports unknown, repeated and merged ones."""
        fields: dict[str, Node] = {}
        first_seen: dict[str, int] = {}
        for key_node, value in node.value:
            position = start_of(key_node)
            if not isinstance(key_node, ScalarNode):
                continue
            key = str(key_node.value)
            here = f"{path}.{key}" if path else key
            if _is_merge(key_node):
                message = "merge keys are not supported: what they give depends on their order; write the keys out"
                self.problems.ignored(position, here, message, MERGED_KEYS)
                for merged_key, merged_value in self._merged(value, here):
                    if merged_key in known:
                        fields[merged_key] = merged_value
                continue
            if key in first_seen:
                message = f"given twice, first on line {first_seen[key]}; the API server takes the last one"
                self.problems.ignored(position, here, message, REPEATED_KEY)
            first_seen[key] = position.line
            self.positions[here] = position
            if key not in known:
                message = f'"{key}" is not a key here{_did_you_mean(key, known)}; allowed are {_listed(known)}'
                self.problems.ignored(position, here, message, IGNORED_KEY)
                continue
            fields[key] = value
        return fields

    def _merged(self, node: Node, path: str, inside: tuple[int, ...] = ()) -> Iterator[tuple[str, Node]]:
        """What a merge key stands for, the stronger values last; it also overrides the keys in front of it
        (`mapping` and `merge` of go.yaml.in/yaml/v2).
        """
        sources = list(reversed(node.value)) if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode) or id(source) in inside:
                self._wrong_type(source, path, "a mapping or a list of mappings that are not inside of themselves")
                continue
            for key_node, value in source.value:
                if isinstance(key_node, ScalarNode) and _is_merge(key_node):
                    yield from self._merged(value, path, (*inside, id(source)))
                elif isinstance(key_node, ScalarNode):
                    yield str(key_node.value), value

    def _is_null(self, node: Node, path: str) -> bool:
        if node.tag != NULL:
            return False
        message = "has no value; the API server takes that as if it was not written: give a value or remove it"
        self.problems.ignored(start_of(node), path, message, EMPTY_VALUE)
        return True

    def _wrong_type(self, node: Node, path: str, expected: str, hint: str = "") -> None:
        message = f"must be {expected}, not {described(node)}{hint}"
        # The API server reads a tag it does not know as a plain string, and decodes !!binary.
        self.problems.add(start_of(node), path, message, refused=node.tag in TYPE_NAMES)


def _is_merge(key: ScalarNode) -> bool:
    return key.value == "<<" and key.style is None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    by_lower_case = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower_case), n=1, cutoff=0.6)
    return f', did you mean "{by_lower_case[close[0]]}"' if close else ""
