"""The minute of an event is the same on the node and in Loki, whose ranges begin after their first moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.ledger.minutes import (
    Span,
    minute_of,
    node_minutes,
    parse_minute,
    parse_stamp,
    runs,
    whole_minutes,
)
from auditlog.units import MINUTE

TEN = datetime(2026, 11, 29, 10, tzinfo=UTC)
AT_TEN = int(TEN.timestamp())


@pytest.mark.parametrize(
    ("moment", "minute"),
    [
        (TEN, AT_TEN - 60),
        (TEN + timedelta(microseconds=1), AT_TEN),
        (TEN + timedelta(seconds=59, microseconds=999_999), AT_TEN),
        (TEN + timedelta(seconds=60), AT_TEN),
        (TEN + timedelta(seconds=60, microseconds=1), AT_TEN + 60),
    ],
)
def test_a_minute_holds_its_end_and_not_its_beginning(moment: datetime, minute: int) -> None:
    assert minute_of(moment) == minute


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))
def test_the_node_calls_it_by_a_name_that_means_the_same(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = stamp[:16] + ("=" if stamp[16:] == ":00.000000Z" else "")
    assert parse_minute(name) == minute_of(parse_stamp(stamp))
    assert name in node_minutes([minute_of(moment)])


def test_a_range_is_cut_to_whole_minutes() -> None:
    span = whole_minutes(TEN + timedelta(seconds=1), TEN + timedelta(seconds=179))
    assert list(span) == [AT_TEN + 60]
    assert len(whole_minutes(TEN, TEN + timedelta(seconds=59))) == 0


def test_what_is_under_way_is_cut_off() -> None:
    span = Span(AT_TEN, AT_TEN + 10 * MINUTE)
    assert span.before(AT_TEN + 150) == Span(AT_TEN, AT_TEN + 120)
    assert len(span.before(AT_TEN - 1)) == 0


def test_neighbours_are_put_together() -> None:
    assert list(runs([180, 0, 60, 300])) == [Span(0, 120), Span(180, 240), Span(300, 360)]
