"""As much of JSON Schema 2020-12 as the schema of stack files uses; a keyword that it does not know is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}
_ANNOTATIONS = ("$schema", "$defs", "title", "description", "default")


def accepts(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether the whole schema takes this value."""
    return _Validator(schema).accepts(schema, value)


class _Validator:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def accepts(self, schema: Any, value: Any) -> bool:
        if isinstance(schema, bool):
            return schema
        return all(
            self._keyword(schema, keyword, value) for keyword in schema if keyword not in _ANNOTATIONS
        ) and self._properties(schema, value)

    def _keyword(self, schema: Mapping[str, Any], keyword: str, value: Any) -> bool:
        wanted = schema[keyword]
        is_number = _TYPES["number"](value)
        match keyword:
            case "$ref":
                return self.accepts(self._root["$defs"][wanted.removeprefix("#/$defs/")], value)
            case "type":
                return any(_TYPES[name](value) for name in ([wanted] if isinstance(wanted, str) else wanted))
            case "enum":
                return any(value == entry and type(value) is type(entry) for entry in wanted)
            case "anyOf":
                return any(self.accepts(each, value) for each in wanted)
            case "allOf":
                return all(self.accepts(each, value) for each in wanted)
            case "pattern":
                return not isinstance(value, str) or re.search(wanted, value) is not None
            case "minLength":
                return not isinstance(value, str) or len(value) >= wanted
            case "minimum":
                return not is_number or value >= wanted
            case "exclusiveMinimum":
                return not is_number or value > wanted
            case "maximum":
                return not is_number or value <= wanted
            case "minItems":
                return not isinstance(value, list) or len(value) >= wanted
            case "items":
                return not isinstance(value, list) or all(self.accepts(wanted, item) for item in value)
            case "minProperties":
                return not isinstance(value, dict) or len(value) >= wanted
            case "maxProperties":
                return not isinstance(value, dict) or len(value) <= wanted
            case "required":
                return not isinstance(value, dict) or set(wanted) <= set(value)
            case "propertyNames":
                return not isinstance(value, dict) or all(self.accepts(wanted, name) for name in value)
            case "properties" | "patternProperties" | "additionalProperties":
                return True
        raise AssertionError(f"the keyword {keyword} is new here")

    def _properties(self, schema: Mapping[str, Any], value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return all(self.accepts(each, entry) for name, entry in value.items() for each in self._of(schema, name))

    @staticmethod
    def _of(schema: Mapping[str, Any], name: str) -> Iterator[Any]:
        """The schemas that a property of this name has to satisfy."""
        own = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        own += [each for pattern, each in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
        yield from own or [schema.get("additionalProperties", True)]
