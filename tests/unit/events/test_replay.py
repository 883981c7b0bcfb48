"""Counting logs, and what another policy would have written."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditlog.events import counting
from auditlog.events.budget import DiskBudget
from auditlog.events.event import Event, to_request
from auditlog.events.parts import Part
from auditlog.events.replay import ReplayReport, ReplaySettings, StageEstimate, Table, replay
from auditlog.events.sources import find_logs
from auditlog.events.tally import NOTHING, Volume
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Stage
from tests.unit.events.generate import ALICE, NODES, START, encode, event, events, lines

EARLY_STAGES = (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED)
EVERYTHING = Policy((PolicyRule(Level.METADATA),), omit_stages=EARLY_STAGES)
CONFIGMAP = {"resource": "configmaps", "namespace": "shop", "name": "settings", "apiVersion": "v1"}
CONFIGMAP_URI = "/api/v1/namespaces/shop/configmaps/settings"


def write(path: Path, content: Sequence[bytes]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(content))
    return str(path)


def run(*paths: str, **settings: Any) -> ReplayReport:
    return replay(find_logs(paths), ReplaySettings(**settings))


def table(report: ReplayReport, dimension: str) -> Table:
    return next(each for each in report.tables if each.dimension == dimension)


def volumes(report: ReplayReport, dimension: str) -> dict[str, tuple[Volume, Volume | None]]:
    return {line.name: (line.recorded, line.written) for line in table(report, dimension).lines}


def missing(report: ReplayReport) -> tuple[StageEstimate, ...]:
    return tuple(itertools.chain.from_iterable(node.missing for node in report.nodes))


def test_every_table_adds_up_to_the_bytes_of_the_file(tmp_path: Path) -> None:
    content = lines(7, 3000, seconds_between=60)
    report = run(write(tmp_path / "audit.log", content), policy=EVERYTHING, top=3)
    assert report.recorded == Volume(3000, sum(map(len, content)))
    for each in report.tables:
        shown = [*each.lines, *([each.others] if each.others else [])]
        assert sum((line.recorded for line in shown), NOTHING) == report.recorded
        assert sum((line.written or NOTHING for line in shown), NOTHING) == report.written


def test_days_are_those_of_the_events(tmp_path: Path) -> None:
    content = lines(3, 4000, seconds_between=60)
    expected: dict[str, int] = {}
    for line in content:
        day = msgspec.json.decode(line)["stageTimestamp"][:10]
        expected[day] = expected.get(day, 0) + len(line)
    days = volumes(run(write(tmp_path / "audit.log", content)), "day")
    assert {day: recorded.bytes for day, (recorded, _) in days.items()} == expected
    assert len(days) == 3


POLICY = Policy(
    (
        PolicyRule(Level.NONE, non_resource_urls=("/livez*", "/readyz*")),
        PolicyRule(
            Level.NONE, resources=(GroupResources("coordination.k8s.io", ("leases",), ("worker-1", "worker-2")),)
        ),
        PolicyRule(Level.REQUEST, verbs=("get",), resources=(GroupResources("", ("secrets",), ("secret-3",)),)),
        PolicyRule(Level.REQUEST, namespaces=("shop",), resources=(GroupResources("", ("configmaps",)),)),
        PolicyRule(Level.METADATA, user_groups=("system:nodes",), omit_stages=(Stage.RESPONSE_COMPLETE,)),
        PolicyRule(Level.METADATA, users=("alice@example.org",)),
    ),
    omit_stages=EARLY_STAGES,
)


def test_the_remembered_decisions_are_those_of_the_evaluator(tmp_path: Path) -> None:
    content = lines(11, 3000)
    expected: dict[str, Volume] = {}
    written = NOTHING
    for line in content:
        decoded = msgspec.json.decode(line, type=Event)
        decision = evaluate(POLICY, to_request(decoded))
        name = counting.rule_names(POLICY)[decision.rule_index]
        expected[name] = expected.get(name, NOTHING) + Volume(1, len(line))
        if decision.level is not Level.NONE and decoded.stage not in decision.omit_stages:
            written += Volume(1, len(at_level(line, decision.level)))
    report = run(write(tmp_path / "audit.log", content), policy=POLICY)
    assert {name: recorded for name, (recorded, _) in volumes(report, "rule").items()} == expected
    assert len(expected) == len(POLICY.rules) + 1
    assert report.written == written


def at_level(line: bytes, level: Level) -> bytes:
    """The line as the API server would have written it at a level that needs no more than the line has."""
    value = msgspec.json.decode(line)
    value["level"] = level.value
    if level < Level.REQUEST_RESPONSE:
        value.pop("responseObject", None)
    if level < Level.REQUEST:
        value.pop("requestObject", None)
    return encode(value)


def test_several_processes_and_parts_count_the_same_as_one(tmp_path: Path) -> None:
    content = lines(5, 3000)
    content[1000] = b"garbage\n"
    content[2500] = b'{"level":"Metadata"\n'
    path = write(tmp_path / "audit.log", content)
    whole = run(path, policy=POLICY, recorded=EVERYTHING)
    parts = run(path, policy=POLICY, recorded=EVERYTHING, part_bytes=100_000)
    processes = run(path, policy=POLICY, recorded=EVERYTHING, part_bytes=100_000, processes=2)
    assert whole == parts == processes
    assert [each.place for each in whole.damage.examples] == [f"{path}:1001", f"{path}:2501"]


def test_forgetting_combinations_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "audit.log", lines(5, 2000))
    expected = run(path, policy=POLICY)
    monkeypatch.setattr(counting, "REMEMBERED_COMBINATIONS", 5)
    assert run(path, policy=POLICY) == expected


def test_a_rotated_set_with_compressed_files_counts_like_one_file(tmp_path: Path) -> None:
    content = lines(5, 900)
    whole = run(write(tmp_path / "whole" / "audit.log", content))
    rotated = tmp_path / "rotated"
    write(rotated / "audit.log", content[600:])
    write(rotated / "audit-2025-02-21T00-00-30.000.log", content[300:600])
    first = rotated / "audit-2025-02-21T00-00-15.000.log.gz"
    first.write_bytes(gzip.compress(b"".join(content[:300])))
    report = run(str(rotated))
    assert (report.recorded, report.tables) == (whole.recorded, whole.tables)


def test_nodes_are_counted_apart_and_their_rates_add_up(tmp_path: Path) -> None:
    one, two = lines(1, 2000, seconds_between=1), lines(2, 1000, seconds_between=1)
    write(tmp_path / "cp1" / "audit.log", one)
    write(tmp_path / "cp2" / "audit.log", two)
    report = run(str(tmp_path), disk=DiskBudget(100, 10), loki_bytes=10**9)
    assert [(node.node, node.recorded.events) for node in report.nodes] == [("cp1", 2000), ("cp2", 1000)]
    first, second = (node.recorded_per_day for node in report.nodes)
    assert first is not None
    assert second is not None
    disks, loki = report.lifetimes[:2], report.lifetimes[2]
    assert [disk.recorded_days for disk in disks] == [
        pytest.approx(1100 * 2**20 / rate.bytes) for rate in (first, second)
    ]
    assert loki.recorded_days == pytest.approx(10**9 / (first.bytes + second.bytes))


def test_a_day_is_scaled_from_the_time_between_the_first_and_the_last_event(tmp_path: Path) -> None:
    content = [encode(event(ALICE, "get", "/version", START + timedelta(hours=hour))) for hour in range(7)]
    report = run(write(tmp_path / "audit.log", content))
    rate = report.nodes[0].recorded_per_day
    assert rate is not None
    assert rate.events == pytest.approx(28)
    assert report.nodes[0].last == START + timedelta(hours=6, milliseconds=4)


def test_a_log_of_seconds_gives_no_rate(tmp_path: Path) -> None:
    report = run(write(tmp_path / "audit.log", lines(1, 100)), disk=DiskBudget(100, 10))
    assert report.nodes[0].recorded_per_day is None
    assert report.lifetimes[0].recorded_days is None


def test_files_that_are_deleted_by_age_last_no_longer(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.log", lines(1, 300, seconds_between=300))
    without = run(path, disk=DiskBudget(100, 10)).lifetimes[0]
    aged = run(path, disk=DiskBudget(100, 10, maxage=30)).lifetimes[0]
    assert without.recorded_days is not None
    assert without.recorded_days > 30
    assert not without.limited_by_age
    assert (aged.recorded_days, aged.limited_by_age) == (30, True)


def configmap_update(level: str, stage: str = "ResponseComplete", **more: Any) -> bytes:
    return encode(event(ALICE, "update", CONFIGMAP_URI, START, level=level, stage=stage, reference=CONFIGMAP, **more))


def test_a_lower_level_takes_the_bodies_out_to_the_byte(tmp_path: Path) -> None:
    bodies: dict[str, Any] = {"request_object": {"data": {"a": "b" * 50}}, "response_object": {"data": {"a": "c" * 70}}}
    path = write(tmp_path / "audit.log", [configmap_update("RequestResponse", **bodies)])
    for level in (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE):
        report = run(path, policy=Policy((PolicyRule(level),), omit_stages=EARLY_STAGES))
        kept = {name: body for name, body in bodies.items() if name.startswith("request") or level is not Level.REQUEST}
        expected = configmap_update(level.value, **(kept if level is not Level.METADATA else {}))
        assert report.written == Volume(1, len(expected))
        assert report.cannot_tell[1:] == ()


def test_bodies_the_log_does_not_have_make_a_lower_bound_and_it_says_so(tmp_path: Path) -> None:
    content = [configmap_update("Metadata"), encode(event(ALICE, "get", CONFIGMAP_URI, START, reference=CONFIGMAP))]
    path = write(tmp_path / "audit.log", content)
    request = run(path, policy=Policy((PolicyRule(Level.REQUEST),), omit_stages=EARLY_STAGES))
    both = run(path, policy=Policy((PolicyRule(Level.REQUEST_RESPONSE),), omit_stages=EARLY_STAGES))
    assert any(sentence.startswith("1 events would be written with bodies") for sentence in request.cannot_tell)
    assert any(sentence.startswith("2 events would be written with bodies") for sentence in both.cannot_tell)


def test_a_received_stage_the_log_does_not_have_is_estimated_after_the_final_events(tmp_path: Path) -> None:
    content = [configmap_update("RequestResponse", request_object={"data": {}}, response_object={"data": {}})] * 3
    content.append(encode(event(NODES[0], "get", "/livez", START)))
    path = write(tmp_path / "audit.log", content)
    policy = Policy(
        (PolicyRule(Level.NONE, non_resource_urls=("/livez",)), PolicyRule(Level.METADATA)),
        omit_stages=(Stage.RESPONSE_STARTED,),
    )
    received = configmap_update("Metadata", "RequestReceived")
    # The final event's level is written out longer than the early one's would be.
    longer = 3 * (len("RequestResponse") - len("Metadata"))
    report = run(path, policy=policy)
    assert missing(report) == (StageEstimate("RequestReceived", Volume(3, 3 * len(received) + longer)),)
    assert any("lacks 3 RequestReceived events" in sentence for sentence in report.cannot_tell)


def test_a_received_stage_the_log_has_is_not_estimated(tmp_path: Path) -> None:
    content = [configmap_update("Metadata", "RequestReceived"), configmap_update("Metadata")]
    report = run(
        write(tmp_path / "audit.log", content),
        policy=Policy((PolicyRule(Level.METADATA),), omit_stages=(Stage.RESPONSE_STARTED,)),
    )
    assert missing(report) == ()
    assert report.written == Volume(2, sum(map(len, content)))


def test_only_long_running_requests_have_a_started_stage(tmp_path: Path) -> None:
    watch = event(ALICE, "watch", "/api/v1/pods?watch=true", START, reference={"resource": "pods", "apiVersion": "v1"})
    content = [encode(watch), configmap_update("Metadata")]
    report = run(
        write(tmp_path / "audit.log", content),
        policy=Policy((PolicyRule(Level.METADATA),), omit_stages=(Stage.REQUEST_RECEIVED,)),
    )
    assert missing(report) == (StageEstimate("ResponseStarted", Volume(1, len(content[0]))),)


def test_a_policy_that_takes_managed_fields_out_makes_an_upper_bound_and_it_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.log", [configmap_update("Request", request_object={"data": {}})])
    policy = Policy((PolicyRule(Level.REQUEST),), omit_stages=EARLY_STAGES, omit_managed_fields=True)
    assert "upper bound" in run(path, policy=policy).cannot_tell[-1]
    assert "upper bound" not in run(path, policy=replace(policy, omit_managed_fields=False)).cannot_tell[-1]


def test_the_policy_in_force_gives_its_rules_shares_and_is_checked_against_the_log(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.log", [configmap_update("Metadata"), configmap_update("Request")])
    report = run(path, recorded=EVERYTHING)
    assert list(volumes(report, "recorded_rule")) == ["rule 1: Metadata"]
    assert report.disagreeing == 1
    assert report.written is None


def test_the_statement_names_the_rules_of_the_policy_in_force_that_drop_requests(tmp_path: Path) -> None:
    path = write(tmp_path / "audit.log", lines(1, 10))
    unknown = run(path, policy=EVERYTHING).cannot_tell[0]
    known = run(path, policy=EVERYTHING, recorded=POLICY).cannot_tell[0]
    assert "not counted" in unknown
    assert "Rules that drop requests: 1, 2; so does matching no rule." in known


def test_a_log_without_events_has_a_report(tmp_path: Path) -> None:
    report = run(write(tmp_path / "audit.log", []), policy=EVERYTHING, disk=DiskBudget(100, 10))
    assert (report.recorded, report.written, report.tables) == (NOTHING, NOTHING, ())
    assert report.nodes[0].first is None


def test_a_time_that_is_none_does_not_spoil_the_range(tmp_path: Path) -> None:
    good = lines(1, 3)
    odd = good[1].replace(msgspec.json.decode(good[1])["stageTimestamp"].encode(), b"tomorrow")
    report = run(write(tmp_path / "audit.log", [good[0], odd, good[2]]))
    assert report.nodes[0].last == datetime.fromisoformat(msgspec.json.decode(good[2])["stageTimestamp"])


def test_fifty_megabytes_are_counted_in_little_memory(tmp_path: Path) -> None:
    piece = b"".join(lines(1, 5000))
    path = tmp_path / "audit.log"
    with path.open("wb") as stream:
        for _ in range(50_000_000 // len(piece) + 1):
            stream.write(piece)
    logs = find_logs([str(path)])
    tracemalloc.start()
    try:
        report = replay(logs, ReplaySettings(policy=POLICY, recorded=EVERYTHING))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.recorded.bytes == path.stat().st_size > 50_000_000
    assert peak < 10_000_000


def test_what_a_part_holds_does_not_depend_on_the_parts_before_it(tmp_path: Path) -> None:
    without_time = b'{"kind":"Event","level":"Metadata","stage":"ResponseComplete","verb":"get"}\n'
    first = write(tmp_path / "a.log", lines(1, 5))
    second = write(tmp_path / "b.log", [without_time, *lines(2, 5)])
    parts = [Part(file) for file in find_logs([first, second]).files]
    counter = counting.Counter(POLICY)
    together = [counter.count(part) for part in parts]
    assert together == [counting.Counter(POLICY).count(part) for part in parts]
    assert together[1].unread.named[0][0] == 1


def test_endless_paths_stay_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "REMEMBERED_COMBINATIONS", 100)
    counter = counting.Counter(EVERYTHING)
    content = [encode(event(ALICE, "get", f"/scan/{number}", START)) for number in range(1000)]
    file = find_logs([write(tmp_path / "audit.log", content)]).files[0]
    counts = counter.count(Part(file))
    assert counts.recorded.events == 1000
    assert len(counter._cells) + len(counter._closer_cells) <= 100


def test_the_generator_is_the_same_for_the_same_seed() -> None:
    assert lines(4, 50) == lines(4, 50)
    assert next(events(4)) != next(events(5))
