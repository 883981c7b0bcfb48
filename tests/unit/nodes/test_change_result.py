"""The last line of a change, read into the stack's outputs."""

from __future__ import annotations

import pytest

from auditlog.nodes.change_result import ChangeResult, parse_result

LINE = (
    'result {"mode": "seamless", "outageSeconds": 0.0, "rehearsed": true, "backup": "/etc/kubernetes/archive/1", '
    '"marker": "kubernetes-audit-1 in /var/log/audit.log"}\n'
)


def test_a_result_is_the_last_line_among_messages() -> None:
    result = parse_result(f"backup: x\nresult: not this one\n{LINE}")
    assert result == ChangeResult(
        "seamless", 0.0, True, "/etc/kubernetes/archive/1", "kubernetes-audit-1 in /var/log/audit.log"
    )
    assert result.outputs()["outageSeconds"] == 0.0


@pytest.mark.parametrize("printed", ["", "manifest: in sync\n", "result {\n", "result {}\n", "result []\n"])
def test_without_one_there_is_none(printed: str) -> None:
    assert parse_result(printed) is None
