"""What must hold on the node before anything is changed."""

from __future__ import annotations

from pathlib import Path

from tests.unit.node.shell import run


def test_without_kubelet_nothing_is_begun(tmp_path: Path) -> None:
    result = run(tmp_path, 'kubelet_runs() { return 1; }\npreconditions "" || echo "$problem"')
    assert result.stdout == "kubelet does not run, and nothing else ends the old API server and starts the new one\n"
