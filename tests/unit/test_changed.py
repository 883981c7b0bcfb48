"""Which tests ``make check`` runs for a change."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.changed import SLOW, UNIT, changed, chosen

FILES = (
    "node/test_archive.py",
    "node/test_exchange.py",
    "policy/test_read.py",
    "policy/cases/test_more.py",
    "policy/analysis/test_lint.py",
    "docs/test_links.py",
    "test_changed.py",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with test files, two of them named in the program."""
    for file in (*FILES, *SLOW):
        (tmp_path / UNIT / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / UNIT / file).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        ("tests/unit/node/test_archive.py", ["node/test_archive.py"]),
        ("tests/unit/node/shell.py", ["node/test_archive.py", "node/test_exchange.py"]),
        ("tests/unit/node/test_deleted.py", ["node/test_archive.py", "node/test_exchange.py"]),
        ("node/exchange.sh", ["node/test_exchange.py"]),
        ("node/quick.sh", ["node/test_archive.py", "node/test_exchange.py"]),
        ("auditlog/policy/read.py", ["policy/test_read.py"]),
        ("auditlog/policy/lint.py", ["policy/analysis/test_lint.py"]),
        ("auditlog/policy/x.py", ["policy/analysis/test_lint.py", "policy/cases/test_more.py", "policy/test_read.py"]),
        ("docs/guides/loki.md", ["docs/test_links.py"]),
        ("README.md", ["docs/test_links.py"]),
        ("tests/changed.py", ["test_changed.py"]),
        ("tests/test_changed.py", []),
        ("tests/lab/test_drift.py", []),
        ("policies/prod.yaml", ["policy/analysis/test_lint.py", "policy/cases/test_more.py", "policy/test_read.py"]),
        (".ci/test", []),
        ("requirements.txt", sorted(FILES)),
        ("auditlog/nodes/ssh.py", sorted(FILES)),
    ],
)
def test_what_is_chosen_can_be_predicted(root: Path, path: str, tests: list[str]) -> None:
    assert chosen([path], root) == [f"{UNIT}/{file}" for file in tests]


def test_of_several_changes_each_test_runs_once_and_without_any_change_all(root: Path) -> None:
    assert chosen(["node/archive.sh", "node/archive.sh", "README.md"], root) == [
        f"{UNIT}/docs/test_links.py",
        f"{UNIT}/node/test_archive.py",
    ]
    assert chosen([], root) == [f"{UNIT}/{file}" for file in sorted(FILES)]


@pytest.mark.parametrize("file", SLOW)
def test_a_slow_test_runs_when_it_changed_itself(root: Path, file: str) -> None:
    assert chosen([f"{UNIT}/{file}"], root) == [f"{UNIT}/{file}"]
    assert (UNIT / file).exists()


def test_git_says_what_changed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "core.hooksPath=/dev/null")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    for name in ("same", "edited", "deleted", "staged", ".gitignore"):
        (tmp_path / name).write_text("ignored\n")
    git("add", ".")
    git("commit", "-m", "x")
    for name in ("edited", "staged", "new", "ignored"):
        (tmp_path / name).write_text("other")
    git("add", "staged")
    (tmp_path / "deleted").unlink()
    assert changed(tmp_path) == ["deleted", "edited", "new", "staged"]
