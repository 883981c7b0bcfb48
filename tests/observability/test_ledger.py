"""The ledger against real Loki and real Alloy: every kind of loss by its name, and no alarm over what is no loss.

One node's log is shipped once. Each test changes a copy of its files, and asks the command.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auditlog.cli import main
from auditlog.ledger import examine, run
from tests.observability.ledger_answer import Answer, ask_ledger
from tests.observability.ledger_logs import ODD_IDS, Logs, edited, ids, minutes_ago
from tests.observability.pipeline import Pipeline, Writer, outcome, running

EVENTS = int(os.environ.get("LEDGER_EVENTS", "9000"))
"""Of the test without an alarm."""
MINUTES = 8
"""How long the log is; the ledger compares what is older than two."""
CATCH_UP_MINUTES = 120
"""What the first start of Alloy sends: the log is minutes old, on a slow machine more."""


@dataclass(frozen=True)
class Shipped:
    """A log that is in Loki."""

    pipeline: Pipeline
    logs: Logs
    begin: datetime
    late: list[str]
    """Lines that were written after Alloy had stopped."""


def write(logs: Logs) -> None:
    """Seven files: rotated, compressed, a canary's; a quiet minute; odd IDs; a line that is still under way."""
    boundary = [logs.event(logs.begin + timedelta(seconds=60)), logs.event(logs.begin + timedelta(seconds=120))]
    odd = [logs.event(logs.begin + timedelta(seconds=65.5, milliseconds=at), each) for at, each in enumerate(ODD_IDS)]
    again = [logs.event(logs.begin + timedelta(seconds=70, milliseconds=at), "the same") for at in range(20)]
    inner = {"stageTimestamp": "2020-01-01T00:00:00.000000Z"}
    body = [logs.event(logs.begin + timedelta(seconds=75), requestObject=inner)]
    logs.rotated(logs.lines(0, 60) + boundary[:1], 60, compress=True)
    logs.rotated(logs.lines(60, 65) + odd + again + body + logs.lines(76, 120), 120, compress=True)
    logs.rotated([boundary[1], *logs.lines(120, 170)], 170)
    logs.rotated(logs.lines(170, 175), 175, canary=True)
    # Quiet from 180 to 300.
    logs.rotated(logs.lines(175, 180) + logs.lines(300, 320), 320)
    logs.rotated(logs.lines(320, 340), 340)
    logs.live.write_text("".join(logs.lines(340, 360)))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    with running(tmp_path_factory.mktemp("ledger") / "pipeline", catch_up_minutes=CATCH_UP_MINUTES) as pipeline:
        begin = minutes_ago(MINUTES + 3)
        logs = Logs(pipeline.logs, begin)
        write(logs)
        pipeline.start_alloy()
        await_count(pipeline, len(logs.written))
        # Loki refuses this one; the one after it shows that it was tried.
        with logs.live.open("a") as live:
            live.write(logs.event(begin + timedelta(seconds=361), "too-long", responseObject={"data": "x" * 300_000}))
            live.write("".join(logs.lines(362, 365)))
        await_count(pipeline, len(logs.written) - 1)
        pipeline.stop_alloy()
        late = logs.lines(365, 430)
        with logs.live.open("a") as live:
            live.write("".join(late))
            live.write('{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Meta')
        yield Shipped(pipeline, logs, begin, late)


def await_count(pipeline: Pipeline, count: int) -> None:
    """Wait as long as events arrive: how fast they do is the machine's matter."""
    before, deadline = 0, time.monotonic() + 180
    while (counted := pipeline.counted()) < count:
        if counted > before:
            before, deadline = counted, time.monotonic() + 180
        assert time.monotonic() < deadline, f"{counted} of {count}: {pipeline.said[-2000:]}"
        time.sleep(0.5)


def ask(shipped: Shipped, folder: Path, *options: str, until: float = 360, loki: bool = True) -> Answer:
    """The ledger's answer about the log in a folder, from the beginning on."""
    range_of = ("--since", shipped.begin.isoformat(), "--until", (shipped.begin + timedelta(seconds=until)).isoformat())
    asked = ("--loki", shipped.pipeline.loki_url, "--cluster", "lab") if loki else ()
    return ask_ledger(f"cp1={folder / 'audit.log'}", *asked, *range_of, *options)


@pytest.fixture
def folder(shipped: Shipped, tmp_path: Path) -> Path:
    """The files, to be changed."""
    return Path(shutil.copytree(shipped.logs.folder, tmp_path / "logs"))


def files(folder: Path) -> list[Path]:
    """The rotated files of the real API server, oldest first."""
    return sorted(path for path in folder.iterdir() if path.name.startswith("audit-2"))


def test_rotation_compression_quiet_minutes_and_odd_ids_are_no_loss(shipped: Shipped) -> None:
    answer = ask(shipped, shipped.logs.folder)
    assert answer.kinds == set()
    assert answer.code == 0
    (node,) = answer.values["nodes"]
    assert node["minutes"] == 6
    assert node["minutes_that_differ"] == 0
    assert node["events_in_files"] == node["events_in_loki"] > 3000
    assert set(node["stages"]) == {"RequestReceived", "ResponseComplete"}


def test_the_bytes_that_move_are_a_few_per_minute(shipped: Shipped) -> None:
    answer = ask(shipped, shipped.logs.folder)
    assert answer.values["bytes_from_nodes"] + answer.values["bytes_from_loki"] < 20_000


def test_a_stopped_alloy(shipped: Shipped) -> None:
    answer = ask(shipped, shipped.logs.folder, until=480)
    assert answer.code == 1
    assert answer.kinds == {"not-shipped", "line-too-long"}
    assert answer.ids("not-shipped") < set(ids(shipped.late))
    assert answer.of("not-shipped")["count"] == len(shipped.late)
    assert "files still hold" in answer.of("not-shipped")["sentence"]


def test_a_line_that_loki_refuses(shipped: Shipped) -> None:
    answer = ask(shipped, shipped.logs.folder, until=420)
    assert answer.ids("line-too-long") == {"too-long"}


def test_a_loki_that_begins_later_cannot_be_known(shipped: Shipped, folder: Path) -> None:
    logs = Logs(folder, shipped.begin, seed=7)
    logs.rotated(logs.lines(-240, -120), -120)
    earlier = ("--since", (shipped.begin - timedelta(minutes=3)).isoformat())
    answer = ask(shipped, folder, *earlier)
    assert (answer.code, answer.kinds) == (3, {"loki-begins-later"})
    assert "have 0 events" not in answer.of("loki-begins-later")["sentence"]
    later = ("--since", (shipped.begin + timedelta(seconds=180)).isoformat())
    hidden = logs.lines(200, 203)
    edited(files(folder)[4], lambda lines: [*lines[:100], *hidden, *lines[100:]])
    assert ask(shipped, folder, *later).kinds == {"missing-in-loki"}


def test_the_newest_minutes_are_under_way_and_no_loss(shipped: Shipped, folder: Path) -> None:
    logs = Logs(folder, shipped.begin, seed=2)
    now = (minutes_ago(0) - shipped.begin).total_seconds()
    with logs.live.open("a") as live:
        live.write("\n" + "".join(logs.lines(now - 60, now)))
    edited(folder / "audit.log", lambda lines: [line for line in lines if line.endswith("}\n")])
    answer = ask(shipped, folder, "--since", (shipped.begin + timedelta(seconds=480)).isoformat(), until=now)
    assert answer.kinds == set()
    assert any(each["kind"] == "under-way" for each in answer.values["findings"])


def test_events_that_alloy_never_saw(shipped: Shipped, folder: Path) -> None:
    logs = Logs(folder, shipped.begin, seed=3)
    hidden = logs.lines(200, 203)
    edited(files(folder)[3], lambda lines: [*lines[:100], *hidden, *lines[100:]])
    answer = ask(shipped, folder)
    assert answer.code == 1
    assert answer.ids("missing-in-loki") == set(ids(hidden))


def test_a_rotated_file_that_is_gone(shipped: Shipped, folder: Path) -> None:
    gone = files(folder)[2]
    lost = set(ids(gone.read_text().splitlines()))
    gone.unlink()
    answer = ask(shipped, folder)
    assert answer.kinds == {"rotation-gap"}
    assert answer.of("rotation-gap")["count"] == len(lost)
    assert answer.ids("rotation-gap") <= lost


def test_a_rotated_file_whose_end_was_cut_off(shipped: Shipped, folder: Path) -> None:
    cut = files(folder)[1]
    lost = set(ids(gzip.decompress(cut.read_bytes()).decode().splitlines()[-50:]))
    edited(cut, lambda lines: lines[:-50])
    answer = ask(shipped, folder)
    assert answer.kinds == {"file-cut"}
    assert answer.ids("file-cut") == lost
    assert cut.name.removesuffix(".gz") in answer.of("file-cut")["sentence"]


def test_lines_taken_out_of_a_file(shipped: Shipped, folder: Path) -> None:
    lost = set(ids(files(folder)[4].read_text().splitlines()[100:103]))
    edited(files(folder)[4], lambda lines: [*lines[:100], *lines[103:]])
    answer = ask(shipped, folder)
    assert answer.kinds == {"lines-taken-out"}
    assert answer.ids("lines-taken-out") == lost
    assert files(folder)[4].name in answer.of("lines-taken-out")["sentence"]


def test_an_event_that_is_another_one_now(shipped: Shipped, folder: Path) -> None:
    edited(files(folder)[4], lambda lines: [*lines[:9], lines[9].replace("kubernetes-admin", "mallory"), *lines[10:]])
    answer = ask(shipped, folder)
    assert answer.kinds == {"altered"}
    assert answer.of("altered")["count"] == 1


def test_an_event_under_another_id(shipped: Shipped, folder: Path) -> None:
    line = files(folder)[4].read_text().splitlines()[9]
    (before,) = ids([line])
    after = before[:-1] + ("0" if before[-1] != "0" else "1")
    edited(files(folder)[4], lambda lines: [each.replace(before, after) for each in lines])
    answer = ask(shipped, folder)
    assert answer.kinds == {"missing-in-loki", "lines-taken-out"}
    assert answer.ids("missing-in-loki") == {after}
    assert answer.ids("lines-taken-out") == {before}


def test_a_log_that_was_emptied(shipped: Shipped, folder: Path) -> None:
    logs = Logs(folder, shipped.begin, seed=4)
    (folder / "audit.log").write_text("".join(logs.lines(480, 485)))
    answer = ask(shipped, folder)
    assert answer.kinds == {"log-emptied"}
    assert answer.of("log-emptied")["count"] == 400


def test_lines_at_the_beginning_of_the_log_that_are_gone(shipped: Shipped, folder: Path) -> None:
    edited(folder / "audit.log", lambda lines: lines[100:])
    answer = ask(shipped, folder)
    assert answer.kinds == {"log-emptied"}
    assert answer.of("log-emptied")["count"] == 100


def test_a_file_that_was_copied(shipped: Shipped, folder: Path) -> None:
    copied = files(folder)[4]
    shutil.copy(copied, copied.with_name(copied.name.replace(".000.log", ".001.log")))
    answer = ask(shipped, folder)
    assert "doubled-in-files" in answer.kinds
    assert answer.of("doubled-in-files")["count"] == 400


def test_files_that_were_exchanged(shipped: Shipped, folder: Path) -> None:
    one, other = files(folder)[3:5]
    one.rename(folder / "x")
    other.rename(one)
    (folder / "x").rename(other)
    assert ask(shipped, folder).kinds == {"out-of-order"}


def test_a_damaged_compressed_file(shipped: Shipped, folder: Path) -> None:
    path = files(folder)[0]
    path.write_bytes(path.read_bytes()[:-4000])
    assert {"damaged-file"} < ask(shipped, folder).kinds


def test_lines_that_are_no_events(shipped: Shipped, folder: Path) -> None:
    edited(files(folder)[4], lambda lines: [*lines[:50], "\0" * 100 + "\n", *lines[50:]])
    answer = ask(shipped, folder)
    assert answer.kinds == {"no-event-lines"}
    assert answer.of("no-event-lines")["count"] == 1


def test_what_was_sent_again_after_a_kill_is_complete(tmp_path: Path) -> None:
    with running(tmp_path / "pipeline", catch_up_minutes=CATCH_UP_MINUTES) as pipeline:
        logs = Logs(pipeline.logs, minutes_ago(MINUTES + 3))
        write(logs)
        pipeline.start_alloy()
        await_count(pipeline, len(logs.written))
        pipeline.kill_alloy()
        pipeline.start_alloy()
        deadline = time.monotonic() + 30
        while pipeline.counted() == len(logs.written) and time.monotonic() < deadline:
            time.sleep(1)
        answer = ask(Shipped(pipeline, logs, logs.begin, []), logs.folder)
        assert answer.code == 0
        assert answer.kinds == set()


@pytest.mark.timeout(1800)
def test_no_alarm_over_rotations_restarts_an_outage_and_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (examine, run):
        monkeypatch.setattr(module, "SETTLED", 5)
    seconds = max(90.0, EVENTS / 1000)
    with running(tmp_path) as pipeline:
        with Writer(pipeline.logs, EVENTS / seconds, 3.0, compress=True) as writer:
            pipeline.start_alloy()
            time.sleep(seconds / 5)
            pipeline.kill_alloy()
            pipeline.start_alloy()
            time.sleep(seconds / 5)
            pipeline.stop_loki()
            time.sleep(seconds / 10)
            pipeline.kill_only_alloy()
            pipeline.start_alloy()
            time.sleep(seconds / 10)
            pipeline.start_loki()
            time.sleep(seconds / 5)
            pipeline.stop_alloy()
            pipeline.start_alloy()
            time.sleep(seconds / 5)
        outcome(pipeline, writer)
        time.sleep(66 - time.time() % 60)
        log = f"cp1={pipeline.logs / 'audit.log'}"
        code = main(["ledger", log, "--loki", pipeline.loki_url, "--cluster", "lab", "-o", "json"])
        found = json.loads(capsys.readouterr().out)
        (node,) = found["nodes"]
        print(f"{len(writer.written)} written, {writer.rotations} rotations: {node}")
        again = [each for each in found["findings"] if each["kind"] == "counted-twice"]
        assert code == 0, found["findings"]
        assert len(again) == 1
        assert node["events_in_files"] >= EVENTS / 4


def test_files_that_begin_later_cannot_be_known(shipped: Shipped, folder: Path) -> None:
    files(folder)[0].unlink()
    answer = ask(shipped, folder)
    assert answer.code == 3
    assert answer.kinds == {"files-begin-later"}
    assert answer.of("files-begin-later")["count"] > 1000


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited with the same length": (
        lambda folder: edited(files(folder)[3], lambda lines: [each.replace("-admin", "-nimda") for each in lines]),
        "file-edited",
    ),
    "edited and compressed": (
        lambda folder: edited(files(folder)[0], lambda lines: [each.replace("-admin", "-nimda") for each in lines]),
        "file-edited",
    ),
    "cut": (lambda folder: edited(files(folder)[3], lambda lines: lines[:-1]), "file-edited"),
    "reordered": (lambda folder: edited(files(folder)[3], lambda lines: lines[::-1]), "file-edited"),
    "renamed": (
        lambda folder: files(folder)[3].rename(folder / "audit-2026-01-01T00-00-00.000.log"),
        "file-renamed",
    ),
    "gone between others": (lambda folder: files(folder)[2].unlink(), "file-gone"),
    "the oldest is gone": (lambda folder: files(folder)[0].unlink(), "file-gone-perhaps"),
    "added": (
        lambda folder: Logs(folder, minutes_ago(60), seed=5).rotated(Logs(folder, minutes_ago(60)).lines(0, 5), 9),
        "file-added",
    ),
    "edited in the log": (
        lambda folder: edited(folder / "audit.log", lambda lines: [each.replace("-admin", "-nimda") for each in lines]),
        "file-gone",
    ),
    "edited behind the log's beginning": (
        lambda folder: edited(folder / "audit.log", lambda lines: [*lines[:9], *lines[10:]]),
        "file-edited",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_between_two_runs(name: str, shipped: Shipped, folder: Path, tmp_path: Path) -> None:
    chain = ("--chain", str(tmp_path / "state" / "chain.jsonl"))
    assert ask(shipped, folder, *chain, loki=False).code == 0
    change, kind = CHANGES[name]
    change(folder)
    answer = ask(shipped, folder, *chain, loki=False)
    assert kind in answer.kinds
    assert answer.code == (3 if kind == "file-gone-perhaps" else 1)


def test_rotation_and_compression_between_two_runs(shipped: Shipped, folder: Path, tmp_path: Path) -> None:
    chain = ("--chain", str(tmp_path / "chain.jsonl"))
    edited(folder / "audit.log", lambda lines: lines[:-1])
    first = ask(shipped, folder, *chain)
    plain = files(folder)[2]
    plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    logs = Logs(folder, minutes_ago(0), seed=6)
    (folder / "audit.log").rename(logs.rotated([], 30))
    logs.live.write_text("".join(logs.lines(31, 33)))
    answer = ask(shipped, folder, *chain, "--head", first.values["chain"]["head"])
    assert answer.kinds == set()
    assert "1 earlier runs" in answer.values["chain"]["vouches"][0]
    assert len((tmp_path / "chain.jsonl").read_text().splitlines()) == 2


def test_a_chain_that_was_edited(shipped: Shipped, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "chain.jsonl"
    heads = [ask(shipped, folder, "--chain", str(path), loki=False).values["chain"]["head"] for _ in range(2)]
    path.write_text(path.read_text().replace('"events":1', '"events":2', 1))
    assert "chain-broken" in ask(shipped, folder, "--chain", str(path), loki=False).kinds
    path.unlink()
    assert "chain-edited" in ask(shipped, folder, "--chain", str(path), "--head", heads[1], loki=False).kinds
