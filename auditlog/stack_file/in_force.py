"""What a stack file says about its cluster: the policy in force, the nodes, and all settings together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditlog.policy.model import Policy, PolicyError
from auditlog.policy.overlay import OverlayError
from auditlog.policy.presets import PresetError
from auditlog.policy.selection import SelectedPolicy, selected_policy
from auditlog.policy.validate import policy_as_read
from auditlog.settings import Settings
from auditlog.settings.mistake import SettingsError
from auditlog.settings.setting import Encrypted
from auditlog.stack_file.check import policy_settings
from auditlog.stack_file.configuration import check_configuration
from auditlog.stack_file.read import StackFile, StackFileError


@dataclass(frozen=True, slots=True)
class InForce:
    """What a stack deploys, as far as a question needs it."""

    policy: Policy | None
    """The policy; None if it is encrypted."""
    nodes: tuple[str, ...]
    """The names of the control-plane nodes that have an API server."""


def in_force(file: StackFile, folder: Path) -> InForce:
    """What the stack deploys; a policy's path starts from `folder`. Raises StackFileError."""
    selected = composed_policy(file, folder)
    try:
        policy = None if selected is None else policy_as_read(selected.text, selected.source)
    except PolicyError as error:
        raise StackFileError(f"policy: {error}") from error
    return InForce(policy, tuple(_nodes(file.values.get("nodes"))))


def composed_policy(file: StackFile, folder: Path) -> SelectedPolicy | None:
    """The text that goes to the nodes; None if it is encrypted. A policy's path starts from `folder`.

    Raises StackFileError.
    """
    _check_form(file)
    values = file.values.get("policy")
    if _is_encrypted(values):
        return None
    settings = policy_settings(values)
    if settings is None:
        raise StackFileError("policy: its settings are wrong; `config check` says why")
    try:
        return selected_policy(settings, folder)
    except (PolicyError, PresetError, OverlayError) as error:
        raise StackFileError(f"policy: {error}") from error


def settings_of(file: StackFile) -> Settings:
    """The settings that the file itself has; what is encrypted is an `Encrypted`. Raises StackFileError."""
    _check_form(file)
    try:
        return check_configuration(file.values, lambda _: True, lambda _: ())
    except SettingsError as error:
        raise StackFileError(f"{error.mistakes[0]}; `config check` says more") from error


def _check_form(file: StackFile) -> None:
    if file.mistakes:
        raise StackFileError(str(file.mistakes[0]))


def _is_encrypted(values: Any) -> bool:
    if isinstance(values, Mapping):
        return any(_is_encrypted(value) for value in values.values())
    return isinstance(values, Encrypted)


def _nodes(values: Any) -> list[str]:
    """Nodes that are gone or have not joined yet have no API server."""
    entries = values if isinstance(values, list) else []
    present = [each for each in entries if isinstance(each, Mapping) and not (each.get("gone") or each.get("joining"))]
    return [str(each["name"]) for each in present if isinstance(each.get("name"), str)]
