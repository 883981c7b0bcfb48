"""From both sides to findings, by what files and Loki hold."""

from __future__ import annotations

import pytest

from auditlog.ledger.alloy import AlloyPod, AlloyState
from auditlog.ledger.examine import Examined, examine
from auditlog.ledger.files import Kind as FileKind
from auditlog.ledger.files import Limits, Reading
from auditlog.ledger.finding import Finding, Kind, Verdict, verdict_of
from auditlog.ledger.judge import Context, judge
from auditlog.ledger.marks import Difference
from auditlog.units import MINUTE
from tests.unit.ledger.made import AT_TEN, HOUR, at, file, mark, reading, sums

WHOLE = (file(-1, 20), file(20, 40, number=2), file(40, 60, FileKind.LIVE, number=3))
EVERY = dict.fromkeys(range(60), 10)


def examined(files: dict[int, int], loki: dict[int, int] | None, of: Reading | None = None) -> Examined:
    made = of or reading(*WHOLE, sums=sums(files))
    return examine("cp1", HOUR, made, None if loki is None else sums(loki))


def judged(
    found: Examined, difference: Difference | None = None, of: Reading | None = None, **context: object
) -> list[Finding]:
    made = of or reading(*WHOLE)
    return list(judge(found, difference or Difference(), Context(made, 262_144, **context)))  # type: ignore[arg-type]


def kinds(findings: list[Finding]) -> set[Kind]:
    return {finding.kind for finding in findings}


def test_equal_sums_are_complete_and_nothing_is_read() -> None:
    found = examined(EVERY, EVERY)
    assert (found.read, len(found.compared), found.events) == ((), 60, 600)
    assert verdict_of(judged(found)) is Verdict.COMPLETE


def test_only_minutes_that_differ_are_read() -> None:
    assert examined(EVERY, {**EVERY, 7: 9}).read == (AT_TEN + 7 * MINUTE,)
    assert examined(EVERY | {8: 11}, EVERY | {9: 11}).read == (AT_TEN + 8 * MINUTE, AT_TEN + 9 * MINUTE)


def test_quiet_minutes_are_no_difference() -> None:
    busy = dict.fromkeys(range(0, 60, 10), 10)
    assert verdict_of(judged(examined(busy, busy))) is Verdict.COMPLETE


def test_what_the_policy_drops_is_on_no_side_and_not_missing() -> None:
    assert judged(examined({}, {}, reading(*WHOLE))) == []


def test_the_newest_minutes_are_under_way() -> None:
    now = reading(*WHOLE, sums=sums(EVERY), clock=AT_TEN + 30 * MINUTE + 5)
    found = examined(EVERY, dict.fromkeys(range(28), 10), now)
    assert len(found.compared) == 28
    assert found.read == ()
    assert kinds(judged(found, of=now)) == {Kind.UNDER_WAY}
    assert verdict_of(judged(found, of=now)) is Verdict.COMPLETE


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (Limits(30, 2, 100), Kind.FILES_BEGIN_LATER),
        (Limits(30, 10, 100), Kind.LOG_EMPTIED),
        (Limits(), Kind.FILES_BEGIN_LATER),
    ],
    ids=["retention may have taken it", "retention cannot have taken it", "retention is not known"],
)
def test_files_that_begin_later_than_asked(limits: Limits, kind: Kind) -> None:
    late = reading(*(file(20, 30), file(30, 40, number=2)), file(40, 60, FileKind.LIVE, number=3), limits=limits)
    found = examined({}, EVERY, late)
    findings = [finding for finding in judged(found, of=late) if finding.kind is kind]
    assert findings[0].count == 200
    assert found.compared.since == AT_TEN + 20 * MINUTE


def test_an_old_log_of_canaries_does_not_reach_back_for_the_real_one() -> None:
    canary = file(-600, 50, FileKind.CANARY_LIVE, 9)
    of = reading(
        canary, file(20, 40), file(40, 60, FileKind.LIVE, number=3), limits=Limits(30, 1, 100), sums=sums(EVERY)
    )
    found = examined(EVERY, EVERY, of)
    assert found.compared.since == AT_TEN + 20 * MINUTE
    assert kinds(judged(found, of=of)) == {Kind.FILES_BEGIN_LATER}


def test_a_loki_that_begins_later_cannot_be_known_unless_it_has_older_events() -> None:
    found = examined(EVERY, dict.fromkeys(range(5, 60), 10))
    assert kinds(judged(found)) == {Kind.LOKI_BEGINS_LATER}
    assert verdict_of(judged(found)) is Verdict.UNKNOWN
    assert kinds(judged(found, loki_has_earlier=True)) == {Kind.MISSING_IN_LOKI}


def test_a_loki_with_nothing_of_the_range_and_older_events() -> None:
    found = examined(EVERY, {})
    assert kinds(judged(found, loki_has_earlier=True)) == {Kind.NOT_SHIPPED}
    assert kinds(judged(found)) == {Kind.LOKI_BEGINS_LATER}


@pytest.mark.parametrize(
    ("minutes", "newest", "size", "kind"),
    [
        ((10, 10.5), 59, 100, Kind.MISSING_IN_LOKI),
        ((58, 59), 57, 100, Kind.NOT_SHIPPED),
        ((58, 59), 58.5, 100, Kind.MISSING_IN_LOKI),
        ((10,), 59, 262_145, Kind.LINE_TOO_LONG),
    ],
)
def test_what_loki_lacks(minutes: tuple[float, ...], newest: float, size: int, kind: Kind) -> None:
    missing = tuple(mark(minute, str(minute), size) for minute in minutes)
    findings = judged(examined(EVERY, EVERY), Difference(missing=missing), newest_in_loki=at(newest))
    assert (kinds(findings), findings[0].events) == ({kind}, missing)


def test_why_nothing_is_shipped_is_said_as_far_as_the_node_knows() -> None:
    missing = Difference(missing=(mark(59),))

    def sentence(namespace: str, *pods: AlloyPod, complaint: str = "") -> str:
        there = reading(*WHOLE, alloy=AlloyState(pods, complaint))
        (found,) = judged(examined(EVERY, EVERY), missing, there, newest_in_loki=at(50), alloy=namespace)
        return found.sentence

    assert "status code 429" in sentence("", complaint="server returned HTTP status code 429")
    assert "no pod of Alloy is on this node, only on cp2" in sentence("audit", AlloyPod("cp2", "Running", True))
    assert "there is no pod of Alloy; kubectl -n audit" in sentence("audit")
    assert "Alloy runs and complains of nothing" in sentence("audit", AlloyPod("cp1", "Running", True))
    assert "Alloy does not run or cannot send" in sentence("")


@pytest.mark.parametrize(
    ("files", "minutes", "kind"),
    [
        (WHOLE, (10, 10.1), Kind.LINES_TAKEN_OUT),
        ((WHOLE[0], WHOLE[2]), (25, 25.5), Kind.LOG_EMPTIED),
        ((WHOLE[0], file(40, 50, number=2), WHOLE[2]), (25, 25.5), Kind.ROTATION_GAP),
        ((file(-1, 10, path="/l/audit-2026-11-29T10-20-00.000.log"), *WHOLE[1:]), (15, 15.1), Kind.FILE_CUT),
        ((*WHOLE[:2], file(50, 60, FileKind.LIVE, 3)), (45, 45.1), Kind.LOG_EMPTIED),
        ((*WHOLE[:2], file(40, 50, FileKind.LIVE, 3)), (55, 55.1), Kind.LOG_EMPTIED),
    ],
)
def test_what_no_file_holds(files: tuple[object, ...], minutes: tuple[float, ...], kind: Kind) -> None:
    of = reading(*files, sums=sums(EVERY))  # type: ignore[arg-type]
    surplus = tuple(mark(minute, str(minute)) for minute in minutes)
    findings = judged(examined(EVERY, EVERY, of), Difference(surplus=surplus), of)
    assert kind in kinds(findings)
    assert [finding.events for finding in findings if finding.kind is kind] == [surplus]


def test_a_deleted_file_that_is_written_to() -> None:
    of = reading(*WHOLE, file(50, 55, FileKind.DETACHED, 4), detached="/var/log/audit.log (deleted)")
    (finding,) = [each for each in judged(examined(EVERY, EVERY), of=of) if each.kind is Kind.DETACHED_FILE]
    assert finding.count == 10
    assert "111208" in finding.sentence
    assert "(deleted)" in finding.sentence


def test_bodies_that_the_api_server_cut_off_are_no_loss() -> None:
    whole = file(0, 60, FileKind.LIVE)
    cut = reading(
        file(0, 60, FileKind.LIVE, events=whole.events.__class__(3, at(0), at(60), at(0), at(60), truncated=2))
    )
    findings = judged(examined(EVERY, EVERY), of=cut)
    assert kinds(findings) == {Kind.BODIES_TRUNCATED}
    assert verdict_of(findings) is Verdict.COMPLETE


def test_what_was_sent_again_is_a_note() -> None:
    found = examined(EVERY, {**EVERY, 7: 14})
    findings = judged(found)
    assert (kinds(findings), findings[0].count) == ({Kind.COUNTED_TWICE}, 4)
    assert verdict_of(findings) is Verdict.COMPLETE


def test_too_many_differences_are_numbers() -> None:
    many = dict.fromkeys(range(10), 50000)
    found = examined(many, dict.fromkeys(range(10), 40000))
    assert len(found.read) == 4
    (finding,) = [each for each in judged(found) if each.kind is Kind.TOO_MANY_DIFFERENCES]
    assert finding.count == 60_000


def test_without_a_loki_only_files_are_looked_at() -> None:
    found = examined(EVERY, None)
    assert (found.read, len(found.compared)) == ((), 60)
    assert judged(found) == []
