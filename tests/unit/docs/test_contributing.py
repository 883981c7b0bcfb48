"""CONTRIBUTING's examples: each commit is in the history, and the files that it shows are where they were."""

from __future__ import annotations

import json
import re

from lab.paths import REPOSITORY
from tests.unit.docs import commits

RECORD: dict[str, list[str]] = json.loads(commits.RECORD.read_text())


def test_every_kind_of_addition_has_an_example() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    section = text.partition("## How to add")[2].partition("\n## ")[0]
    entries = re.split(r"^\*\*(?=An? )", section, flags=re.MULTILINE)[1:]
    assert [entry.partition("**")[0] for entry in entries if "git show" not in entry] == []
    assert len(entries) == 8


def test_an_examples_commit_shows_files_of_today() -> None:
    assert list(RECORD) == list(commits.named()), commits.__doc__
    assert [commit for commit, files in RECORD.items() if not files] == []
    there = {name for files in RECORD.values() for name in files if (REPOSITORY / name).exists()}
    assert {commit: set(files) - there for commit, files in RECORD.items() if set(files) - there} == {}


def test_the_record_is_what_the_commits_show() -> None:
    here = {commit: paths for commit, paths in commits.named().items() if commits.is_here(commit)}
    assert {commit: commits.shown(commit, paths) for commit, paths in here.items()} == {
        commit: RECORD.get(commit) for commit in here
    }, commits.__doc__
    assert not commits.is_whole() or list(here) == list(RECORD)
