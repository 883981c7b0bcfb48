"""Durations as Go's time.ParseDuration reads them, which is how the API server's flags are written."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = {
    "ns": Fraction(1, 1_000_000_000),
    "us": Fraction(1, 1_000_000),
    "µs": Fraction(1, 1_000_000),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
DURATION = r"0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+"
"""Pattern of what ``seconds`` reads."""


def seconds(text: str) -> Fraction | None:
    """How long "1m30s" is; None for what is no duration, or a negative one."""
    if text == "0":
        return Fraction(0)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum((Fraction(number) * _SECONDS[unit] for number, unit in parts), Fraction(0))


def is_duration(text: str) -> bool:
    return seconds(text) is not None
