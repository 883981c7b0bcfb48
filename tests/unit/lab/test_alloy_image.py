"""Alloy's image: the tools that the script before Alloy calls, which run with nothing but what the image has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from auditlog.observe.alloy import run_script
from lab.errors import LabError
from lab.observability.alloy_image import TOOLS, alloy_image


def test_each_tool_comes_with_the_libraries_that_it_names() -> None:
    image = alloy_image("lab.invalid/alloy:1", Path("alloy"))
    files = dict(image.beside)
    assert {f"bin/{tool}" for tool in TOOLS} <= set(files)
    names = {Path(target).name for target in files}
    for tool in TOOLS:
        needed = set(re.findall(rb"(?<=\0)lib[a-z0-9+-]+\.so\.\d+(?=\0)", files[f"bin/{tool}"].read_bytes()))
        assert {name.decode() for name in needed} <= names


def test_the_script_calls_no_other_tool() -> None:
    code = "\n".join(line.partition("#")[0] for line in run_script().splitlines() if not line.startswith("#"))
    others = {"awk", "cat", "cmp", "dd", "ls", "mkdir", "sed", "sort", "stat", "timeout", "tr", "xargs"}
    assert set(re.findall(r"[a-z]+", code)) & others == set()


def test_a_tool_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "touch" else f"/bin/{name}")
    with pytest.raises(LabError, match="no touch on this machine"):
        alloy_image("lab.invalid/alloy:1", Path("alloy"))
