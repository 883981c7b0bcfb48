"""The lab for tests: one running control plane, given its first state back before each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab, Node
from lab.stack import PulumiStack


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests on the one lab run in one process, in order; the others run beside them (``--dist loadgroup``)."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("lab"))


@pytest.fixture(scope="session")
def running_lab() -> Lab:
    """The lab that ``make up`` started."""
    return Lab.load()


@pytest.fixture(scope="module")
def lab(running_lab: Lab) -> Lab:
    """The lab as kubeadm left it."""
    running_lab.reset()
    return running_lab


@pytest.fixture(scope="module")
def node(lab: Lab) -> Node:
    return lab.nodes[0]


@pytest.fixture(scope="module")
def stack(lab: Lab, request: pytest.FixtureRequest) -> Iterator[PulumiStack]:
    """A new Pulumi stack with the preset of seed 000_05e3394e1aae7e61.txt, named after the test module."""
    name = Path(str(request.node.path)).stem.removeprefix("test_").replace("_", "-")
    PulumiStack.prepare(lab.paths, lab.state, name).remove()  # what a run that was killed may have left
    stack = PulumiStack.prepare(lab.paths, lab.state, name)
    yield stack
    stack.remove()
