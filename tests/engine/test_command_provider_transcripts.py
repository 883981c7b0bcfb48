"""Replays recordings of the official pulumi-command 1.2.1 against the lab's plugin, call by call.

Compared is every response and every error, after these normalisations and no others:

* `<host key>`, `<another host key>`, `<private key>`, `<port>` and `<target>` in a recording stand for what the
  SSH server of this test has, because the recorded values belonged to another machine.
* The id in the response to Create is random: its form is compared (`node` and eight hexadecimal digits).
* `diffs` in the response to Diff is in the random order of a Go map: it is compared sorted.
* The output in the error of a failed command: the official plugin collects stdout and stderr in one buffer without
  a lock and loses lines (05-update-fails lost `partial`), so the recorded lines have to be among the lab's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.provider_plugin import ProviderCallError, ProviderPlugin, running
from tests.engine.ssh_server import SshServer, new_key, public_text

_RECORDINGS = sorted((Path(__file__).parent / "transcripts" / "command").glob("*.jsonl"))


@pytest.fixture(scope="module")
def plugin(command_plugin: Path) -> Iterator[ProviderPlugin]:
    with running(command_plugin) as started:
        yield started


def test_there_are_recordings() -> None:
    assert len(_RECORDINGS) == 13


@pytest.mark.parametrize("recording", _RECORDINGS, ids=lambda path: path.stem)
def test_plugin_answers_as_recorded(recording: Path, plugin: ProviderPlugin, ssh_server: SshServer) -> None:
    real = _real_values(ssh_server)
    commands: list[str] = []
    for line in recording.read_text().splitlines():
        call = json.loads(line)
        request = _replace(call["request"], real)
        if "error" in call:
            with pytest.raises(ProviderCallError) as failure:
                plugin.call(call["method"], request)
            _assert_same_error(str(failure.value), _replace(call["error"], real))
        else:
            response = plugin.call(call["method"], request)
            assert _normalised(response) == _normalised(_replace(call["response"], real))
        if _reaches_the_node(call):
            commands.append(_command(call["method"], request))
        assert ssh_server.commands() == commands


def _real_values(server: SshServer) -> dict[str, str | int]:
    return {
        "<host key>": server.host_key.strip(),
        "<another host key>": public_text(new_key()).strip(),
        "<private key>": server.private_key,
        "<port>": server.port,
        "<target>": str(server.folder / "target"),
    }


def _reaches_the_node(call: dict[str, Any]) -> bool:
    if call["run"] == "preview" or call["method"] not in {"Create", "Update", "Delete"}:
        return False
    return "error" not in call or "Process exited" in call["error"]


def _command(method: str, request: dict[str, Any]) -> str:
    """The command a call has to run: update falls back to create, delete is the one in the state."""
    command: str
    if method == "Update":
        command = request["news"].get("update") or request["news"]["create"]
    else:
        command = request["properties"][method.lower()]
    return command


def _replace(value: Any, real: dict[str, str | int]) -> Any:
    """`value` with every placeholder replaced; one that is the whole string may become a number."""
    if isinstance(value, dict):
        return {key: _replace(item, real) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, real) for item in value]
    if isinstance(value, str):
        if value in real:
            return real[value]
        for placeholder, actual in real.items():
            value = value.replace(placeholder, str(actual))
    return value


def _normalised(response: dict[str, Any]) -> dict[str, Any]:
    normalised = dict(response)
    if "id" in normalised:
        normalised["id"] = re.sub(r"^node[0-9a-f]{8}$", "node and eight digits", normalised["id"])
    if "diffs" in normalised:
        normalised["diffs"] = sorted(normalised["diffs"])
    return normalised


def _assert_same_error(actual: str, recorded: str) -> None:
    actual_head, *actual_output = actual.splitlines()
    recorded_head, *recorded_output = recorded.splitlines()
    assert actual_head == recorded_head
    assert not Counter(recorded_output) - Counter(actual_output)
