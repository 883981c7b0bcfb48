"""The source of a program that is built without most of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab import trimmed
from lab.errors import LabError
from lab.paths import MODULES


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module folder that leaves out b and docs, drops a line of a.go, and has its own c.go."""
    folder = tmp_path / "module"
    (folder / "instead").mkdir(parents=True)
    (folder / "instead" / "c.go").write_text("package ours\n")
    write(folder)
    return folder


@pytest.fixture
def downloaded(tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "downloaded"
    (source / "docs").mkdir(parents=True)
    (source / "docs" / "page.md").write_text("page")
    (source / "a.go").write_text("package a\n\timport b\n\timport c\n")
    (source / "b.go").write_text("package b\n")
    (source / "c.go").write_text("package theirs\n")
    for path in (source / "docs", source):
        path.chmod(0o555)
    return {"Dir": str(source), "Sum": "h1:one"}


def write(module: Path, **changes: Any) -> None:
    trim = {"sum": "h1:one", "leave_out": ["docs", "b.go"], "drop_lines": {"a.go": ["\timport b"]}} | changes
    (module / "trim.json").write_text(json.dumps(trim))


def test_what_is_named_is_left_out_dropped_or_replaced(
    module: Path, downloaded: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "made"
    for _ in range(2):
        trimmed.make(module, downloaded, target)
        assert {path.name for path in target.iterdir()} == {"a.go", "c.go"}
        assert (target / "a.go").read_text() == "package a\n\timport c\n"
        assert (target / "c.go").read_text() == "package ours\n"
        (target / "left-over.go").write_text("of an earlier build")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sum": "h1:two"}, "the module is h1:one, and trim.json is about h1:two"),
        ({"leave_out": ["none.go"]}, "leaves out none.go, which the module does not have"),
        ({"drop_lines": {"a.go": ["\timport d"]}}, "drops a line of a.go that is not once in it: import d"),
        ({"drop_lines": {"none.go": ["x"]}}, "drops a line of none.go that is not once in it: x"),
    ],
)
def test_another_module_than_the_one_it_is_about_is_refused(
    module: Path, downloaded: dict[str, Any], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    write(module, **changes)
    with pytest.raises(LabError, match=words):
        trimmed.make(module, downloaded, tmp_path / "made")


def test_alloys_go_mod_leads_to_the_source_that_is_made() -> None:
    replaced = "replace github.com/grafana/alloy => ../../../.lab/bin/source/alloy\n"
    assert replaced in (MODULES / "alloy" / "go.mod").read_text()
    where = trimmed.source_folder(MODULES.parent.parent / ".lab" / "bin", "alloy")
    assert where == (MODULES / "alloy" / "../../../.lab/bin/source/alloy").resolve()
