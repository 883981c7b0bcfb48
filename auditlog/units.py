"""Spans of time: in seconds, and as Loki, Prometheus and Grafana write them."""

from __future__ import annotations

import re

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_UNITS = {"ms": 0.001, "s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": 365 * DAY}
_PARTS = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")


def duration(seconds: float) -> str:
    """`90s`, `5m`, `1h`: in the largest unit up to days that gives a whole number. Parts of a second are cut off."""
    whole = int(seconds)
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def seconds_of(text: str) -> float:
    """The seconds of `90s` or `1h30m`. Raises ValueError for what is no duration.

    https://prometheus.io/docs/prometheus/latest/querying/basics/#float-literals-and-time-durations
    """
    parts = _PARTS.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise ValueError(f"{text!r} is no duration")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)
