"""The policy that a stack's configuration asks for: read and validated before any node is contacted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from auditlog.policy.deployable import deployable_policy
from auditlog.policy.model import NEWEST_MINOR, PolicyError, Problem
from auditlog.policy.overlay import Overlay, build_policy
from auditlog.policy.presets import preset_text
from auditlog.policy.settings import Drops, PolicySettings


@dataclass(frozen=True, slots=True)
class SelectedPolicy:
    """The text that goes to the nodes; ``source`` says where it comes from, for people."""

    text: str
    source: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def selected_policy(settings: PolicySettings, project: Path = Path()) -> SelectedPolicy:
    """The policy that ``settings`` names or holds; ``project`` is the folder that its file's path starts from.

    A policy that the stack does not change goes to the nodes as it is, comments included. Raises PolicyError if the
    file cannot be read, or if no supported version's API server takes it. Raises it too if the server ignores something
    that no silence in the text accepts. Raises PresetError and OverlayError. What only some versions refuse is found by
    the plan, which knows each node's version.
    """
    selected = _base(settings, project)
    deployable_policy(selected.text, selected.source)
    overlay = Overlay(
        preset=settings.preset or "",
        preset_parameters=settings.parameters,
        custom_text=None if settings.preset is not None else selected.text,
        custom_source=selected.source,
        rules_before=settings.rules_before,
        rules_after=settings.rules_after,
        drops=settings.drops,
        raised_levels=settings.raised_levels,
        omit_stages=settings.omit_stages,
        omit_managed_fields=settings.omit_managed_fields,
    )
    if _changes_its_base(settings):
        selected = SelectedPolicy(build_policy(overlay), f"{selected.source}, changed by the stack")
    deployable_policy(selected.text, selected.source, NEWEST_MINOR)
    return selected


def _changes_its_base(settings: PolicySettings) -> bool:
    changes = (settings.rules_before, settings.rules_after, settings.raised_levels, settings.drops != Drops())
    return any(changes) or settings.omit_stages is not None or settings.omit_managed_fields is not None


def policy_source(settings: PolicySettings) -> str:
    """Where the policy comes from, for people."""
    if settings.text is not None:
        return "the policy in the configuration"
    return settings.file or f"preset {settings.preset}"


def _base(settings: PolicySettings, project: Path) -> SelectedPolicy:
    source = policy_source(settings)
    if settings.text is not None:
        return SelectedPolicy(settings.text, source)
    if settings.file is not None:
        return SelectedPolicy(_file_text(settings.file, project), source)
    return SelectedPolicy(preset_text(settings.preset or "", **settings.parameters), source)


def _file_text(path: str, project: Path) -> str:
    try:
        return (project / path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise PolicyError(f"policy.file {path!r}", (Problem(0, 0, "", f"cannot be read: {reason}"),)) from error
