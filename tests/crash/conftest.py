"""What the tests with power cuts share: disks in memory, and the table at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host
from tests.crash.experiment import Tally

_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Tally()


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash[_TALLY]


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Those that make the file systems. These tests mount disks, so they need root, as the lab does."""
    assert os.geteuid() == 0, "the tests with power cuts mount disks: run them as root"
    host.install_missing(host.DISKS)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Path]:
    """A folder for images, in memory: what a disk below them does with a sync is no matter of these tests."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)
        shutil.rmtree(tmp_path, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash[_TALLY]
    if not tally.cuts:
        return
    terminalreporter.section("power cuts")
    columns = sorted({(file_system, cut) for _, _, file_system, cut in tally.cuts})
    terminalreporter.write_line(" | ".join(["operation, step", *(" ".join(column) for column in columns)]))
    for row in dict.fromkeys((operation, step) for operation, step, _, _ in tally.cuts):
        counts = [str(tally.cuts.get((*row, *column), "")) for column in columns]
        terminalreporter.write_line(" | ".join([", ".join(row), *counts]))
    total: Counter[str] = Counter()
    for (operation, *_), count in tally.cuts.items():
        total[operation] += count
    terminalreporter.write_line(f"{total.total()} power cuts, {len(tally.seen)} different disks after them")
    compared = tally.compared
    terminalreporter.write_line(
        f"{compared[True]} of {compared.total()} copies are what a shutdown at that moment of another run left"
    )
    terminalreporter.write_line(f"{len(tally.broken)} invariants broken")
