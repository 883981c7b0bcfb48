"""The Go code of the project passes its own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.go_modules import check, modules_with_tests


@pytest.mark.parametrize("module", modules_with_tests(), ids=lambda module: module.name)
def test_go_tests_of(module: Path) -> None:
    result = check(module, "test")
    assert result.returncode == 0, result.stdout
