"""Previews of recorded nodes by the released version and by today's, under the real engine: the same decisions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.paths import REPOSITORY
from tests.earlier_version import earlier_version
from tests.engine.fake_node import FakeNode
from tests.engine.program_stack import STACK
from tests.engine.test_stack_files import pulumi
from tests.recorded_nodes.differences import report, unannounced
from tests.recorded_nodes.preview import Preview
from tests.recorded_nodes.states import RELEASED, TODAY, State, recorded_states

REPRESENTATIVE = "deployed-flag-edited"
STATES = [
    pytest.param(state, id=state.name, marks=() if state.name == REPRESENTATIVE else pytest.mark.exhaustive)
    for state in recorded_states()
]

Previews = Callable[[State], tuple[Preview, Preview]]


@pytest.fixture
def previews(node: FakeNode, stack_file: Path, engine_environment: dict[str, str], tmp_path: Path) -> Previews:
    """Previews of a state, by the released version and by today's, over what the released version deployed."""
    released = earlier_version(tmp_path / "released")

    def run(project: Path, *words: str) -> str:
        options = ("--stack", STACK, "--config-file", str(stack_file))
        return pulumi(project, engine_environment, *words, *options).stdout

    def previews(state: State) -> tuple[Preview, Preview]:
        if state.is_deployed:
            node.agree(State("fresh").facts(RELEASED))
            run(released, "up", "--yes", "--skip-preview")
        found = []
        for version, project in ((RELEASED, released), (TODAY, REPOSITORY)):
            node.agree(state.facts(version))
            found.append(Preview.of(run(project, "preview", "--json")))
        return found[0], found[1]

    return previews


@pytest.mark.parametrize("state", STATES)
def test_todays_preview_decides_what_the_released_versions_did(state: State, previews: Previews) -> None:
    released, today = previews(state)
    print(report(state, released, today))
    assert unannounced(released, today) == {}
