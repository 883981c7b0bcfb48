"""The policy of that hour: what a node's history says of each moment, and what an answer makes of it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditlog.events.history_text import HistoryError, Observation, kept_text, read_kept
from auditlog.events.in_force import DAMAGED, NO_POLICY, Period, PolicyHistory, history_of, read_history
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
    period = history.period_at("prod/CP1", datetime.fromtimestamp(50, UTC))
    assert period is not None
    assert period.policies == (ALL,)
    assert history.period_at("cp2", datetime.fromtimestamp(50, UTC)) is None
    assert PolicyHistory().period_at("cp1", datetime.fromtimestamp(50, UTC)) is None


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


RECORDS = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
TEXT = f"text all {base64.b64encode(RECORDS.encode()).decode()}"


def seen(first: int, last: int, started: int, by: str = "stack", policy: str = "all", changed: int = 5) -> str:
    return f"observation {first} {last} {policy} {changed} {started} {by}"


def unknown(*lines: str, node: str = "cp1") -> list[tuple[int | None, int | None, str]]:
    """The times of a node that nobody knows, and why."""

    def seconds(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.timestamp())

    periods = read_history({"cp1": "\n".join(lines)}, policy_as_read).of(node)
    return [(seconds(each.start), seconds(each.end), each.unknown) for each in periods if each.unknown]


NOT_YET, NOT_SINCE = "nobody had looked yet", "nobody has looked since"
ANEW = "the API server was started anew unobserved"


class TestDamage:
    """A history that a power cut, a full disk or an editor damaged: the rest of it counts."""

    @pytest.mark.parametrize(
        "line",
        [
            "observation ",
            "observation",
            "observation 150",
            "observation 150 160 all 5 120",
            "observation 150 160 all 5 120 sta",
            "observation 150 160 all 5 120 stack more",
            "observation 160 150 all 5 120 stack",
            "observation 150 160 all 5 9000 stack",
            "observation 0 0 all 5 120 stack",
            "observation -150 160 all 5 120 stack",
            "observation 150 99999999999999999999 all 5 120 stack",
            "observation \0\0\0\0\0",
            "observation \ufffd\x1c\x85",
            "something else",
            "lost 1",
        ],
    )
    def test_a_damaged_line_between_two_processes_leaves_that_time_unknown(self, line: str) -> None:
        lines = (TEXT, seen(10, 100, 10), line, seen(500, 600, 400))
        assert unknown(*lines) == [(None, 10, NOT_YET), (101, 400, DAMAGED), (601, None, NOT_SINCE)]
        (complaint,) = read_history({"cp1": "\n".join(lines)}, policy_as_read).complaints
        assert complaint.startswith("a line of the policy history of cp1 is damaged")
        assert complaint.endswith("from 1970-01-01 00:01:40Z to 1970-01-01 00:08:20Z")

    def test_a_process_keeps_its_policy_whatever_a_damaged_line_said(self) -> None:
        lines = (TEXT, seen(10, 100, 10), "observation 150 1", seen(500, 600, 10))
        assert unknown(*lines) == [(None, 10, NOT_YET), (601, None, NOT_SINCE)]

    def test_the_stacks_two_looks_are_no_longer_two_with_a_damaged_line_between(self) -> None:
        around = (TEXT, seen(10, 100, 10, "found")), (seen(160, 200, 150, "stack"),)
        assert (101, 150, DAMAGED) not in unknown(*around[0], *around[1])
        assert (101, 150, DAMAGED) in unknown(*around[0], "observation 1", *around[1])

    def test_at_the_ends_of_the_history(self) -> None:
        assert unknown(TEXT, "observation x", seen(50, 100, 10)) == [(None, 10, DAMAGED), (101, None, NOT_SINCE)]
        assert unknown(TEXT, seen(50, 100, 10), "observation x") == [(None, 10, NOT_YET), (101, None, DAMAGED)]

    def test_without_a_whole_line_nothing_is_known(self) -> None:
        assert unknown("observation x") == [(None, None, DAMAGED)]
        assert unknown("") == []

    def test_a_clock_that_was_set_back_makes_a_time_doubtful(self) -> None:
        lines = (TEXT, seen(10, 1000, 10), seen(450, 5000, 400))
        assert unknown(*lines) == [(None, 10, NOT_YET), (400, 1001, "its clock was set back"), (5001, None, NOT_SINCE)]
        # Two of them run at once for moments only.
        assert (990, 1001, "its clock was set back") not in unknown(TEXT, seen(10, 1000, 10), seen(1000, 5000, 990))

    @pytest.mark.parametrize("text", ["text all", "text all ", "text all !!!", "text all /w==", "text"])
    def test_a_damaged_text_is_not_known(self, text: str) -> None:
        assert unknown(text, seen(10, 100, 10))[1] == (10, 101, "the text of the policy was not kept")

    def test_a_text_that_is_not_of_its_hash_is_damaged(self) -> None:
        name = "0" * 64
        half = TEXT.replace("text all", f"text {name}")
        assert unknown(half, seen(10, 100, 10, policy=name))[1][1:] == (101, "the text of the policy was not kept")
        (complaint,) = read_history({"cp1": half}, policy_as_read).complaints
        assert complaint == "the policy history of cp1 has a damaged text of policy 000000000000"

    def test_a_text_that_is_no_policy_is_not_known(self) -> None:
        # Somebody is editing the file by hand, and the node tells what is in it at the moment.
        half = f"text half {base64.b64encode(b'rules: [').decode()}"
        lines = (TEXT, half, seen(10, 100, 10), seen(150, 150, 10, "now", "half", 120))
        history = read_history({"cp1": "\n".join(lines)}, policy_as_read)
        assert unknown(*lines) == [(None, 10, NOT_YET), (151, None, NOT_SINCE)]
        assert [each.partition(" (")[0] for each in history.complaints] == [
            "policy half of the policy history cannot be read"
        ]

    def test_one_node_of_two_without_a_history(self) -> None:
        history = read_history({"cp1": f"{TEXT}\n{seen(10, 100, 10)}", "cp2": ""}, policy_as_read)
        assert len(history.of("cp1")) == 3
        assert history.of("cp2") == ()

    def test_what_is_kept_has_the_damaged_time_once(self, tmp_path: Path) -> None:
        path, told = tmp_path / "history.json", f"{TEXT}\n{seen(10, 100, 10)}\nobservation x"
        path.write_text(kept_text({}, {"cp1": f"{told}\n{seen(500, 500, 400, 'now')}"}))
        path.write_text(kept_text(read_kept(path), {"cp1": f"{told}\n{seen(900, 900, 400, 'now')}"}))
        kept = read_kept(path)["cp1"]
        assert kept.split("\n")[1:] == [seen(10, 100, 10), seen(500, 900, 400, "seen"), "lost 100 500"]
        assert unknown(kept) == [(None, 10, NOT_YET), (101, 400, DAMAGED), (901, None, NOT_SINCE)]

    @pytest.mark.parametrize("filling", ["", "\0"])
    def test_damage_anywhere_never_makes_something_known(self, filling: str) -> None:
        """A history that ends early, or has a hole of zeros, says the same as the whole one or "not known"."""
        lines = (TEXT, seen(10, 100, 10), seen(150, 160, 10, "found"), seen(190, 300, 170), seen(900, 950, 800))
        whole = "\n".join((*lines, ""))
        now, rest = seen(1000, 1000, 800, "now"), whole.index("observation")
        truth = known(f"{whole}{now}")
        for start in range(rest, len(whole)):
            for length in (1, 2, 5, 17, 60) if filling else (len(whole) - start,):
                hole = min(length, len(whole) - start)
                left = f"{whole[:start]}{filling * hole}{whole[start + hole :]}\n{now}"
                assert known(left) <= truth, (start, length, left)


def known(lines: str) -> set[tuple[int, str]]:
    """Every ten seconds at which the policy is known, and which one."""
    history = read_history({"cp1": lines}, lambda *_: ALL)
    return {
        (second, period.policies[0].source)
        for period in history.of("cp1")
        if not period.unknown and period.start and period.end
        for second in range(0, 1100, 10)
        if period.start.timestamp() <= second < period.end.timestamp()
    }


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


def test_a_policy_that_stays_is_named_with_one_time(tmp_path: Path) -> None:
    """Over restarts, seen and unseen: what it drops, it drops all the time."""
    zero = int(START.timestamp())
    looks = ((-1000, 590, -1000, "stack"), (700, 1190, 600, "seen"), (1250, 3000, 1200, "stack"))
    lines = [f"text drops {base64.b64encode(TestAnswer.DROPS.encode()).decode()}"]
    lines += [
        f"observation {zero + first} {zero + last} drops {zero - 2000} {zero + started} {by}"
        for first, last, started, by in looks
    ]
    history, log = tmp_path / "history.json", tmp_path / "audit.log"
    history.write_text(kept_text({}, {"cp1": "\n".join(lines)}))
    log.write_bytes(b"".join(encode(request(ALICE, "get", "pods", "x", second)) for second in range(0, 1800, 10)))
    done = auditlog("secrets", f"--policy=history:{history}", "--nodes", "1", "-o", "json", f"cp1={log}")
    (doubt,) = (each for each in json.loads(done.stdout)["outcome"]["doubts"] if each["cause"] == "not recorded")
    (span,) = doubt["spans"]
    assert (span["start"][:19], span["end"][:19]) == ("2025-02-21T00:00:00", "2025-02-21T00:29:50")
