"""One mistake in a stack file is answered by one message, by the check and by the program, and reaches no node."""

from __future__ import annotations

import shutil
from pathlib import Path

import pulumi
import pytest

from auditlog.stack_file.check import check_stack_file
from tests.unit.components.program import run_program
from tests.unit.stack_file.stack_files import BROKEN, MALFORMED, POLICIES, PROJECT, as_engine, message_of


def test_there_are_fifty_and_more() -> None:
    assert len(BROKEN) >= 50


@pytest.mark.parametrize("path", [*BROKEN, *MALFORMED], ids=lambda path: path.stem)
def test_the_check_answers_with_one_message(path: Path) -> None:
    checked = check_stack_file(path.name, path.read_text(), PROJECT, POLICIES)
    assert [mistake.message for mistake in checked.mistakes] == [message_of(path)]
    assert not checked.is_right


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_the_program_answers_with_the_same_message_before_a_node_is_contacted(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    shutil.copytree(POLICIES, project)
    shutil.copy(path, project / "Pulumi.test.yaml")
    monkeypatch.chdir(project)
    config, in_clear = as_engine(path.read_text())
    with pytest.raises(pulumi.RunError) as raised:
        run_program(monkeypatch, config, AssertionError("a node was contacted"), in_clear=in_clear)
    heading, *messages = str(raised.value).splitlines()
    assert heading.endswith("no node was contacted.")
    assert messages == [message_of(path)]
