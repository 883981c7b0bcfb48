"""The JSON Schema of stack files and the parser come from the same declarations and agree."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from auditlog.settings import SettingsError
from auditlog.settings.parse import STACK
from auditlog.settings.reader import FlagOrGroup, Group, Groups
from auditlog.settings.schema import schema_text, stack_file_schema
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.configuration import check_configuration
from auditlog.stack_file.read import parse_stack_file
from lab.paths import REPOSITORY
from tests.unit.stack_file.stack_files import BROKEN, FOLDER, MALFORMED, PROJECT, SHIPPED

EDITOR = Draft202012Validator(stack_file_schema())
BETWEEN_KEYS = {
    "a_network_policy_for_a_snippet",
    "a_network_policy_on_the_nodes_network",
    "a_batch_with_mode_blocking",
    "a_client_key_without_its_certificate",
    "a_key_with_and_without_the_namespace",
    "a_kubeconfig_and_its_file",
    "a_loki_user_without_a_password",
    "a_node_gone_and_joining",
    "a_parameter_of_another_preset",
    "a_policy_path_in_the_manifests_folder",
    "a_preset_and_a_file",
    "a_reader_without_a_key",
    "a_throttle_without_its_burst",
    "a_webhook_token_over_http",
    "alloy_without_loki",
    "an_alloy_that_is_too_old",
    "events_larger_than_their_batch",
    "every_node_joining",
    "loki_without_a_kubeconfig",
    "no_log_and_no_webhook",
    "rotation_of_standard_output",
    "the_log_in_the_policys_place",
    "the_same_node_twice",
}
"""What no schema of single values can say."""
IN_THE_NAMESPACE = {
    "a_namespace_in_capitals",
    "a_setting_under_another_projects_name",
    "a_setting_under_the_kubernetes_provider",
    "an_underscore_for_a_hyphen",
}
"""What a schema leaves alone: the keys of other namespaces are their providers'."""
IN_THE_VALUE = {
    "a_host_key_that_was_cut",
    "a_log_path_with_two_dots",
    "a_loki_url_with_its_api",
    "a_policy_file_that_is_not_there",
    "a_policy_file_with_a_mistake",
    "a_policy_in_broken_base64",
    "a_rule_with_an_unknown_level",
    "a_threshold_in_bytes",
}
"""What a pattern cannot say of a text, is said by a policy's own reader, or holds for one entry alone."""


def read(text: str) -> Any:
    """The file as an editor reads it."""
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


def is_right(text: str) -> bool:
    """Without a look at the policy, which a stack file only names."""
    file = parse_stack_file(text, PROJECT)
    try:
        check_configuration(file.values, lambda steps: is_encrypted(file.values, steps), lambda _: ())
    except SettingsError:
        return False
    return not file.mistakes


def is_encrypted(values: Any, steps: tuple[str, ...]) -> bool:
    for step in steps:
        values = values[step]
    return isinstance(values, Encrypted)


def test_the_schema_that_editors_use_is_the_one_of_the_program() -> None:
    Draft202012Validator.check_schema(stack_file_schema())
    assert (REPOSITORY / "docs" / "settings.schema.json").read_text() == schema_text()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_parser_and_schema_take_every_shipped_file(path: Path) -> None:
    assert is_right(path.read_text())
    assert EDITOR.is_valid(read(path.read_text()))


@pytest.mark.parametrize(
    "path", [path for path in (*BROKEN, *MALFORMED) if path.stem != "a_key_twice"], ids=lambda path: path.stem
)
def test_the_schema_refuses_every_wrong_file_but_what_a_schema_cannot_see(path: Path) -> None:
    assert EDITOR.is_valid(read(path.read_text())) is (path.stem in BETWEEN_KEYS | IN_THE_NAMESPACE | IN_THE_VALUE)


def test_what_a_schema_cannot_see_is_among_the_wrong_files() -> None:
    names = {path.stem for path in (FOLDER / "broken").iterdir()} | {path.stem for path in MALFORMED}
    assert names >= BETWEEN_KEYS | IN_THE_NAMESPACE | IN_THE_VALUE


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.floats(allow_nan=False),
    st.sampled_from(["", "a", "A b", "-", "/var/log/a.log", "5s", "on", "10", "Metadata", "50m", "x.receiver"]),
    st.sampled_from(["https://a.example.com", 'job="a"', "standard", "off", "configmap", "batch", "legacy"]),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just({"secure": "v1:AAAA"}),
    st.lists(st.sampled_from(["a", "Panic", "exec-session", 1, {}]), max_size=2),
    st.dictionaries(st.sampled_from(["a", "exec-session", "alloy"]), st.sampled_from([1, "a", ["a"]]), max_size=2),
)
GOOD: dict[str, Any] = {
    "cluster": "prod",
    "nodes": [
        {
            "name": "cp1",
            "host": "10.0.20.11",
            "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
        }
    ],
    "webhook": {"server": "https://siem.example.com"},
    "loki": {"url": "https://loki.example.com"},
    "kubeconfig": {"secure": "v1:AAAA"},
    "policy": {"raise": [{"level": "Metadata", "resource": "pods/exec"}], "drop": {"resources": [{"group": "apps"}]}},
    "auditLog": {"mode": "batch", "batch": {"throttle": {"qps": 1, "burst": 2}}, "truncate": {"maxEventSize": 9}},
    "alloy": {"resources": {"cpu": "50m"}},
}


def places(group: Group, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The steps to every setting, and to a key beside them that there is none of."""
    yield (*before, "unknown")
    for setting in group.settings:
        here = (*before, setting.key)
        yield here
        kind = setting.kind
        if isinstance(kind, Groups):
            yield from places(kind.group, (*here, 0))
        elif isinstance(kind, FlagOrGroup):
            yield from places(kind.group, here)
        elif isinstance(kind, Group):
            yield from places(kind, here)


PLACES = sorted(set(places(STACK)), key=str)


def with_value(values: Any, steps: tuple[str | int, ...], value: Any) -> Any:
    """A copy with one value put in its place; what is not on the way there yet is made."""
    if not steps:
        return value
    first, rest = steps[0], steps[1:]
    if isinstance(first, int):
        return [with_value((values or [{}])[0], rest, value)]
    return {**(values or {}), first: with_value((values or {}).get(first), rest, value)}


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=2))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_schema_refuses_nothing_that_the_parser_takes(changes: list[tuple[tuple[str | int, ...], Any]]) -> None:
    values: Any = GOOD
    for steps, value in changes:
        try:
            values = with_value(values, steps, value)
        except (AttributeError, KeyError, IndexError, TypeError):
            continue  # the first change has put something else in the way of the second
    text = yaml.safe_dump({"config": {f"{PROJECT}:{key}": value for key, value in values.items()}}, allow_unicode=True)
    assert EDITOR.is_valid(read(text)) or not is_right(text), text


@pytest.mark.parametrize("steps", PLACES, ids=lambda steps: ".".join(map(str, steps)))
def test_parser_and_schema_know_the_same_keys(steps: tuple[str | int, ...]) -> None:
    """An unknown key and a value of no kind at all are refused by both, everywhere."""
    values = with_value(GOOD, steps, [[None]])
    text = yaml.safe_dump({"config": {f"{PROJECT}:{key}": value for key, value in values.items()}})
    assert not EDITOR.is_valid(read(text)) or steps[-1] in ("rulesBefore", "rulesAfter")
    assert not is_right(text)
