"""The component's arguments as types for Python programs: made from the package's schema.

``auditlog config arguments >components/arguments.py`` writes them again.
"""

from __future__ import annotations

import json
import keyword
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from auditlog.settings.package_schema import COMPONENT, NAME, package_schema

_HEAD = '''\
"""The arguments of ``AuditLogging`` in Python, by the keys of ``docs/settings.md``.

Made by ``auditlog config arguments``; ``make lint`` fails when it is not what the program reads by.
"""

# ruff: noqa: N815 - keys are spelled as in a stack file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypedDict

from pulumi import Input
'''
_SIMPLE = {"string": "str", "boolean": "bool", "integer": "int", "number": "float"}
_WIDTH = 116


def python_arguments() -> str:
    """The text of ``components/arguments.py``."""
    schema = package_schema()
    resource = schema["resources"][COMPONENT]
    objects = {
        f"{name.rpartition(':')[2]}Args": (shape["properties"], shape["required"], shape.get("description", ""))
        for name, shape in schema["types"].items()
        if shape["type"] == "object" and name not in _output_types(schema)
    }
    objects["AuditLoggingArgs"] = (
        resource["inputProperties"],
        resource["requiredInputs"],
        "The settings of one cluster, secrets included.",
    )
    blocks = [_HEAD]
    for name, (properties, required, about) in objects.items():
        blocks.append("\n".join(_class(name, properties, required, about, schema["types"])))
    return "\n\n\n".join(block.rstrip("\n") for block in blocks) + "\n"


def _output_types(schema: Mapping[str, Any]) -> set[str]:
    """The types that only outputs refer to."""
    outputs = json.dumps(schema["resources"][COMPONENT]["properties"])
    return {name for name in schema["types"] if f'"#/types/{name}"' in outputs}


def _class(
    name: str, properties: Mapping[str, Any], required: list[str], about: str, types: Mapping[str, Any]
) -> Iterator[str]:
    reserved = {key: shape for key, shape in properties.items() if keyword.iskeyword(key)}
    base = "TypedDict"
    if reserved:
        # A class cannot have an attribute of such a name.
        base = f"_{name}"
        fields = ", ".join(f'"{key}": "{_input(shape, types)}"' for key, shape in reserved.items())
        yield f'{base} = TypedDict("{base}", {{{fields}}}, total=False)\n\n'
    yield f"class {name}({base}, total=False):"
    yield f'    """{about or "Settings of " + name.removesuffix("Args") + "."}"""\n'
    for key, shape in properties.items():
        if key not in reserved:
            wanted = _input(shape, types)
            yield f"    {key}: {f'Required[{wanted}]' if key in required else wanted}"
            yield _docstring(shape["description"])


def _docstring(text: str) -> str:
    safe = text.replace("\\", "\\\\")
    return textwrap.fill(f'"""{safe}"""', _WIDTH, initial_indent="    ", subsequent_indent="    ")


def _input(shape: Mapping[str, Any], types: Mapping[str, Any]) -> str:
    return f"Input[{_type(shape, types)}]"


def _type(shape: Mapping[str, Any], types: Mapping[str, Any]) -> str:
    if "oneOf" in shape:
        return " | ".join(_type(each, types) for each in shape["oneOf"])
    reference = shape.get("$ref", "")
    if reference.startswith("pulumi.json"):
        return "Any"
    if reference:
        named = types[reference.removeprefix("#/types/")]
        if "enum" in named:
            return f"Literal[{', '.join(json.dumps(each['value']) for each in named['enum'])}]"
        return f"{reference.removeprefix(f'#/types/{NAME}:index:')}Args"
    match shape["type"]:
        case "array":
            return f"Sequence[{_input(shape['items'], types)}]"
        case "object":
            return f"Mapping[str, {_input(shape['additionalProperties'], types)}]"
        case simple:
            return _SIMPLE[simple]
