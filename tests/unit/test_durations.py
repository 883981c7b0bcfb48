"""What ``make slowest`` makes of pytest's reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import durations

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.node.test_path_change" name="test_a[x.y]" time="1.500"><properties>
<property name="processor" value="0.500"/></properties></testcase>
<testcase classname="tests.unit.node.test_path_change" name="test_b" time="2.000"><failure message="m"/></testcase>
<testcase classname="tests.unit.test_c.TestClass" name="test_c" time="3.000"/>
</testsuite></testsuites>"""


def test_the_slowest_tests_files_and_parts_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "others.xml").write_text(REPORT)
    (tmp_path / "lab.xml").write_text(REPORT.replace("unit", "lab").replace("3.000", "100"))
    assert durations.main([str(tmp_path / "others.xml"), str(tmp_path / "lab.xml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "the 6 slowest of 6 tests:",
        "   100.0 s  tests/lab/test_c.py::test_c",
        "     3.0 s  tests/unit/test_c.py::test_c",
    ]
    assert "     1.5 s  tests/unit/node/test_path_change.py::test_a[x.y]" in lines
    assert "     3.5 s  tests/unit/node/test_path_change.py" in lines
    assert lines[-8:-4] == ["parts:", "   103.5 s  lab", "     6.5 s  others", ""]
    assert lines[-4:] == ["waiting, by part:", "     1.0 s  lab", "     1.0 s  others", ""]


def test_a_core_is_idle_while_it_has_nothing_to_run_or_waits_for_a_disk() -> None:
    before = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 0 50 800 50 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n"
    after = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 400 0 150 1300 150 0 0 0 300 0\ncpu1 800 0 200 0 0 0 0 0 0 0\n"
    assert durations.idle(before, after) == [
        "idle, by core:",
        "    60.0 %  cpu0 of 10 s",
        "     0.0 %  cpu1 of 10 s",
        "",
    ]


def test_without_a_report_it_says_what_makes_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(durations, "ROOT", tmp_path)
    monkeypatch.setattr(durations, "REPORTS", tmp_path / ".lab" / "durations")
    assert durations.main([]) == 2
    assert capsys.readouterr().err == "no report in .lab/durations: run `make test` first\n"
