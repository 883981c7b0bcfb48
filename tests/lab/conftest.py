"""The lab for tests: one running control plane, given its first state back before each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.own_lab import OwnLab


@pytest.fixture(scope="session")
def running_lab() -> Lab:
    """The lab that ``make up`` started."""
    return Lab.load()


@pytest.fixture(scope="session")
def three_nodes() -> Iterator[Lab]:
    """A lab of three control-plane nodes behind a load balancer, made for the tests that ask for it."""
    own = OwnLab("three")
    own.up("--nodes", "3")
    yield Lab.load(own.paths)
    own.command("down")


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
    # The way that takes the least time; test_restart_modes.py is about the others.
    settings = {"restart": "quick", "acceptLostEvents": True, "rehearsal": False}
    stack = PulumiStack.prepare(lab.paths, lab.state, name, settings)
    yield stack
    stack.remove()
