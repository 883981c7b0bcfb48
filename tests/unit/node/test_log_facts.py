"""How much a node wrote to its log, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.node.shell import run
from tests.unit.proof.events import line


def hours_ago(hours: int) -> str:
    return line(stageTimestamp=(datetime.now(UTC) - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")) + "\n"


def written(log: Path) -> tuple[int, float] | None:
    """Bytes and hours."""
    said = run(log.parent, f"fact_log_written {log}").stdout.split()
    return (int(said[1]), int(said[2]) / 3600) if said else None


def test_the_open_file_alone_tells_from_its_first_event_on(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(hours_ago(3) + hours_ago(1))
    found = written(log)
    assert found is not None
    assert found[0] == log.stat().st_size
    assert round(found[1]) == 3


def test_uncompressed_rotated_files_count_from_the_oldest_on(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    rotated = [tmp_path / f"audit-2026-01-0{day}T00-00-00.000.log" for day in (1, 2)]
    for file, hours in ((rotated[0], 9), (rotated[1], 5), (log, 1)):
        file.write_text(hours_ago(hours))
    (tmp_path / "audit-2025-01-01T00-00-00.000.log.gz").write_bytes(b"x" * 1000)
    (tmp_path / "other.log").write_text(hours_ago(99))
    found = written(log)
    assert found is not None
    assert found[0] == sum(file.stat().st_size for file in (*rotated, log))
    assert round(found[1]) == 9


def test_without_a_log_or_without_times_in_it_nothing_is_told(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    assert written(log) is None
    log.write_text("")
    assert written(log) is None
    log.write_text('2026-01-01T00:00:00Z AUDIT: id="e1" stage="ResponseComplete"\n')
    assert written(log) is None


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, "/var/log/pods"),
        ({"config.yaml": "kind: KubeletConfiguration\n"}, "/var/log/pods"),
        ({"config.yaml": "podLogsDir: /data/pods\nkind: KubeletConfiguration\n"}, "/data/pods"),
        ({"config.yaml": 'podLogsDir: "/data/pods/"  # ours\n'}, "/data/pods"),
        ({"config.yaml": "podLogsDir: /data/pods\n", "more/90.conf": "podLogsDir: /later\n"}, "/later"),
        ({"config.yaml": "podLogsDir: /data/pods\n", "more/90.txt": "podLogsDir: /later\n"}, "/data/pods"),
    ],
)
def test_container_logs_are_where_kubelet_keeps_them(tmp_path: Path, files: dict[str, str], found: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    given = (
        f'kubelet_flag() {{ case $1 in config) echo "{tmp_path}/config.yaml" ;; *) echo "{tmp_path}/more" ;; esac; }}\n'
    )
    assert run(tmp_path, f'{given}find_pod_logs; echo "$pod_logs"').stdout == found + "\n"
