"""The policy of that hour: what a node's history says of each moment, and what an answer makes of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlog.events.in_force import (
    NO_POLICY,
    HistoryError,
    Observation,
    Period,
    PolicyHistory,
    history_of,
    kept_text,
    read_history,
    read_kept,
)
from auditlog.policy.model import Level, Policy, PolicyRule
from auditlog.policy.validate import policy_as_read
from tests.unit.events.generate import ALICE, START, encode
from tests.unit.events.incident import request
from tests.unit.events.test_command_line import auditlog

ALL, SOME = (Policy((PolicyRule(level),), source=str(level)) for level in (Level.METADATA, Level.REQUEST))
TEXTS = {"all": ALL, "some": SOME}


def look(
    last: int, policy: str = "all", started: int = 0, changed: int = 0, by: str = "stack", first: int | None = None
) -> Observation:
    return Observation("cp1", last if first is None else first, last, policy, changed, started, by)


def told(*observations: Observation) -> list[tuple[int | None, int | None, tuple[Policy, ...], bool]]:
    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    periods: tuple[Period, ...] = history_of(observations, TEXTS).of("cp1")
    return [(seconds(each.start), seconds(each.end), each.policies, not each.unknown) for each in periods]


def test_a_process_has_the_policy_that_is_older_than_it_until_it_was_last_seen() -> None:
    assert told(look(100, started=10, changed=5)) == [
        (None, 10, (), False),
        (10, 101, (ALL,), True),
        (101, None, (), False),
    ]


def test_a_file_that_was_changed_after_the_start_says_nothing_of_the_process() -> None:
    assert told(look(100, started=10, changed=50))[1] == (10, 101, (), False)
    # Somebody had looked before the change: the process goes on with what it read.
    assert told(look(40, started=10, changed=5), look(100, "some", started=10, changed=50))[1] == (
        10,
        101,
        (ALL,),
        True,
    )


def test_between_the_stacks_two_looks_it_was_one_of_two() -> None:
    found, left = look(100, started=10, changed=5, by="found"), look(160, "some", started=150, changed=149)
    assert told(found, left)[2] == (101, 150, (ALL, SOME), True)


def test_a_restart_that_nobody_saw_leaves_the_time_before_it_unknown() -> None:
    assert told(look(100, started=10), look(500, "some", started=400, by="seen"))[2] == (101, 400, (ALL, SOME), False)


def test_the_same_policy_before_and_after_a_restart_is_no_proof_of_what_was_between() -> None:
    assert told(look(100, started=10), look(500, started=400))[2] == (101, 400, (ALL,), False)


def test_without_a_policy_nothing_is_recorded() -> None:
    assert told(look(100, "absent", started=10, by="removed"))[1] == (10, 101, (NO_POLICY,), True)


def test_a_backup_of_an_earlier_version_is_known_for_its_moment() -> None:
    assert told(look(100, by="archive"))[1] == (100, 101, (ALL,), True)


def test_a_text_that_was_not_kept_is_unknown() -> None:
    assert told(look(100, "lost", started=10))[1] == (10, 101, (), False)


def test_a_store_names_nodes_with_their_cluster() -> None:
    history = history_of([look(100, started=10)], TEXTS)
    assert history.at("prod/CP1", datetime.fromtimestamp(50, UTC)) == (ALL,)
    assert history.at("cp2", datetime.fromtimestamp(50, UTC)) == ()
    assert PolicyHistory().at("cp1", datetime.fromtimestamp(50, UTC)) == ()


def test_runs_of_a_watch_add_to_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(
        kept_text({}, {"cp1": "text all YQ==\nobservation 10 20 all 5 8 stack\nobservation 30 30 all 5 8 now"})
    )
    path.write_text(kept_text(read_kept(path), {"cp1": "text all YQ==\nobservation 90 90 all 5 8 now"}))
    assert read_kept(path) == {"cp1": "text all YQ==\nobservation 10 20 all 5 8 stack\nobservation 30 90 all 5 8 seen"}


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 2, "nodes": {}}', '{"format": 1, "nodes": []}', '{"format": 1, "nodes": {"cp1": 1}}']
)
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "history.json"
    path.write_text(text)
    with pytest.raises(HistoryError, match=r"history\.json: (no policy history|format 2)"):
        read_kept(path)
    with pytest.raises(HistoryError, match="the policy history of cp1, line 1"):
        read_history({"cp1": "observation 1 2"}, policy_as_read)


class TestAnswer:
    """A policy that drops reads of Secrets was in force for ten minutes, by hand."""

    RECORDS = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
    DROPS = (
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
        '- level: None\n  resources: [{group: "", resources: [secrets]}]\n- level: Metadata\n'
    )

    def history(self, tmp_path: Path) -> Path:
        zero = int(START.timestamp())

        def line(first: int, last: int, name: str, started: int, by: str) -> str:
            return f"observation {zero + first} {zero + last} {name} {zero + started - 5} {zero + started} {by}"

        lines = [
            *(f"text {name} {base64.b64encode(text.encode()).decode()}" for name, text in self.texts.items()),
            line(-1000, 590, "records", -1000, "stack"),
            line(700, 1190, "drops", 600, "seen"),
            line(1250, 3000, "records", 1200, "stack"),
        ]
        path = tmp_path / "history.json"
        path.write_text(kept_text({}, {"cp1": "\n".join(lines)}))
        return path

    texts = {"records": RECORDS, "drops": DROPS}  # noqa: RUF012 - read only

    @pytest.fixture
    def log(self, tmp_path: Path) -> Path:
        path = tmp_path / "audit.log"
        requests = (
            request(ALICE, "update", "configmaps", "beat", second, audit_id=f"beat-{second}")
            for second in range(0, 1800, 10)
        )
        path.write_bytes(b"".join(map(encode, requests)))
        return path

    def asked(self, log: Path, history: Path, since: int, until: int) -> list[dict[str, object]]:
        def moment(seconds: int) -> str:
            return (START + timedelta(seconds=seconds)).isoformat()

        words = ("--since", moment(since), "--until", moment(until), "--nodes", "1", "-o", "json")
        done = auditlog("secrets", f"--policy=history:{history}", *words, f"cp1={log}")
        assert done.stderr == ""
        found: list[dict[str, object]] = json.loads(done.stdout)["outcome"]["doubts"]
        return [each for each in found if each["cause"] != "silence"]

    def test_under_a_policy_that_records_it_there_is_no_doubt(self, tmp_path: Path, log: Path) -> None:
        assert self.asked(log, self.history(tmp_path), 100, 500) == []

    def test_a_lowered_policy_is_named_with_its_rule_and_its_hour(self, tmp_path: Path, log: Path) -> None:
        (doubt,) = self.asked(log, self.history(tmp_path), 650, 1150)
        assert (doubt["cause"], doubt["rule"]) == ("not recorded", 1)
        assert "in force on cp1 from 2025-02-21 00:10:50Z to 2025-02-21 00:19:10Z" in str(doubt["reason"])
        assert doubt["spans"] == [{"node": "cp1", "start": "2025-02-21T00:10:50Z", "end": "2025-02-21T00:19:10Z"}]

    def test_the_time_between_two_looks_is_not_known(self, tmp_path: Path, log: Path) -> None:
        reasons = [str(each["reason"]) for each in self.asked(log, self.history(tmp_path), 100, 1700)]
        assert any("rule 1 of policy drops drops reads of Secrets; in force on cp1" in each for each in reasons)
        assert any("not known on cp1 from 2025-02-21 00:09:51Z to 2025-02-21 00:10:00Z" in each for each in reasons)

    def test_events_that_no_known_policy_writes_are_said(self, tmp_path: Path, log: Path) -> None:
        log.write_bytes(log.read_bytes() + encode(request(ALICE, "get", "secrets", "x", 1000)))
        done = auditlog("secrets", f"--policy=history:{self.history(tmp_path)}", "-o", "json", f"cp1={log}")
        assert "1 event in the log cannot have been written under the policy of that hour" in done.stdout

    def test_the_command_prints_periods(self, tmp_path: Path) -> None:
        done = auditlog("policy-history", self.history(tmp_path), "-o", "wide")
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split("  ")[0] for line in done.stdout.splitlines()][1:] == ["cp1"] * 7
        assert "the API server was started anew unobserved" in done.stdout

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "no history given: name nodes with --nodes or --stack"),
            (("/nowhere/x",), "/nowhere/x: No such file or directory"),
            (("/nowhere/x", "--keep", "y"), "FILE (/nowhere/x) and nodes or --keep are both given"),
        ],
    )
    def test_slips(self, words: tuple[str, ...], message: str) -> None:
        done = auditlog("policy-history", *words)
        assert done.returncode == 2
        assert message in done.stderr
