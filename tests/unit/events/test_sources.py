"""Finding the files of a log."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from auditlog.events.reading import DamageLog, read
from auditlog.events.sources import LogSet, SourceError, find_logs
from tests.unit.events.generate import lines

OLDEST = "audit-2025-01-02T03-04-05.678.log"
OLDER = "audit-2025-01-10T00-00-00.000.log"


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def names(logs: LogSet) -> list[str]:
    return [Path(file.path).name for file in logs.files]


def some_lines(seed: int) -> bytes:
    return b"".join(lines(seed, 3))


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    write(tmp_path / "audit.log", some_lines(1))
    write(tmp_path / OLDER, some_lines(2))
    write(tmp_path / f"{OLDEST}.gz", some_lines(3))
    write(tmp_path / "kubelet.log", b"not an audit log\n")
    return tmp_path


def test_the_active_file_stands_for_its_whole_set_oldest_first(rotated: Path) -> None:
    logs = find_logs([str(rotated / "audit.log")])
    assert names(logs) == [f"{OLDEST}.gz", OLDER, "audit.log"]
    assert [file.compressed for file in logs.files] == [True, False, False]
    assert {file.node for file in logs.files} == {str(rotated / "audit.log")}


def test_a_folder_stands_for_the_audit_log_in_it(rotated: Path) -> None:
    assert names(find_logs([str(rotated)])) == [f"{OLDEST}.gz", OLDER, "audit.log"]


def test_a_rotated_file_stands_for_itself(rotated: Path) -> None:
    logs = find_logs([str(rotated / OLDER)])
    assert names(logs) == [OLDER]
    assert logs.files[0].node == str(rotated / "audit.log")


def test_files_named_by_a_shell_pattern_are_read_once(rotated: Path) -> None:
    logs = find_logs(sorted(str(path) for path in rotated.glob("audit*")))
    assert sorted(names(logs)) == sorted([f"{OLDEST}.gz", OLDER, "audit.log"])


def test_files_that_logrotate_numbered_come_by_falling_number(tmp_path: Path) -> None:
    for index, name in enumerate(("audit.log", "audit.log.1", "audit.log.2.gz", "audit.log.10.gz")):
        write(tmp_path / name, some_lines(index))
    assert names(find_logs([str(tmp_path)])) == ["audit.log.10.gz", "audit.log.2.gz", "audit.log.1", "audit.log"]


def test_a_folder_of_folders_has_one_node_in_each(tmp_path: Path) -> None:
    write(tmp_path / "cp1" / "audit.log", some_lines(1))
    write(tmp_path / "cp2" / "audit.log", some_lines(2))
    (tmp_path / "empty").mkdir()
    assert [file.node for file in find_logs([str(tmp_path)]).files] == ["cp1", "cp2"]


def test_a_node_can_be_named_on_the_command_line(rotated: Path) -> None:
    assert {file.node for file in find_logs([f"cp1={rotated}"]).files} == {"cp1"}


def test_a_path_with_an_equals_sign_that_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a=b.log", some_lines(1))
    assert find_logs([str(path)]).files[0].path == str(path)
    monkeypatch.chdir(tmp_path)
    assert find_logs(["a=b.log"]).files[0].path == "a=b.log"


def test_the_twin_that_is_being_compressed_is_left_out_with_a_note(rotated: Path) -> None:
    write(rotated / f"{OLDER}.gz", some_lines(2)[:40])
    logs = find_logs([str(rotated)])
    assert names(logs) == [f"{OLDEST}.gz", OLDER, "audit.log"]
    assert logs.notes == (f"{rotated / OLDER}.gz is left out: the file it was compressed from is still there",)


def test_a_copy_that_was_taken_earlier_is_left_out_with_a_note(rotated: Path) -> None:
    copy = write(rotated / "copies" / "audit.log", some_lines(1)[:-100])
    logs = find_logs([str(copy), str(rotated / "audit.log")])
    assert str(copy) not in [file.path for file in logs.files]
    assert logs.notes == (f"{copy} is left out: it begins with the same event as {rotated / 'audit.log'}",)


def test_a_compressed_and_a_plain_file_with_the_same_beginning_are_both_read_with_a_note(tmp_path: Path) -> None:
    plain = write(tmp_path / "a" / "audit.log", some_lines(1))
    compressed = write(tmp_path / "b" / f"{OLDEST}.gz", some_lines(1))
    logs = find_logs([str(plain), str(compressed)])
    assert len(logs.files) == 2
    assert logs.notes == (f"{compressed} and {plain} begin with the same event: what is in both counts twice",)


def test_a_file_named_for_two_nodes_is_read_for_the_first(rotated: Path) -> None:
    path = rotated / OLDER
    logs = find_logs([f"cp1={path}", f"cp2={path}"])
    assert [file.node for file in logs.files] == ["cp1"]
    assert logs.notes == (f"{path} is read once, for cp1, although it was named for cp2 too",)


def test_a_named_pipe_is_not_looked_into(tmp_path: Path) -> None:
    pipe = tmp_path / "audit.pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(some_lines(1),))
    writer.start()
    try:
        damage = DamageLog()
        sightings = list(read(find_logs([str(pipe)]), damage))
    finally:
        writer.join()
    assert len(sightings) == 3
    assert damage == DamageLog(), "a pipe has no position to report"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no log given"),
        (["-", "-"], "only once"),
        (["/does/not/exist"], "/does/not/exist: No such file or directory"),
        (["cp1=/does/not/exist"], "/does/not/exist: No such file or directory"),
    ],
)
def test_what_cannot_be_found_is_one_clear_message(arguments: list[str], message: str) -> None:
    with pytest.raises(SourceError) as caught:
        find_logs(arguments)
    assert message in str(caught.value)


def test_a_folder_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no audit log in this folder"):
        find_logs([str(tmp_path)])


def test_a_folder_with_two_audit_logs_is_an_error_that_names_them(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", some_lines(1))
    write(tmp_path / "oauth-audit.log", some_lines(2))
    with pytest.raises(SourceError, match=r"audit\.log, oauth-audit\.log"):
        find_logs([str(tmp_path)])
