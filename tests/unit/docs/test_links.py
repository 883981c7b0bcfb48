"""Every link between documents leads somewhere: to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT, anchors, links, name, pages, prose

PAGES = pages()
LINKS = [(page, line, target) for page in PAGES for line, target in links(page)]
INTERNAL = [each for each in LINKS if "://" not in each[2]]


@pytest.mark.parametrize(("page", "line", "target"), INTERNAL, ids=[f"{name(p)}:{n} {t}" for p, n, t in INTERNAL])
def test_a_link_leads_somewhere(page: Path, line: int, target: str) -> None:
    file, _, anchor = target.partition("#")
    there = (page.parent / file).resolve() if file else page
    assert there.is_relative_to(ROOT), f"{name(page)}:{line}: leads out of the repository"
    assert there.exists(), f"{name(page)}:{line}: {target} is not there"
    if anchor:
        assert anchor in anchors(there), f"{name(page)}:{line}: {target}: no such heading"


def test_there_are_links() -> None:
    assert len(INTERNAL) >= 40
    assert sum(1 for _, _, target in INTERNAL if "#" in target) >= 3


def test_every_document_can_be_reached_from_the_readme() -> None:
    """By links, or by a link to the folder that it is in."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.suffix == ".md":
            todo += [
                there
                for _, target in links(page)
                if "://" not in target and (there := (page.parent / target.partition("#")[0]).resolve()).exists()
            ]
    folders = {path for path in reached if path.is_dir()}
    assert [name(page) for page in PAGES if page not in reached and page.parent not in folders] == []


PATH = re.compile(r"`((?:auditlog|components|node|lab|tests|bench|ci|policies|docs|\.github|\.woodpecker)/[\w./-]*)`")
NAMED = [(page, line, path) for page in PAGES for line, text in prose(page) for path in PATH.findall(text)]


@pytest.mark.parametrize(("page", "line", "path"), NAMED, ids=[f"{name(p)}:{n} {t}" for p, n, t in NAMED])
def test_a_path_of_the_repository_that_is_named_is_there(page: Path, line: int, path: str) -> None:
    assert (ROOT / path).exists(), f"{name(page)}:{line}: {path} is not there"


def test_there_are_paths_of_the_repository() -> None:
    assert len(NAMED) >= 25
