"""The chain: what a run finds that an earlier one saw otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auditlog.ledger.chain import Chain, judge_chain, judge_files, known, next_record, read_chain, vouches
from auditlog.ledger.chain_file import ChainError, locked
from auditlog.ledger.counter import Count
from auditlog.ledger.files import Kind as FileKind
from auditlog.ledger.files import Limits, LogFile, Reading
from auditlog.ledger.finding import Finding, Kind
from tests.unit.ledger.made import at, file, reading

FILES = (file(-1, 20), file(20, 40, number=2), file(40, 60, number=3))
LIVE = file(60, 80, FileKind.LIVE, 4, head=(1024, "head"))
SEEN_AT = at(90)


def chain_of(*readings: Reading) -> Chain:
    """Runs an hour apart."""
    text = ""
    for number, each in enumerate(readings):
        text += next_record(read_chain(text), SEEN_AT + timedelta(hours=number), {"cp1": each}).line + "\n"
    return read_chain(text)


def changed(files: Sequence[LogFile], limits: Limits | None = None) -> list[Finding]:
    before = reading(*FILES, LIVE)
    return list(judge_files("cp1", chain_of(before), reading(*files, limits=limits or Limits(30, 10, 100))))


SAME_LIVE = replace(LIVE, prefix=LIVE.digest)


def test_what_has_not_changed_is_no_finding() -> None:
    assert changed((*FILES, SAME_LIVE)) == []


def test_the_first_run_has_nothing_to_compare_with() -> None:
    assert list(judge_files("cp1", Chain(), reading(*FILES, LIVE))) == []
    assert "begins with this run" in next(vouches(Chain(), ["cp1"]))


def test_a_log_that_was_rotated_and_compressed_since() -> None:
    rotated = file(60, 95, number=4, prefix=LIVE.digest, path="/logs/audit-2026-11-29T11-35-00.000.log.gz")
    assert changed((*FILES, rotated, file(95, 99, FileKind.LIVE, 5))) == []


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ((FILES[0], replace(FILES[1], digest="other"), FILES[2], SAME_LIVE), Kind.FILE_EDITED),
        ((FILES[0], FILES[2], SAME_LIVE), Kind.FILE_GONE),
        ((FILES[1], FILES[2], SAME_LIVE), Kind.FILE_GONE),
        ((*FILES[:2], replace(FILES[2], path="/logs/audit-2026-11-29T11-00-01.000.log"), SAME_LIVE), Kind.FILE_RENAMED),
        ((*FILES, file(41, 42, number=9), SAME_LIVE), Kind.FILE_ADDED),
        ((*FILES, replace(LIVE, prefix="other")), Kind.FILE_EDITED),
        ((*FILES, LIVE), Kind.FILE_GONE),
    ],
    ids=["edited", "gap", "gone before its time", "renamed", "added", "the log was edited", "the log begins otherwise"],
)
def test_what_was_done_to_files(files: tuple[LogFile, ...], kind: Kind) -> None:
    assert [finding.kind for finding in changed(files)] == [kind]


def test_a_cut_file_is_called_so() -> None:
    cut = replace(FILES[1], digest="other", events=replace(FILES[1].events, count=7, size=700))
    (finding,) = changed((FILES[0], cut, FILES[2], SAME_LIVE))
    assert "was cut: it had 1000 bytes and has 700" in finding.sentence
    assert finding.count == 3


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (Limits(30, 2, 100), Kind.RETENTION),
        (Limits(0, 2, 100), Kind.RETENTION),
        (Limits(30, 0, 100), Kind.FILE_GONE),
        (Limits(30, 10, 100), Kind.FILE_GONE),
        (Limits(), Kind.FILE_GONE_PERHAPS),
    ],
)
def test_the_oldest_file_goes_when_the_limits_take_it(limits: Limits, kind: Kind) -> None:
    assert [finding.kind for finding in changed((*FILES[1:], SAME_LIVE), limits)] == [kind]


def test_a_file_that_is_too_old() -> None:
    old = file(-60 * 24 * 40, -60 * 24 * 35)
    chain = chain_of(reading(old, *FILES, LIVE))
    (finding,) = judge_files("cp1", chain, reading(*FILES, SAME_LIVE, limits=Limits(30, 0, 100)))
    assert finding.kind is Kind.RETENTION


def test_nothing_is_left_of_a_run_long_ago() -> None:
    new = (file(500, 520, number=7), file(520, 540, FileKind.LIVE, 8))
    assert {each.kind for each in changed(new, Limits(30, 1, 100))} == {Kind.RETENTION}
    assert {each.kind for each in changed(new)} == {Kind.FILE_GONE}


def test_a_change_counts_from_the_last_run_that_read_the_node() -> None:
    later = replace(FILES[0], digest="other")
    chain = chain_of(reading(*FILES, LIVE), reading(later, *FILES[1:], SAME_LIVE))
    assert list(judge_files("cp1", chain, reading(later, *FILES[1:], SAME_LIVE))) == []
    assert chain.runs("cp1") == 2
    assert chain.since("cp1") == SEEN_AT.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "2 earlier runs" in next(vouches(chain, ["cp1"]))


def test_a_record_keeps_what_the_next_run_asks_for() -> None:
    count = Count("t1", 5, "t2", "9")
    (_, found) = chain_of(reading(*FILES, LIVE, count=count)).last_of("cp1") or (None, None)
    assert found is not None
    assert known(found) == "1000:1024:head"
    assert found.count == count
    assert [each.name for each in found.files] == [each.name for each in FILES]
    assert datetime.fromisoformat(found.oldest) == at(-1)


@pytest.mark.parametrize(
    "change", [lambda text: text.replace('"events":10', '"events":11', 1), lambda text: "{}\n" + text]
)
def test_a_chain_that_was_edited_is_broken(change: object) -> None:
    text = "".join(record.line + "\n" for record in chain_of(*[reading(*FILES, LIVE)] * 3).records)
    broken = read_chain(change(text))  # type: ignore[operator]
    assert Kind.CHAIN_BROKEN in {finding.kind for finding in judge_chain(broken, "")}


def test_a_chain_that_was_cut_or_begun_anew_lacks_its_head() -> None:
    whole = chain_of(*[reading(*FILES, LIVE)] * 3)
    text = "".join(record.line + "\n" for record in whole.records[:2])
    assert list(judge_chain(read_chain(text), whole.digests[1])) == []
    assert {finding.kind for finding in judge_chain(read_chain(text), whole.head)} == {Kind.CHAIN_EDITED}
    assert {finding.kind for finding in judge_chain(Chain(), whole.head)} == {Kind.CHAIN_EDITED}


def test_the_file_is_only_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "state" / "chain.jsonl"
    for line in ("one", "two"):
        with locked(path) as chain:
            chain.append(line)
    assert path.read_text() == "one\ntwo\n"
    path.write_text("one\nhal")
    with locked(path) as chain:
        chain.append("two")
    assert path.read_text() == "one\nhal\ntwo\n"
    with pytest.raises(ChainError, match="allowed: a file that can be read"), locked(tmp_path):
        pass
