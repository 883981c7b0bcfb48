"""The package's schema has every setting and every output, as the parser and the program have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditlog.settings.outputs import OUTPUTS
from auditlog.settings.package_schema import COMPONENT, package_schema, package_schema_text
from auditlog.settings.parse import SECRETS, STACK
from auditlog.settings.python_arguments import python_arguments
from auditlog.settings.reader import FlagOrGroup, Group, Groups
from auditlog.settings.setting import Setting
from auditlog.stack_file.configuration import SECRET_STEPS
from lab.paths import REPOSITORY

SCHEMA = package_schema()
RESOURCE = SCHEMA["resources"][COMPONENT]


def keys(settings: tuple[Setting[Any], ...], before: str = "") -> Iterator[str]:
    """Every setting in full, without the brackets of lists."""
    for setting in settings:
        yield before + setting.key
        kind = setting.kind.group if isinstance(setting.kind, Groups | FlagOrGroup) else setting.kind
        if isinstance(kind, Group):
            yield from keys(kind.settings, f"{before}{setting.key}.")


def properties(found: dict[str, Any], before: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of the schema in full, through the types that it refers to."""
    for name, shape in found.items():
        yield before + name, shape
        for part in (shape, shape.get("items", {}), *shape.get("oneOf", ())):
            if "$ref" in part and part["$ref"].startswith("#/types/"):
                named = SCHEMA["types"][part["$ref"].removeprefix("#/types/")]
                yield from properties(named.get("properties", {}), f"{before}{name}.")


def test_the_schema_that_is_checked_in_is_the_one_of_the_program() -> None:
    assert (REPOSITORY / "package" / "schema.json").read_text() == package_schema_text()


def test_the_python_types_that_are_checked_in_are_those_of_the_program() -> None:
    assert (REPOSITORY / "components" / "arguments.py").read_text() == python_arguments()


def test_every_setting_is_an_argument_and_described() -> None:
    found = dict(properties(RESOURCE["inputProperties"]))
    assert found.keys() == {*keys((*STACK.settings, *SECRETS))}
    assert all(shape["description"] for shape in found.values())


def test_every_secret_is_one_and_so_is_what_holds_it() -> None:
    found = dict(properties(RESOURCE["inputProperties"]))
    expected = {".".join(steps[:depth]) for steps in SECRET_STEPS for depth in range(1, len(steps) + 1)}
    assert {name for name, shape in found.items() if shape.get("secret")} == expected


def test_no_default_is_sent_in_place_of_what_was_not_given() -> None:
    assert [name for name, shape in properties(RESOURCE["inputProperties"]) if "default" in shape] == []


def test_types_are_named_by_the_way_to_them_and_each_is_used() -> None:
    found = [*properties(RESOURCE["inputProperties"]), *properties(RESOURCE["properties"])]
    used = {
        part["$ref"].removeprefix("#/types/")
        for _, shape in found
        for part in (shape, shape.get("items", {}), shape.get("additionalProperties", {}), *shape.get("oneOf", ()))
        if part.get("$ref", "").startswith("#/types/")
    }
    assert used == SCHEMA["types"].keys()
    assert "kubernetes-audit:index:AuditLogBatchThrottle" in used


def test_outputs_are_those_of_a_stack() -> None:
    assert RESOURCE["properties"].keys() == {output.name for output in OUTPUTS}
    assert set(RESOURCE["required"]) == {"cluster", "policy", "nodes", "queries", "dashboards", "ruleGroups"}
