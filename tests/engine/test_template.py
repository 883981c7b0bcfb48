"""`pulumi new` with this repository as the template: what comes along, and that it is a project that works."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from auditlog.stack_file.check import check_stack_file
from lab.paths import REPOSITORY

STACK_FILE = """\
config:
  mine:cluster: test
  mine:nodes:
    - name: cp1
      host: 192.0.2.1
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA8sSWD22D4AGl82Uk/Sh3mVZ5i3C2wmc1Y6LRlWI67Q
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The files that git knows: what `pulumi new` gets from the repository's address."""
    folder = tmp_path / "published"
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).exists():  # not one that is being taken away
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    return folder


@pytest.fixture
def made(tmp_path: Path, published: Path, engine_environment: dict[str, str]) -> Path:
    folder = tmp_path / "mine"
    words = ["--generate-only", "--yes", "--non-interactive", "--name", "mine", "--dir", str(folder)]
    result = subprocess.run(
        ["pulumi", "new", str(published), *words],
        env={**os.environ, **engine_environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert "docs/quick-start.md" in result.stdout
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_published_file_comes_along_as_it_is_and_no_other(made: Path, published: Path) -> None:
    before, after = files(published), files(made)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == {"Pulumi.yaml"}
    kept_from_git = (".lab/", ".venv/", "preview/")
    assert [name for name in after if name.startswith(kept_from_git)] == []


def test_the_project_has_its_own_name_and_the_same_settings(made: Path) -> None:
    project, ours = (yaml.safe_load((folder / "Pulumi.yaml").read_text()) for folder in (made, REPOSITORY))
    assert (project["name"], "template" in project) == ("mine", False)
    assert project["config"].keys() - {"pulumi:tags"} == ours["config"].keys()
    assert project["runtime"] == ours["runtime"]
    assert check_stack_file("Pulumi.mine.yaml", STACK_FILE, project["name"], made).mistakes == ()


def test_what_pulumi_new_asks_for_is_a_setting(made: Path) -> None:
    template = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())["template"]
    declared = yaml.safe_load((made / "Pulumi.yaml").read_text())["config"]
    assert {*template["config"]} <= {*declared}
