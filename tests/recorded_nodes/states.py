"""The recorded states: what made each, and what the node then reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "states"
RELEASED, TODAY = "released", "today"
_OLDER, _NEWER = "1.36", "1.37"
_NEWER_ONES = frozenset({"kubernetes-1.37"})


@dataclass(frozen=True, slots=True)
class State:
    """One node."""

    name: str
    """The name of its folder."""

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def script(self) -> str:
        """What was done to the node, in shell; the first line is a comment that describes the state."""
        return (self.folder / "make.sh").read_text()

    @property
    def description(self) -> str:
        return self.script.partition("\n")[0].removeprefix("# ")

    @property
    def is_deployed(self) -> bool:
        """Whether the released version had turned audit logging on before ``script`` ran."""
        return self.name.startswith("deployed")

    @property
    def kubernetes(self) -> str:
        """The minor version of its API server. Most have the newest one that the released version knows."""
        return _NEWER if self.name in _NEWER_ONES else _OLDER

    def facts(self, version: str) -> str:
        """What the node's script of this version printed."""
        return (self.folder / f"{version}.facts").read_text()


def recorded_states() -> tuple[State, ...]:
    """All of them, by name."""
    return tuple(State(folder.name) for folder in sorted(FOLDER.iterdir()) if (folder / "make.sh").exists())
