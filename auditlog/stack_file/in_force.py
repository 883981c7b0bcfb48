"""What a stack file says about the logs of its cluster: the policy they are written under, and whose logs there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditlog.policy.model import Policy, PolicyError
from auditlog.policy.overlay import OverlayError
from auditlog.policy.presets import PresetError
from auditlog.policy.selection import selected_policy
from auditlog.policy.validate import policy_as_read
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.check import policy_settings
from auditlog.stack_file.read import StackFile, StackFileError


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy, None where it is encrypted, and the names of the control-plane nodes that have an API server."""

    policy: Policy | None
    nodes: tuple[str, ...]


def in_force(file: StackFile, folder: Path) -> InForce:
    """What the stack deploys; a policy's path starts from `folder`. Raises StackFileError."""
    if file.mistakes:
        raise StackFileError(str(file.mistakes[0]))
    return InForce(_policy(file.values.get("policy"), folder), tuple(_nodes(file.values.get("nodes"))))


def _policy(values: Any, folder: Path) -> Policy | None:
    if _is_encrypted(values):
        return None
    settings = policy_settings(values)
    if settings is None:
        raise StackFileError("policy: its settings are wrong; `config check` says why")
    try:
        selected = selected_policy(settings, folder)
        return policy_as_read(selected.text, selected.source)
    except (PolicyError, PresetError, OverlayError) as error:
        raise StackFileError(f"policy: {error}") from error


def _is_encrypted(values: Any) -> bool:
    if isinstance(values, Mapping):
        return any(_is_encrypted(value) for value in values.values())
    return isinstance(values, Encrypted)


def _nodes(values: Any) -> list[str]:
    """Nodes that are gone or have not joined yet have no API server."""
    entries = values if isinstance(values, list) else []
    present = [each for each in entries if isinstance(each, Mapping) and not (each.get("gone") or each.get("joining"))]
    return [str(each["name"]) for each in present if isinstance(each.get("name"), str)]
