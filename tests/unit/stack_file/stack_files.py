"""The stack files that tests are about: the wrong ones with the one message for each, and the project's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from auditlog.settings.setting import Encrypted
from auditlog.stack_file.namespaces import own_keys
from auditlog.stack_file.read import parse_stack_file
from lab.paths import REPOSITORY
from tests.unit.certificates import KEY

FOLDER = Path(__file__).parent
PROJECT = "kubernetes-audit"
POLICIES = FOLDER / "policies"
BROKEN = sorted((FOLDER / "broken").glob("*.yaml"))
"""One mistake each, which the program answers with the same message."""
MALFORMED = sorted((FOLDER / "malformed").glob("*.yaml"))
"""One mistake each in the form of the file; the Pulumi CLI stops at these, or takes something else than was meant."""
SHIPPED = [*sorted(REPOSITORY.glob("Pulumi.*.yaml")), *sorted((REPOSITORY / "tests" / "seeds").glob("Pulumi.*.yaml"))]


def message_of(path: Path) -> str:
    """The message that the first line of a wrong stack file gives."""
    return path.read_text().partition("\n")[0].removeprefix("# ")


def as_engine(text: str) -> tuple[dict[str, str], frozenset[str]]:
    """What the engine would hand to the program: texts, secrets decrypted, and the keys that hold no secret."""
    file = parse_stack_file(text, PROJECT)
    values = file.values
    written = own_keys(read_keys(text), PROJECT).written
    config = {
        _in_full(written[key]): value if isinstance(value, str) else json.dumps(_decrypted(value, key))
        for key, value in values.items()
    }
    return config | dict.fromkeys(file.others, "other"), frozenset(
        key for key, value in values.items() if not _holds_a_secret(value)
    )


def read_keys(text: str) -> list[str]:
    """The keys of the configuration as they are written in the file."""
    return [str(key) for key in YAML(typ="safe", pure=True).load(text).get("config") or ()]


def _in_full(key: str) -> str:
    return key if ":" in key else f"{PROJECT}:{key}"


def _decrypted(value: Any, key: str) -> Any:
    if isinstance(value, Encrypted):
        return KEY if key == "clientKey" else "decrypted"
    if isinstance(value, Mapping):
        return {name: _decrypted(entry, name) for name, entry in value.items()}
    return [_decrypted(entry, key) for entry in value] if isinstance(value, list) else value


def _holds_a_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_a_secret, value.values()))
    return isinstance(value, Encrypted) or (isinstance(value, list) and any(map(_holds_a_secret, value)))
