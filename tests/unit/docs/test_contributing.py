"""CONTRIBUTING's examples: each commit is in the history, and the files that it shows are where they were."""

from __future__ import annotations

import re
import subprocess

import pytest

from lab.paths import REPOSITORY

EXAMPLES = re.findall(r"`git show ([0-9a-f]{7})(?: -- ([^`]+))?`", (REPOSITORY / "CONTRIBUTING.md").read_text())


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_every_kind_of_addition_has_an_example() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    section = text.partition("## How to add")[2].partition("\n## ")[0]
    entries = re.split(r"^\*\*(?=An? )", section, flags=re.MULTILINE)[1:]
    assert [entry.partition("**")[0] for entry in entries if "git show" not in entry] == []
    assert len(entries) == 8


@pytest.mark.parametrize(("commit", "paths"), EXAMPLES, ids=[commit for commit, _ in EXAMPLES])
def test_an_examples_commit_shows_files_of_today(commit: str, paths: str) -> None:
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode != 0:
        # CI systems and `git clone --depth` leave the history out; a downloaded archive has none.
        assert git("rev-parse", "--is-shallow-repository").stdout.strip() != "false", f"no commit {commit}"
        pytest.skip(f"commit {commit} is not in this clone: git fetch --unshallow")
    shown = git("show", "--name-only", "--diff-filter=d", "--format=", commit, "--", *paths.split()).stdout.split()
    assert shown, f"{commit} touches nothing in {paths}"
    assert [name for name in shown if not (REPOSITORY / name).exists()] == []
