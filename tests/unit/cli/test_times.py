"""Times, spans and zones as people write them. More forms of times: tests/unit/events/test_command_line.py."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from auditlog.cli.common import UsageError
from auditlog.cli.times import moment, resolve_times, span, written_time, zone
from auditlog.events.layout import shown_in, when

NOW = datetime(2026, 3, 29, 10, 30, tzinfo=UTC)
"""Berlin's clocks went from 2 to 3 that night."""
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12:15", "2026-03-29T10:15:00+00:00"),
        ("12:45", "2026-03-28T11:45:00+00:00"),
        ("12:15Z", "2026-03-28T12:15:00+00:00"),
        ("today", "2026-03-28T23:00:00+00:00"),
        ("yesterday", "2026-03-27T23:00:00+00:00"),
        ("yesterday 19:40", "2026-03-28T18:40:00+00:00"),
        ("Yesterday 19:40:30", "2026-03-28T18:40:30+00:00"),
        ("2026-01-02 03:04", "2026-01-02T02:04:00+00:00"),
        ("2026-01-02T03:04:00Z", "2026-01-02T03:04:00+00:00"),
        ("1h30m", "2026-03-29T09:00:00+00:00"),
    ],
)
def test_a_time_in_a_zone_is_what_its_clocks_show(text: str, found: str) -> None:
    assert written_time(text).at(BERLIN, NOW).isoformat() == found


@pytest.mark.parametrize("text", ["soon", "25:00", "yesterday 24:01", "tomorrow", "1h30", "", "2026-13-01", "today 1h"])
def test_what_is_no_time_is_answered_with_what_is(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not a time: 2025-02-21T10:00:00Z, .*yesterday.*1h30m"):
        moment(text, UTC, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("0.5", 0.5), ("90s", 90), ("2m", 120), ("1h30m", 5400), ("1D", 86400)]
)
def test_a_span(text: str, seconds: float) -> None:
    assert span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "0s", "soon", "1h 30m x", "9" * 30])
def test_what_is_no_span_is_answered_with_what_is(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no span of time above zero: 90, 90s, 2m or 1h30m"):
        span(text)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_the_local_zone_has_summer_time() -> None:
    local = zone("local")
    assert "TZ" in os.environ
    for text in ("2026-03-28 12:00", "2026-03-29 12:00", "today", "19:40"):
        assert written_time(text).at(local, NOW) == written_time(text).at(BERLIN, NOW)
    with shown_in(local):
        assert when(NOW) == "2026-03-29 12:30:00+02:00"
        assert when(NOW - timedelta(days=1)) == "2026-03-28 11:30:00+01:00"


def test_texts_show_the_zone_that_was_asked_for() -> None:
    assert when(NOW) == "2026-03-29 10:30:00Z"
    with shown_in(BERLIN):
        assert when(NOW) == "2026-03-29 12:30:00+02:00"
    with shown_in(zone("utc")):
        assert when(NOW) == "2026-03-29 10:30:00Z"


@pytest.mark.parametrize("text", ["Mars/Olympus", "../etc/passwd", "+02:00", ""])
def test_what_is_no_zone_is_answered_with_what_is(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no zone: local, UTC, or a name such as Europe/Berlin"):
        zone(text)


def test_since_after_until_is_refused() -> None:
    times = argparse.Namespace(since=written_time("1h"), until=written_time("2h"), time_zone=UTC)
    with pytest.raises(UsageError, match=r"--since .* is later than --until"):
        resolve_times(times)
