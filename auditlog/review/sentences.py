"""Sentences about several nodes: one that holds for all of them appears once, with the nodes in front."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DECISION = "decision: "


def grouped(sentences: Iterable[str]) -> list[str]:
    """``cp1: it`` and ``cp2: it`` as ``cp1, cp2: it``, in the order of their first; each sentence once."""
    nodes: dict[str, dict[str, None]] = {}
    for sentence in dict.fromkeys(filter(None, map(str.strip, sentences))):
        node, colon, rest = sentence.partition(": ")
        # What comes before a colon is a node if it is one word; a path or a flag never has a space behind its colon.
        name, text = (node, rest) if colon and " " not in node else ("", sentence)
        nodes.setdefault(text, {})[name] = None
    return [
        ": ".join(filter(None, (", ".join(sorted(filter(None, names), key=in_order)), text)))
        for text, names in nodes.items()
    ]


def in_order(name: str) -> list[tuple[int, str]]:
    """A key by which ``cp2`` comes before ``cp10``: the engine works on several resources at once, in no order."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def parted(sentences: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those about single decisions of the policy, without that word, and the others."""
    decisions, others = list[str](), list[str]()
    for sentence in sentences:
        node, found, rest = sentence.partition(f": {_DECISION}")
        (decisions if found else others).append(f"{node}: {rest}" if found else sentence)
    return decisions, others
