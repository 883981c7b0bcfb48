"""`auditlog report` from a real Loki beside the page of the files that hold the same events."""

from __future__ import annotations

import html
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from auditlog.cli import main
from auditlog.events.event import Event
from auditlog.events.history_text import Observation, kept_text, told_lines
from auditlog.events.loki import LokiAccess, LokiClient
from auditlog.events.loki.store import LokiStore
from auditlog.manifest.desired import sha256
from auditlog.policy.presets import preset_text
from tests.observability.given_events import push_lines
from tests.observability.pipeline import running
from tests.unit.events import generate
from tests.unit.events.incident import incident

_CLUSTER = "report"
_EVENTS = 6000


@dataclass(frozen=True)
class Given:
    """The same events in files and in Loki."""

    folder: Path
    url: str
    since: datetime
    until: datetime

    @property
    def time(self) -> tuple[str, ...]:
        return "--since", self.since.isoformat(), "--until", self.until.isoformat()


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """Two nodes' logs of an hour: the usual mix, and an incident."""
    folder = tmp_path_factory.mktemp("report")
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    usual = generate.events(7, start=since, seconds_between=3600 / _EVENTS)
    content = {
        "cp1": [generate.encode(each) for each in itertools.islice(usual, _EVENTS)],
        "cp2": [generate.encode(_moved(each, since - generate.START)) for each in incident()],
    }
    with running(folder / "loki") as pipeline:
        for node, lines in content.items():
            (folder / _CLUSTER / node).mkdir(parents=True)
            (folder / _CLUSTER / node / "audit.log").write_bytes(b"".join(lines))
            decoded = ((msgspec.json.decode(line, type=Event).stage_timestamp, line.decode().strip()) for line in lines)
            push_lines(pipeline.loki_url, _CLUSTER, node, ((moment.timestamp(), line) for moment, line in decoded))
        until = datetime.now(UTC)
        store = LokiStore(LokiClient(LokiAccess(pipeline.loki_url)), '{job="kubernetes-audit"}', since, until)
        deadline = time.monotonic() + 60
        while sum(store.counts().values()) < sum(map(len, content.values())) and time.monotonic() < deadline:
            time.sleep(1)
        yield Given(folder, pipeline.loki_url, since, until)


def test_the_page_says_what_that_of_the_files_says(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*given.time, "--nodes", "2", "--audit-log-maxsize", "100", "--audit-log-maxbackup", "10")
    policy = ("--policy", "preset:forensic")
    from_files = report(tmp_path, capsys, *options, *policy, f"{_CLUSTER}={given.folder / _CLUSTER}")
    from_loki = report(tmp_path, capsys, *options, *policy, "--loki", given.url)
    # Loki orders what happened at the same moment by its text.
    assert sorted(from_loki.split()) == sorted(from_files.split())
    assert "Judged by preset:forensic." in from_loki
    assert "A token for a ServiceAccount was issued" in from_loki


def test_the_policy_of_that_hour_judges_it_too(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, middle = preset_text("standard"), int((given.since + timedelta(minutes=30)).timestamp())
    name, first = sha256(text), int(given.since.timestamp()) - 60
    seen = Observation("cp1", first, middle, name, first - 10, first - 5, "stack")
    kept = tmp_path / "policies.json"
    kept.write_text(kept_text({}, {"cp1": told_lines({name: text}, [seen])}))
    said = report(tmp_path, capsys, *given.time, "--policy", f"history:{kept}", "--nodes", "2", "--loki", given.url)
    assert f"Judged by the policies of history:{kept}." in said
    assert "Which policy was in force is not known on report/cp1" in said
    assert "on report/cp2" in said
    assert "it tells no history" in said
    assert f"policy {name[:12]}" in said


def test_another_cluster_has_nothing(given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = report(tmp_path, capsys, *given.time, "--cluster", "other", "--loki", given.url)
    assert "nothing is known" in said
    assert "The logs have no event of this time." in said


def report(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The text of the page's main part."""
    page = folder / "report.html"
    assert main(["report", *words, "-o", str(page)]) == 0
    assert capsys.readouterr().err == ""
    main_part = page.read_text().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main_part)).split())


def _moved(event: dict[str, object], by: timedelta) -> dict[str, object]:
    times = ("requestReceivedTimestamp", "stageTimestamp")
    return {**event, **{name: generate.timestamp(datetime.fromisoformat(str(event[name])) + by) for name in times}}
