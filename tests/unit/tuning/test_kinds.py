"""Kinds in bounded memory, and how far a log reaches."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

from auditlog.events.kinds import Amount, Kind, Kinds, Sample
from auditlog.events.sources import find_logs
from auditlog.events.span import spans
from auditlog.policy.model import Level, Request, Stage
from tests.unit.events.generate import lines


def kind(caller: str, verb: str = "get") -> Kind:
    return Kind(caller, verb, "", "pods", "", Level.METADATA, Stage.RESPONSE_COMPLETE)


def sample(moment: str = "2025-01-01T00:00:00.000000Z") -> Sample:
    return Sample(moment, Request("a"))


def test_what_there_is_no_room_for_is_summed_up_and_its_callers_are_known() -> None:
    kinds = Kinds(most=2)
    for caller in ("a", "b", "c", "c"):
        kinds.add(kind(caller), Amount(1, 100), sample(), tried=False)
    kinds.add(kind("a"), Amount(1, 100), sample(), tried=True)
    assert set(kinds.entries) == {kind("a"), kind("b")}
    assert (kinds.others_fitted.events, kinds.others_fitted.bytes) == (2, 200)
    assert kinds.is_blurred("c")
    assert not kinds.is_blurred("a")


def test_a_caller_that_has_room_in_one_part_and_none_in_another_is_incomplete() -> None:
    first, second = Kinds(most=1), Kinds(most=1)
    first.add(kind("a"), Amount(1, 1), sample(), tried=False)
    first.add(kind("b", "list"), Amount(1, 1), sample(), tried=False)
    second.add(kind("b"), Amount(1, 1), sample(), tried=False)
    together = Kinds()
    for part in (first, second):
        together.merge(part)
    assert together.is_blurred("b")
    assert not together.is_blurred("a")


def test_the_earliest_request_is_the_example() -> None:
    kinds = Kinds()
    for moment in ("2025-01-02", "2025-01-01", "2025-01-03"):
        kinds.add(kind("a"), Amount(1, 1), sample(moment), tried=False)
    assert kinds.entries[kind("a")].sample.moment == "2025-01-01"


def test_a_span_goes_from_the_first_file_to_the_last(tmp_path: Path) -> None:
    content = lines(1, 300, seconds_between=10)
    rotated = tmp_path / "audit-2025-02-21T00-30-00.000.log.gz"
    rotated.write_bytes(gzip.compress(b"".join(content[:100])))
    (tmp_path / "audit.log").write_bytes(b"".join(content[100:]) + b'{"kind":"Event","cut off')
    (span,) = spans(find_logs([str(tmp_path)])).values()
    assert span.first.replace(microsecond=0) <= datetime(2025, 2, 21, 0, 0, 20, tzinfo=UTC)
    assert 0.03 < span.days < 0.04
    assert span.at(0) < span.at(0.5) < span.at(1)


def test_the_last_event_of_a_compressed_log_is_found_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.log.gz"
    path.write_bytes(gzip.compress(b"".join(lines(1, 300, seconds_between=10))))
    (span,) = spans(find_logs([str(path)])).values()
    assert 0.03 < span.days < 0.04


def test_a_log_without_events_reaches_nowhere(tmp_path: Path) -> None:
    (tmp_path / "audit.log").write_text("nothing\n")
    assert spans(find_logs([str(tmp_path)])) == {}
