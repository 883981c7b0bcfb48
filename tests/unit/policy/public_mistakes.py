"""The policies of `tests/policies`: one file each, what an API server makes of it and what we say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "policies"


@dataclass(frozen=True)
class Mistake:
    """One file."""

    name: str
    policy: str
    minor: int
    starts: tuple[int, ...]
    """The minor versions, of those with an oracle, whose API server starts with it."""
    refused: str | None
    """How the message begins with which it is refused; None where it is examined."""
    findings: tuple[tuple[str, int, str], ...]
    """Id, line and severity of everything that is wrong, in the order of the text."""
    also: dict[tuple[str, int], list[int]]
    """Further lines with the same cause."""
    explained: tuple[dict[str, Any], ...]
    meant: str | None
    """What its author meant, where that is another policy."""
    differences: tuple[str, ...]
    """What changes from the one to the other."""


def load(path: Path) -> Mistake:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["about"]
    findings = document.get("findings", [])
    return Mistake(
        name=path.stem,
        policy=document["policy"],
        minor=int(document["kubernetes"].removeprefix("1.")),
        starts=tuple(document["starts"]),
        refused=document.get("refused"),
        findings=tuple((each["id"], each["line"], each["severity"]) for each in findings),
        also={(each["id"], each["line"]): each["also"] for each in findings if "also" in each},
        explained=tuple(document.get("explain", ())),
        meant=_meant(document),
        differences=tuple(document.get("differences", ())),
    )


def _meant(document: dict[str, Any]) -> str | None:
    if "meant" not in document:
        return None
    text: str = document["policy"]
    assert document["meant"]["replace"] in text
    return text.replace(document["meant"]["replace"], document["meant"]["with"], 1)


MISTAKES = tuple(load(path) for path in sorted(FOLDER.glob("*.yaml")))
EXAMINED = tuple(mistake for mistake in MISTAKES if mistake.refused is None)
