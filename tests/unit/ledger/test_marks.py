"""Two multisets of events: what is missing, doubled or altered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlog.ledger.marks import Difference, Mark, compare
from tests.unit.ledger.made import mark

MARKS = st.builds(mark, st.integers(0, 20), st.sampled_from(["a", "b", "client's own"]))


@given(st.lists(MARKS, unique=True))
def test_equal_sides_have_no_difference(marks: list[Mark]) -> None:
    assert compare(marks, marks[::-1]).is_none


@given(st.sets(MARKS), st.sets(MARKS))
def test_what_one_side_lacks_is_named(files: set[Mark], loki: set[Mark]) -> None:
    difference = compare(files, loki)
    assert set(difference.missing) == files - loki
    assert set(difference.surplus) == loki - files


def test_an_id_that_a_client_sends_with_each_request_is_as_many_events() -> None:
    files = [mark(minute, "the same") for minute in range(5)]
    assert compare(files, files[:-1]).missing == (files[-1],)


def test_what_loki_has_twice_it_shows_once() -> None:
    assert compare([mark(1)], [mark(1), mark(1)]).is_none


def test_what_the_files_have_twice_is_named() -> None:
    assert compare([mark(1), mark(1)], [mark(1)]) == Difference(doubled_in_files=(mark(1),))


def test_another_length_is_another_line() -> None:
    assert compare([mark(1, size=100)], [mark(1, size=90)]).altered == ((mark(1, size=100), mark(1, size=90)),)


def test_two_lines_of_one_event_in_loki_are_one_too_many() -> None:
    assert compare([mark(1)], [mark(1), mark(1, size=90)]).doubled_in_loki == (mark(1, size=90),)
