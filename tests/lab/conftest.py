"""The lab for tests: one running control plane, given its first state back before each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.own_lab import OwnLab

# A file's tests share a stack and a lab; these files also share the lab of three nodes, which takes a minute to boot.
_THREE_NODES = (
    "test_three_nodes_lab.py",
    "test_three_nodes_under_load.py",
    "test_cluster_gates.py",
    "test_incident.py",
)

# With several workers the longest files go first, so that none is still at work when the others have ended. A worker is
# given two files at once: behind the two longest come short ones.
_FIRST = (
    # The last of the four adds a node to a cluster that it has changed, and no reset takes that back.
    "test_three_nodes_lab.py",
    "test_cluster_gates.py",
    "test_incident.py",
    "test_three_nodes_under_load.py",
    "test_second_writer.py",
    "test_restart_modes.py",
    "test_api_server_does_not_come_up.py",
    "test_presets.py",
    "test_inspect.py",
    "test_engine_commands.py",
    "test_interruptions.py",
    "test_drift.py",
    "test_firewall.py",
    "test_refusals.py",
)


class _ByLab(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands whole files to the workers of pytest-xdist, each of which has a lab of its own."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "three nodes" if file.endswith(_THREE_NODES) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # by the number of tests, which says nothing here
    return _ByLab(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def running_lab(worker_id: str) -> Iterator[Lab]:
    """The lab that ``make up`` started; the second and further workers of pytest-xdist boot one for themselves."""
    if worker_id in ("master", "gw0"):
        yield Lab.load()
        return
    own = OwnLab(f"worker-{worker_id}")
    own.up()
    yield Lab.load(own.paths)
    own.command("down")


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
    """A new Pulumi stack with the preset of the single-node runbook, named after the test module."""
    name = Path(str(request.node.path)).stem.removeprefix("test_").replace("_", "-")
    PulumiStack.prepare(lab.paths, lab.state, name).remove()  # what a run that was killed may have left
    # The way that takes the least time; test_restart_modes.py is about the others.
    settings = {"restart": "quick", "acceptLostEvents": True, "rehearsal": False}
    stack = PulumiStack.prepare(lab.paths, lab.state, name, settings)
    yield stack
    stack.remove()
