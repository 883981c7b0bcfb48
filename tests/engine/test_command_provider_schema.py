"""The lab's command plugin against the SDK it is used with: properties, secrets, defaults and version."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi_command
import pytest
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2
from pulumi_command import local, remote

from tests.engine.provider_plugin import ProviderPlugin, running

_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
_DEFAULTS = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}


@pytest.fixture(scope="module")
def plugin(command_plugin: Path) -> Iterator[ProviderPlugin]:
    with running(command_plugin) as started:
        yield started


@pytest.fixture(scope="module")
def schema(plugin: ProviderPlugin) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    return answer


def _properties(constructor: Callable[..., None]) -> set[str]:
    """The property names a generated SDK class takes, as its plugin spells them."""
    names = [name for name in inspect.signature(constructor).parameters if name != "__self__"]
    return {re.sub(r"_(.)", lambda match: match[1].upper(), name) for name in names}


def test_inputs_are_those_of_the_sdk(schema: dict[str, Any]) -> None:
    command = schema["resources"]["command:remote:Command"]
    assert set(command["inputProperties"]) == _properties(remote.CommandArgs.__init__)
    assert command["requiredInputs"] == ["connection"]
    assert set(command["properties"]) == set(command["inputProperties"]) | {"stdout", "stderr"}


def test_local_inputs_are_those_of_the_sdk_but_assets(schema: dict[str, Any]) -> None:
    command = schema["resources"]["command:local:Command"]
    inputs = command["inputProperties"]
    assert set(inputs) == _properties(local.CommandArgs.__init__) - {"archivePaths", "assetPaths"}
    assert "requiredInputs" not in command
    assert [name for name, value in inputs.items() if value.get("replaceOnChanges")] == ["triggers"]
    assert [name for name, value in inputs.items() if value.get("secret")] == []
    values = {entry["value"] for entry in schema["types"]["command:local:Logging"]["enum"]}
    assert values == {value.value for value in local.Logging}


@pytest.mark.parametrize(
    ("token", "arguments"), [("Connection", remote.ConnectionArgs), ("ProxyConnection", remote.ProxyConnectionArgs)]
)
def test_connections_are_those_of_the_sdk(token: str, arguments: type, schema: dict[str, Any]) -> None:
    described = schema["types"][f"command:remote:{token}"]
    assert set(described["properties"]) == _properties(arguments.__init__)  # type: ignore[misc]
    assert described["required"] == ["host"]
    defaults = {name: value["default"] for name, value in described["properties"].items() if "default" in value}
    assert defaults == _DEFAULTS
    secrets = {name for name, value in described["properties"].items() if value.get("secret")}
    assert secrets == {"password", "privateKey", "privateKeyPassword"}


def test_only_triggers_replace_and_only_the_connection_is_secret(schema: dict[str, Any]) -> None:
    inputs = schema["resources"]["command:remote:Command"]["inputProperties"]
    assert [name for name, value in inputs.items() if value.get("replaceOnChanges")] == ["triggers"]
    assert [name for name, value in inputs.items() if value.get("secret")] == ["connection"]


def test_logging_has_the_values_of_the_sdk(schema: dict[str, Any]) -> None:
    values = {entry["value"] for entry in schema["types"]["command:remote:Logging"]["enum"]}
    assert values == {value.value for value in remote.Logging}


def test_version_is_the_one_the_sdk_asks_for(plugin: ProviderPlugin) -> None:
    asked_for = json.loads((Path(pulumi_command.__file__).parent / "pulumi-plugin.json").read_text())
    assert plugin.stub.GetPluginInfo(empty_pb2.Empty()).version == asked_for["version"]


def test_check_fills_in_the_defaults_of_both_connections_and_hides_the_credentials(
    plugin: ProviderPlugin,
) -> None:
    answer = plugin.call(
        "Check",
        {
            "urn": "urn:pulumi:t::p::command:remote:Command::node",
            "news": {"connection": {"host": "node", "proxy": {"host": "bastion", "password": "x"}}},
        },
    )
    password = {**_SECRET, "value": "x"}
    proxy = {**_DEFAULTS, "host": "bastion", "password": password}
    assert answer["inputs"] == {"connection": {**_SECRET, "value": {**_DEFAULTS, "host": "node", "proxy": proxy}}}


def test_check_refuses_a_connection_without_host(plugin: ProviderPlugin) -> None:
    answer = plugin.call(
        "Check", {"urn": "urn:pulumi:t::p::command:remote:Command::node", "news": {"connection": {"user": "x"}}}
    )
    (failure,) = answer["failures"]
    assert failure["property"] == "connection"
    assert "'host'" in failure["reason"]
