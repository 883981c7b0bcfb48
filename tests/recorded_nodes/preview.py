"""What a preview decided, apart from the words in which it said so. Read from `pulumi preview --json`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from auditlog.manifest.desired import sha256

_COMMAND = "command:remote:Command"
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_FREE_SPACE = re.compile(r"\d+ MB free")
# The script that is installed is another one in each version, and is no decision about the node.
_SCRIPTS = "-scripts"
RECORDS_ONLY = "update of records"
"""The file on the node is right: what the node keeps of the stack changes, and nothing restarts."""
_FOLLOWS_FROM_TEXTS = frozenset({"desired", "policy-desired", "canary-sha256", "staged", "written"})
"""Arguments that are hashes of texts: the texts themselves are compared."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview of one node."""

    decisions: Mapping[str, str]
    """What the update would do: operations, texts of files, and arguments of the node's script, by names such as
    `cp1-manifest`, `cp1-manifest text` and `cp1-manifest mode`."""
    said: tuple[str, ...]
    """The messages, without the diffs of files that they carry."""

    @classmethod
    def of(cls, printed: str) -> Preview:
        """Reads what the engine printed with `--json`."""
        document = json.loads(printed)
        said = [each["message"] for each in document.get("diagnostics", ())]
        refused = any(each["severity"] == "error" for each in document.get("diagnostics", ()))
        decisions = {"the update": "is refused" if refused else "is possible"}
        for step in document.get("steps", ()):
            decisions |= _decided(step)
        return cls(decisions, tuple(sorted({line for text in said for line in _lines(text)})))


def different(released: Preview, today: Preview) -> dict[str, tuple[str, str]]:
    """Decisions that are not the same, each as it was and as it is; `-` where one preview has none of that name."""
    names = sorted({*released.decisions, *today.decisions})
    both = {name: (released.decisions.get(name, "-"), today.decisions.get(name, "-")) for name in names}
    return {name: values for name, values in both.items() if values[0] != values[1]}


def _decided(step: Mapping[str, Any]) -> dict[str, str]:
    name, state = step["urn"].rpartition("::")[2], step.get("newState") or {}
    if state.get("type") != _COMMAND:
        return {}
    if step["op"] == "same" or name.endswith(_SCRIPTS):
        return {name: step["op"]}
    inputs, changed = state["inputs"], step.get("detailedDiff") or {}
    is_called = step["op"] == "create" or "update" in changed
    arguments = dict(_arguments(inputs["create" if step["op"] == "create" else "update"])) if is_called else {}
    if step["op"] == "update" and _is_right(inputs["stdin"], arguments):
        return {name: RECORDS_ONLY}
    texts = {name: step["op"], f"{name} text": _without_words(inputs["stdin"])}
    return texts | {f"{name} {key}": value for key, value in arguments.items() if key not in _FOLLOWS_FROM_TEXTS}


def _is_right(text: str, arguments: Mapping[str, str]) -> bool:
    """Whether the node has ``text`` already and nothing is restarted. Without arguments its script is not called."""
    live = arguments.get("live", "").partition("@")[0]
    return not arguments or (live == sha256(text) and "mode" not in arguments)


def _arguments(command: str) -> Iterator[tuple[str, str]]:
    """What the node's script is given, by name. A check that stands before the call is none of it."""
    _, _, call = command.rpartition("node.sh ")
    for word in shlex.split(call, comments=True)[1:]:
        key, _, value = word.partition("=")
        yield key, value


def _without_words(text: str) -> str:
    """A text as the API server and kubeadm read it, without comments and the hashes of comments."""
    return _SHA256.sub("HASH", json.dumps(yaml.safe_load(text), sort_keys=True))


def _lines(message: str) -> Iterator[str]:
    words, _, _ = message.partition("--- ")
    if words.startswith("In short: "):
        yield words.partition("\n")[0]
        return
    yield from (_without_moment(line.strip()) for line in words.splitlines() if line.strip())


def _without_moment(line: str) -> str:
    """The facts for both versions were read one after the other: free space is not quite the same."""
    return _FREE_SPACE.sub("N MB free", _SHA256.sub("HASH", line))
