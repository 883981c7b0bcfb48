"""The policy that a stack's configuration asks for: read and validated before any node is dialled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from auditlog.policy.model import NEWEST_MINOR, PolicyError, Problem
from auditlog.policy.presets import preset_text
from auditlog.policy.validate import load_policy
from auditlog.settings import PolicySettings


@dataclass(frozen=True, slots=True)
class SelectedPolicy:
    """The text that goes to the nodes; ``source`` says where it comes from, for people."""

    text: str
    source: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def selected_policy(settings: PolicySettings) -> SelectedPolicy:
    """The preset or file that ``settings`` names.

    Raises PolicyError when the API server of no supported version would take it, or the file cannot be read;
    what only some versions refuse is found by the plan, which knows each node's version.
    """
    if settings.file is None:
        selected = SelectedPolicy(preset_text(settings.preset or ""), f"preset {settings.preset}")
    else:
        selected = SelectedPolicy(_file_text(settings.file), settings.file)
    load_policy(selected.text, selected.source, NEWEST_MINOR)
    return selected


def _file_text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise PolicyError(f"policy.file {path!r}", (Problem(0, 0, "", f"cannot be read: {reason}"),)) from error
