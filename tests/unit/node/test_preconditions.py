"""What must hold on the node before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.shell import run


def test_without_kubelet_nothing_is_begun(tmp_path: Path) -> None:
    result = run(tmp_path, 'kubelet_runs() { return 1; }\npreconditions "" || echo "$problem"')
    assert result.stdout == "kubelet does not run, and nothing else ends the old API server and starts the new one\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (":", ""),
        ("rm file; mkfifo file", "is a pipe or a socket and no file"),
        ('lsattr() { echo "----i---------e------- $2"; }', "is immutable: chattr -i {file} lets it be changed"),
        ('lsattr() { echo "--------------e------- $2"; }', ""),
    ],
)
def test_what_cannot_be_written_is_found_before_anything_is_changed(tmp_path: Path, make: str, reason: str) -> None:
    file = tmp_path / "file"
    file.touch()
    found = run(tmp_path, f'cd {tmp_path}; {make}; may_be_written {file} || echo "$problem"').stdout
    assert found == (f"{file} {reason.format(file=file)}\n" if reason else "")
