"""Durations as Loki and Prometheus write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.units import DAY, HOUR, duration, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("500ms", 0.5), ("1h30m", 1.5 * HOUR), ("2d", 2 * DAY), ("1w", 7 * DAY), ("1y", 365 * DAY)],
)
def test_a_duration_in_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "5x", "1.5h", "$__interval", "5m later"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(text)


@given(st.integers(0, 1000 * DAY))
def test_what_is_written_reads_the_same(seconds: int) -> None:
    assert seconds_of(duration(seconds)) == seconds
