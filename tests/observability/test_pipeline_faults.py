"""Nothing lost, nothing shown twice: the pipeline alone on this machine, while everything on its way fails.

``PIPELINE_SECONDS`` says for how long; ``make test-load`` sets 1,200, of which Loki is away for ten minutes, and a
thousand events a second. In ``make test`` the first runs for 30 seconds.
"""

from __future__ import annotations

import gzip
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditlog.observe.alloy import STRUCTURED_METADATA
from tests.observability import pipeline as parts
from tests.observability.pipeline import Pipeline, Writer, outcome

SECONDS = float(os.environ.get("PIPELINE_SECONDS", "60"))
SHORT = min(SECONDS, 300.0)
RATE = float(os.environ.get("PIPELINE_RATE", "150"))
ROTATION = 3.0
RELEASED = Path(__file__).with_name("released")


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with parts.running(tmp_path) as found:
        yield found


def sleep(share: float, seconds: float = SECONDS) -> None:
    time.sleep(share * seconds)


def end(pipeline: Pipeline, how: Callable[[], int], then: float, away: float = 0) -> None:
    """Has Alloy end in this way, starts it again after ``away`` seconds, and lets it run for a share of the time."""
    how()
    time.sleep(away)
    pipeline.start_alloy()
    sleep(then)


@pytest.mark.timeout(5400)
@pytest.mark.parametrize(
    "compress", [pytest.param(False, id="plain"), pytest.param(True, id="compressed", marks=pytest.mark.exhaustive)]
)
def test_whatever_fails_every_event_is_in_loki_and_shown_once(pipeline: Pipeline, compress: bool) -> None:
    with Writer(pipeline.logs, RATE, ROTATION, compress=compress) as writer, pipeline.small_storage():
        pipeline.start_alloy()
        sleep(0.06)
        end(pipeline, pipeline.kill_alloy, then=0.06, away=1)
        end(pipeline, pipeline.stop_alloy, then=0.06)
        pipeline.fill_storage()
        sleep(0.04)
        end(pipeline, pipeline.kill_alloy, then=0.04)
        pipeline.empty_storage()
        sleep(0.04)
        end(pipeline, pipeline.stop_alloy, then=0.04)
        pipeline.stop_loki()
        sleep(0.1)
        end(pipeline, pipeline.kill_only_alloy, then=0.1)
        end(pipeline, pipeline.stop_alloy, then=0.1)
        end(pipeline, pipeline.kill_alloy, then=0.1)
        end(pipeline, pipeline.stop_alloy, then=0.1)
        pipeline.start_loki()
        sleep(0.06)
        end(pipeline, pipeline.kill_alloy, then=0.05, away=1)
        end(pipeline, pipeline.stop_alloy, then=0.05)
    found = outcome(pipeline, writer)
    print(f"{writer.rotations} rotations: {found}")
    assert writer.rotations > SECONDS / ROTATION / 2
    assert (found.missing, found.doubled, found.changed) == (0, 0, 0), str(found)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_of_orderly_stops_and_a_loki_that_is_away_little_is_counted_twice(pipeline: Pipeline) -> None:
    with Writer(pipeline.logs, RATE, ROTATION, compress=False) as writer:
        pipeline.start_alloy()
        for _ in range(3):
            sleep(0.1, SHORT)
            assert pipeline.stop_alloy() == 0
            time.sleep(2)
            pipeline.start_alloy()
        sleep(0.1, SHORT)
        pipeline.stop_loki()
        sleep(0.3, SHORT)
        pipeline.start_loki()
        sleep(0.1, SHORT)
    found = outcome(pipeline, writer)
    print(f"{writer.rotations} rotations: {found}")
    assert (found.missing, found.doubled, found.changed) == (0, 0, 0), str(found)
    # The copy of the places is some seconds old at a stop, and before the first copy everything is read again. A batch
    # of a MiB or two that Loki took and did not acknowledge when it was stopped is sent again.
    assert found.counted <= found.written + 3 * 30 * RATE + 3000, str(found)


def test_an_entry_has_the_events_own_line_time_and_fields(pipeline: Pipeline) -> None:
    with Writer(pipeline.logs, 20, 60, compress=False) as writer:
        pipeline.start_alloy()
        time.sleep(2)
    assert outcome(pipeline, writer).missing == 0
    for entry in pipeline.shown():
        assert entry.line == writer.written[entry.metadata["auditID"], "ResponseComplete"]
        assert set(entry.labels) - {"service_name"} == {"job", "cluster", "node"}
        assert time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry.time // 10**9)) in entry.line
        assert entry.metadata.keys() & STRUCTURED_METADATA.keys() == STRUCTURED_METADATA.keys() - {
            "apiGroup",
            "subresource",
        }


def test_the_first_start_sends_what_is_recent_and_not_what_the_disk_holds(pipeline: Pipeline) -> None:
    with Writer(pipeline.logs, 100, 60, compress=False) as writer:
        time.sleep(1)
    old = writer.live.read_text().replace('"stageTimestamp":"20', '"stageTimestamp":"19')
    with gzip.open(pipeline.logs / "audit-2020-01-01T00-00-00.000.log.gz", "wt") as packed:
        packed.write(old.replace('"auditID":"', '"auditID":"old-'))
    pipeline.start_alloy()
    found = outcome(pipeline, writer)
    assert (found.missing, found.shown) == (0, found.written)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_the_upgrade_from_the_released_daemon_set_starts_where_that_one_was(pipeline: Pipeline) -> None:
    now = (pipeline.folder / "config.alloy").read_text()
    text = (RELEASED / "config.alloy").read_text().replace("http://loki.invalid", pipeline.loki_url)
    pipeline.configure(text.replace("/var/log/kubernetes/audit", str(pipeline.logs)))
    places = (RELEASED / "places.sh").read_text()
    shutil.copy(RELEASED / "places.sh", pipeline.folder)
    assert places.startswith("#!/bin/sh")
    with Writer(pipeline.logs, RATE, 20, compress=False) as writer:
        pipeline.start_alloy("places.sh", "sh")
        sleep(0.5, SHORT)
        before = len(writer.written)
        pipeline.stop_alloy()
        time.sleep(1)
        pipeline.configure(now)
        pipeline.start_alloy()
        sleep(0.2, SHORT)
    found = outcome(pipeline, writer)
    print(f"{before} before the upgrade; {found}")
    assert (found.missing, found.doubled, found.changed) == (0, 0, 0), str(found)
    assert not list(pipeline.storage.glob("loki.source.file*"))
