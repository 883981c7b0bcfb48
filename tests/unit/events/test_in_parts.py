"""An answer from several processes is the answer from one, whatever the log is like and wherever it is cut."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import random
import signal
import tempfile
from dataclasses import replace
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.events import in_parts, parts
from auditlog.events.coverage import ANY_TIME, Coverage, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.evidence import Evidence
from auditlog.events.in_force import Period, PolicyHistory
from auditlog.events.in_parts import PartsReading, Wanted, read_in_parts
from auditlog.events.parts import Part, cut
from auditlog.events.reading import DamageLog, read
from auditlog.events.sources import LogFile, LogSet
from auditlog.policy.model import Level, Policy, PolicyRule
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from tests.unit.events.generate import ALICE, BOB, START, encode, events
from tests.unit.events.incident import incident, request, seen
from tests.unit.events.test_command_line import auditlog

MINUTE = timedelta(minutes=1)
POLICY = Policy((PolicyRule(Level.NONE, users=(BOB.username, "system:apiserver")), PolicyRule(Level.METADATA)))


@st.composite
def _log(draw: st.DrawFn) -> bytes:
    """Times that jump, fall silent and go back; lines that are no events; renewals of leases."""
    moment, written = 1000.0, []
    for _ in range(draw(st.integers(0, 25))):
        moment += draw(st.sampled_from([0, 0.5, 3, 59, 61, 200, -0.3, -2, -70, -500]))
        kind = draw(st.sampled_from(["read", "read", "renewal", "broken", "empty", "long"]))
        if kind == "read":
            who = draw(st.sampled_from([ALICE, BOB]))
            line = encode(request(who, draw(st.sampled_from(["get", "delete"])), "secrets", "one", moment))
        elif kind == "renewal":
            value = request(replace(ALICE, username="system:apiserver"), "update", "configmaps", "x", moment)
            value["objectRef"] = {"resource": "leases", "namespace": "kube-system", "name": "x"}
            line = encode(value)
        else:
            line = {"broken": b'{"kind":\n', "empty": b"\n", "long": b'{"a":"' + b"x" * 700 + b'"}\n'}[kind]
        written.append(line)
    whole = b"".join(written)
    return whole if draw(st.booleans()) else whole[:-1]


def _is_deletion() -> Wanted:
    return lambda event: event.verb == "delete"


Passed = tuple[list[Event], Coverage, tuple[object, ...], DamageLog]


def _found(evidence: Evidence) -> tuple[object, ...]:
    return (
        *(evidence.disagreeing, evidence.verbs, evidence.users, evidence.resources, evidence.namespaces),
        *(evidence.beats, evidence.steps_back, evidence.without_renewal, evidence.before, evidence.after),
        evidence.nodes,
    )


def _by_one(logs: LogSet, time: TimeRange) -> Passed:
    evidence, watch, damage = Evidence(POLICY, time), CoverageWatch(time), DamageLog()
    wanted, passed = _is_deletion(), []
    sightings = []
    for sighting in evidence.over(read(logs, damage)):
        sightings.append(sighting)
        if wanted(sighting.event):
            passed.append(sighting.event)
    for _ in watch.over(sightings):
        pass
    return passed, watch.result(), _found(evidence), damage


def _by_several(logs: LogSet, time: TimeRange, size: int) -> Passed:
    evidence, watch, damage = Evidence(POLICY, time), CoverageWatch(time), DamageLog()
    reading = PartsReading(tuple(cut(logs, size)), 2, _is_deletion)
    passed = [each.event for each in read_in_parts(reading, evidence, watch, damage)]
    return passed, watch.result(), _found(evidence), damage


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts as workers read them, without the workers: hundreds of logs are tried."""

    def here(pieces: tuple[Part, ...], _processes: int, make: Any, _progress: Any) -> Any:
        work = make()
        return (work(part) for part in pieces)

    monkeypatch.setattr(in_parts, "in_processes", here)


@pytest.mark.usefixtures("in_this_process")
@given(
    st.lists(_log(), min_size=1, max_size=3),
    st.integers(1, 3000),
    st.sampled_from([ANY_TIME, TimeRange(START + 17 * MINUTE), TimeRange(START + 16 * MINUTE, START + 20 * MINUTE)]),
    st.booleans(),
    st.sampled_from([in_parts.MOST_BYTES, 500]),
)
@settings(max_examples=100, deadline=None)
def test_a_log_says_the_same_wherever_it_is_cut(
    logs: list[bytes], size: int, time: TimeRange, compressed: bool, most: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_parts, "MOST_BYTES", most)
        files = []
        for number, content in enumerate(logs):
            path = Path(folder) / str(number)
            squeezed = compressed and number == 0
            path.write_bytes(gzip.compress(content) if squeezed else content)
            files.append(LogFile(f"cp{number % 2}", str(path), path.stat().st_size, squeezed))
        found = LogSet(tuple(files))
        assert _by_several(found, time, size) == _by_one(found, time)


@pytest.mark.parametrize("seed", range(40))
def test_what_parts_say_of_the_times_is_what_the_whole_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    for _ in range(25):
        sightings = _times(chance)
        cuts = sorted(chance.choices(range(len(sightings) + 1), k=chance.randint(0, 4)))
        pieces = [sightings[start:end] for start, end in pairwise([0, *cuts, len(sightings)])]
        assert _merged(pieces) == _noted(sightings), [sighting.event.stage_timestamp for sighting in sightings]


def _times(chance: random.Random) -> list[Sighting]:
    moment, found = 1000.0, []
    for _ in range(chance.randint(0, 14)):
        moment += chance.choice([0, 1, 40, 59, 61, 90, 300, -0.5, -61, -90, -400])
        found.append(chance.choice(_AT[moment] if moment in _AT else _made_at(moment)))
    return found


_AT: dict[float, list[Sighting]] = {}


def _made_at(moment: float) -> list[Sighting]:
    """A read and a renewal by each of two nodes, at this moment."""
    renewal = request(replace(ALICE, username="system:apiserver"), "update", "configmaps", "x", moment)
    renewal["objectRef"] = {"resource": "leases", "namespace": "kube-system", "name": "x"}
    values = (request(ALICE, "get", "secrets", "one", moment), renewal)
    _AT[moment] = [seen(value, node) for value in values for node in ("cp1", "cp2")]
    return _AT[moment]


_SHORT = TimeRange(START + 17 * MINUTE, START + 20 * MINUTE)


def _noted(sightings: list[Sighting]) -> tuple[object, ...]:
    evidence, short, ever = Evidence(POLICY, _SHORT), CoverageWatch(_SHORT), CoverageWatch(ANY_TIME)
    for _ in short.over(ever.over(evidence.over(sightings))):
        pass
    return short.result(), ever.result(), _found(evidence)


def _merged(pieces: list[list[Sighting]]) -> tuple[object, ...]:
    evidence, short, ever = Evidence(POLICY, _SHORT), CoverageWatch(_SHORT), CoverageWatch(ANY_TIME)
    for piece in pieces:
        part = evidence.of_next_part()
        short_part, part_ever = (CoverageWatch(time, keeps_silences=True) for time in (_SHORT, ANY_TIME))
        for _ in short_part.over(part_ever.over(part.over(piece))):
            pass
        evidence.merge(part.found())
        short.merge(short_part)
        ever.merge(part_ever)
    return short.result(), ever.result(), _found(evidence)


def _big_log(folder: Path) -> list[str]:
    """Two nodes' logs with the incident in the middle of one, a clock that goes back, and a damaged end."""
    random.seed(1)
    usual = [encode(each) for each in islice(events(3, seconds_between=0.5), 3000)]
    story = [encode(each) for each in incident()]
    (folder / "one.log").write_bytes(b"".join(usual[:1500] + story + usual[1000:]))
    (folder / "two.log").write_bytes(b"".join(usual[500:]) + b'{"kind":"Event","lev')
    return [f"cp{number}={folder / name}" for number, name in ((1, "one.log"), (2, "two.log"))]


QUESTIONS = (
    ["who", "--verb", "delete"],
    ["who", "--name", "web", "--namespace", "prod", "--policy", "preset:standard"],
    ["who", "--user", "alice"],
    ["who", "--user", "no-such"],
    ["who"],
    ["gaps"],
    ["anonymous"],
    ["escalations"],
    ["secrets"],
    ["secrets", "--namespace", "prod", "--since", "2025-02-21T00:00:10Z"],
    ["deprecated"],
    ["timeline", "deploy/web", "-n", "prod"],
    ["timeline", "deploy/web", "-n", "prod", "--changes", "--people"],
    ["timeline", "user:alice@example.org"],
    ["timeline", "account:prod/reader", "--since", "2025-02-21T00:00:10Z"],
    ["timeline", "address:203.0.113.9"],
    ["lineage", "JTI=bbbbbbbb-1111-4111-8111-111111111111"],
)


@pytest.mark.parametrize("asked", QUESTIONS, ids=" ".join)
def test_a_question_gets_the_same_answer_from_several_processes(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = _big_log(tmp_path)
    monkeypatch.setattr("auditlog.cli.asking.PART_BYTES", 200_000)
    answers = {}
    for processes in (1, 3):
        done = auditlog(*asked, "-o", "json", "--processes", str(processes), "--nodes", "2", *logs)
        answers[processes] = (done.returncode, json.loads(done.stdout) if done.stdout else done.stderr)
    assert answers[1] == answers[3]
    assert answers[1][0] in (0, 3) or asked == ["who", "--user", "no-such"]


def test_only_questions_that_need_every_event_are_read_by_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = _big_log(tmp_path)
    monkeypatch.setattr("auditlog.cli.asking.PART_BYTES", 200_000)
    shared: list[str] = []

    def noting(reading: PartsReading, *rest: Any) -> Any:
        shared.append(" ".join(asked))
        return read_in_parts(reading, *rest)

    monkeypatch.setattr("auditlog.cli.asking.read_in_parts", noting)
    for asked in QUESTIONS:
        auditlog(*asked, "-o", "json", "--processes", "2", *logs)
    assert {" ".join(each) for each in QUESTIONS} - set(shared) == {"who", "gaps"}


def test_what_processes_are_told_can_be_sent_to_them() -> None:
    """A process that is started anew, as on macOS, gets it pickled."""
    policy = read_policy(preset_text("standard"), "standard")
    told = Evidence(policy, _SHORT, history=PolicyHistory({"cp1": (Period("cp1", START, None, (policy, POLICY)),)}))
    assert policy.positions
    assert pickle.loads(pickle.dumps(told)) == told  # noqa: S301 - what it has written itself


@pytest.mark.parametrize("asked", [["who", "--verb", "delete"], ["replay"]], ids=" ".join)
def test_a_log_that_is_rotated_while_it_is_read_is_damage(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts that are left would be looked for in the new file, and found empty."""
    path = Path(_big_log(tmp_path)[0].partition("=")[2])

    def rotated(logs: LogSet, _: int) -> Any:
        found = cut(logs, 200_000)
        path.rename(tmp_path / "gone")
        path.write_bytes(b"")
        return found

    for place in ("auditlog.cli.asking.cut", "auditlog.events.replay.cut"):
        monkeypatch.setattr(place, rotated)
    done = auditlog(*asked, "--processes", "2", path)
    assert "it became shorter while it was read; it may have been rotated" in done.stdout + done.stderr
    assert done.returncode in (2, 3)


def _dies(part: Part) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def test_a_worker_that_is_killed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_do", _dies)
    monkeypatch.setattr("auditlog.cli.asking.PART_BYTES", 200_000)
    done = auditlog("who", "--verb", "delete", "--processes", "2", *_big_log(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        "auditlog: a process that read a part of the log was killed; --processes 1 reads the log in one, with less "
        "memory\n"
    )


def test_no_processes_is_refused(log: Path) -> None:
    done = auditlog("who", "--processes", "-1", log)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--processes is -1; 1 or more is needed" in done.stderr
