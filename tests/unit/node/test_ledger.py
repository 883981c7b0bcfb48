"""The node's part of the ledger: which files it reads and how, and what an account that only reads may ask."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from auditlog.ledger.files import Kind, Reading, parse_marks, parse_reading
from tests.unit.node.shell import run

MINUTE = "since=2026-11-29T10:00:00.000000Z until=2026-11-29T10:01:00.000000Z after=0"
ROTATED = "audit-2026-11-29T10-00-00.000.log"


def line(audit_id: str, stamp: str = "2026-11-29T10:00:30.000001Z", **others: object) -> str:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": "Panic",
    }
    times = {"requestReceivedTimestamp": stamp, "stageTimestamp": stamp, "annotations": {"a": '"stageTimestamp":"x"'}}
    return json.dumps(event | others | times, separators=(",", ":")) + "\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "audit.log").write_text(line("a") + line("b"))
    return folder


def ledger(folder: Path, more: str = "", before: str = "") -> Reading:
    ran = run(folder.parent, f"{before}\nledger log={folder}/audit.log {MINUTE} {more}")
    assert ran.stderr == ""
    return parse_reading(ran.stdout)


def total(reading: Reading) -> int:
    return sum(each.count for each in reading.sums.values())


def test_live_rotated_compressed_and_a_canarys_files_are_read(logs: Path) -> None:
    (logs / ROTATED).write_text(line("c"))
    (logs / "audit-2026-11-29T09-00-00.000.log.gz").write_bytes(gzip.compress(line("d").encode()))
    (logs / "audit-canary.log").write_text(line("e"))
    (logs / "audit-canary-2026-11-29T10-00-00.000.log").write_text(line("f"))
    (logs / "audit-notes.log").write_text("not the API server's\n")
    found = ledger(logs)
    assert total(found) == 6
    assert [file.name for file in found.own_files] == ["audit-2026-11-29T09-00-00.000.log", ROTATED, "audit.log"]


def test_a_file_that_is_just_being_compressed_counts_once(logs: Path) -> None:
    (logs / ROTATED).write_text(line("c"))
    (logs / f"{ROTATED}.gz").write_bytes(gzip.compress(line("c").encode())[:10])
    found = ledger(logs)
    assert total(found) == 3
    assert not any(file.damaged for file in found.files)


def test_a_file_that_ends_early_is_damaged(logs: Path) -> None:
    (logs / f"{ROTATED}.gz").write_bytes(gzip.compress(line("c").encode() * 500)[:-9])
    for more in ("", "digests=yes"):
        assert [file.damaged for file in ledger(logs, more).files] == [True, False]


def test_a_log_that_is_not_there(logs: Path) -> None:
    (logs / "audit.log").unlink()
    assert ledger(logs).files == ()


def test_lines_that_are_no_events(logs: Path) -> None:
    run_together = line("x").rstrip("\n")[:100] + line("y")
    (logs / ROTATED).write_text(line("c") + "\0\0\n" + run_together + line("d")[:-20])
    rotated, live = ledger(logs).files
    assert (rotated.events.count, rotated.events.others) == (1, 3)
    assert (live.events.count, live.events.others) == (2, 0)


def test_the_last_line_of_the_log_may_be_under_way(logs: Path) -> None:
    with (logs / "audit.log").open("a") as live:
        live.write(line("c")[:-20])
    (file,) = ledger(logs, "digests=yes").files
    assert (file.events.count, file.events.others) == (2, 0)
    assert file.digest == hashlib.sha256((line("a") + line("b")).encode()).hexdigest()


def test_digests_are_of_what_a_file_holds_without_compression(logs: Path) -> None:
    (logs / f"{ROTATED}.gz").write_bytes(gzip.compress(line("c").encode()))
    rotated, live = ledger(logs, "digests=yes").files
    assert rotated.digest == hashlib.sha256(line("c").encode()).hexdigest()
    assert live.kind is Kind.LIVE
    content = (line("a") + line("b")).encode()
    assert live.head == (len(content), hashlib.sha256(content).hexdigest())


def known(content: str, length: int) -> str:
    return f"digests=yes known={len(content)}:{length}:{hashlib.sha256(content[:length].encode()).hexdigest()}"


def test_the_former_log_is_known_by_its_beginning(logs: Path) -> None:
    before = line("a") + line("b")
    for name in ("audit.log", ROTATED):
        (logs / "audit.log").rename(logs / "x")
        (logs / "x").rename(logs / name)
        with (logs / name).open("a") as file:
            file.write(line("c"))
        (found,) = [file for file in ledger(logs, known(before, len(before))).files if file.prefix]
        assert (found.name, found.prefix) == (name, hashlib.sha256(before.encode()).hexdigest())


@pytest.mark.parametrize("length", [-1, 1, 100])
def test_no_digest_ends_within_a_line(length: int, logs: Path) -> None:
    """Else its content could be guessed byte for byte."""
    content = line("a") + line("b")
    assert [file.prefix for file in ledger(logs, known(content[:-1], len(line("a")))).files] == [""]
    assert [file.prefix for file in ledger(logs, known(content, length % len(line("a")))).files] == [""]


def test_old_files_are_read_with_digests_only(logs: Path) -> None:
    (logs / ROTATED).write_text(line("c", "2026-11-29T09:00:00.000001Z") * 3)
    old, _ = ledger(logs, "after=99999999999").files
    assert old.skipped is False  # the first word given counts
    ran = run(logs.parent, f"ledger after=99999999999 log={logs}/audit.log {MINUTE}")
    old, _ = parse_reading(ran.stdout).files
    assert (old.skipped, old.events.count) == (True, 1)


def test_what_is_counted_up_to_a_moment(logs: Path) -> None:
    stamp = "2026-11-29T10:00:30.000001Z"
    (logs / "audit-canary.log").write_text(line("canary"))
    found = ledger(logs, f"marks={stamp},2026-11-29T10:00:30.000000Z")
    assert (found.upto(stamp), found.upto("2026-11-29T10:00:30.000000Z")) == (2, 0)


def test_the_counter_comes_with_the_moments_around_it(logs: Path) -> None:
    metrics = """api() { cat <<'END'
apiserver_audit_event_total 1.234567e+06
apiserver_audit_error_total{plugin="log"} 0
process_start_time_seconds 1.79e+09
END
}
own_api() { :; }
"""
    count = ledger(logs, "counter=yes", metrics).count
    assert count is not None
    assert (count.events, count.start) == (1234567, "1790000000.00")
    assert count.before <= count.after
    assert ledger(logs, "counter=yes", "api() { return 1; }\nown_api() { :; }").count is None


DETACHED = """
apiserver_pids() { echo 7; }
id() { echo 0; }
sleep() { :; }
"""


def test_a_deleted_file_that_the_api_server_writes_to(logs: Path, tmp_path: Path) -> None:
    # The shell itself stands for the API server: it holds the file open on descriptor 8.
    script = (
        f"apiserver_pids() {{ echo $$; }}\nid() {{ echo 0; }}\nsleep() {{ :; }}\n"
        f"exec 4>>{logs}/audit.log && rm {logs}/audit.log && printf '%s' '{line('after')}' >&4\n"
        f"ledger log={logs}/audit.log {MINUTE} | cat"
    )
    found = parse_reading(run(tmp_path, script).stdout)
    assert found.detached == f"{logs}/audit.log (deleted)"
    assert [(file.kind, file.events.count) for file in found.files] == [(Kind.DETACHED, 3)]
    assert total(found) == 3


def test_a_rotation_at_that_moment_is_no_detached_file(logs: Path) -> None:
    before = f"""
ledger_opened() {{ [ -e {logs}/looked ] || echo "8 {logs}/audit.log (deleted)"; touch {logs}/looked; }}
{DETACHED}
"""
    assert ledger(logs, before=before).detached == ""


CONTAINER = "2026-11-29T10:00:30.5Z stdout"


def test_container_logs_with_long_lines_in_parts_and_other_output(tmp_path: Path) -> None:
    pod = tmp_path / "pods/kube-system_kube-apiserver-cp1_1/kube-apiserver"
    pod.mkdir(parents=True)
    whole, parted = line("a").rstrip("\n"), line("b").rstrip("\n")
    (pod / "0.log").write_text(
        f"{CONTAINER} F {whole}\n{CONTAINER} P {parted[:50]}\n2026-11-29T10:00:30Z stderr F I1129 said\n"
        f"{CONTAINER} P {parted[50:90]}\n{CONTAINER} F {parted[90:]}\n"
    )
    (pod / "0.log.20261129-095900.gz").write_bytes(gzip.compress(f"{CONTAINER} F {whole}\n".encode()))
    ran = run(tmp_path, f"find_pod_logs() {{ pod_logs={tmp_path}/pods; }}\nledger log=- {MINUTE}")
    found = parse_reading(ran.stdout)
    assert total(found) == 3
    (each,) = found.sums.values()
    assert each.bytes == 2 * len(whole) + len(parted)
    assert sum(file.events.others for file in found.files) == 0


def test_events_of_minutes_by_name(logs: Path) -> None:
    (logs / ROTATED).write_text(
        line('c "q"') + line("d", "2026-11-29T10:01:00.000000Z") + line("e", "2026-11-29T10:05:00.1Z")
    )
    command = f"ledger_events log={logs}/audit.log minutes=2026-11-29T10:00,2026-11-29T10:01= limit=100"
    marks = parse_marks(run(logs.parent, command).stdout)
    assert sorted(mark.audit_id for mark in marks) == ["a", "b", 'c "q"', "d"]
    assert {mark.bytes for mark in marks if mark.audit_id == "a"} == {len(line("a")) - 1}


def recorded(logs: Path, given: str, paths: str | None = None) -> tuple[int, str, str]:
    state = logs.parent / "state"
    (state / "paths").write_text(f"policy=/p\nlog={logs}/audit.log\n" if paths is None else paths)
    ran = run(logs.parent, "recorded_ledger", given)
    return ran.returncode, ran.stdout, ran.stderr


def test_an_account_that_only_reads_asks_about_the_recorded_log(logs: Path) -> None:
    asked = "\n".join(["ledger", f"log={logs}/other.log", *MINUTE.split(" "), ""])
    code, printed, _ = recorded(logs, asked)
    assert code == 0
    assert [file.path for file in parse_reading(printed).files] == [f"{logs}/audit.log"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("apply-manifest\n", "unknown question 'apply-manifest'; allowed: ledger, ledger-events"),
        ("", "unknown question"),
        ("ledger\nsince=$(id)\n", "has characters"),
        ("ledger\npath=/etc/shadow\n", "is not known"),
        ("ledger\nalloy=-x\n", "has characters"),
    ],
)
def test_it_can_ask_nothing_else(given: str, said: str, logs: Path) -> None:
    code, printed, stderr = recorded(logs, given)
    assert (code, printed) == (1, "")
    assert said in stderr


def test_a_node_without_a_recorded_log_says_so(logs: Path) -> None:
    code, _, stderr = recorded(logs, "ledger\n", "policy=/p\n")
    assert code == 1
    assert "no log is recorded" in stderr
