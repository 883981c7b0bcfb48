"""A cluster that cannot spare an API server: refused before the change, halted between two nodes, each with its reason.

``make test`` has the one that takes the least time; the others wait until somebody notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.faults.halt import Rename, halted
from tests.lab.faults.machine import frozen_etcd, stopped_kubelet
from tests.lab.faults.operation import operation
from tests.lab.nodes import ready_nodes
from tests.lab.test_first_stack import MANIFEST, eventually, hashes, process_ids

# The first test makes the lab, which on a busy machine alone takes minutes.
pytestmark = pytest.mark.timeout(2400)

_PKI = "/etc/kubernetes/pki/etcd"
_ETCD = (
    f"curl -sS --cacert {_PKI}/ca.crt --cert {_PKI}/healthcheck-client.crt --key {_PKI}/healthcheck-client.key"
    " https://127.0.0.1:2379/v3/maintenance"
)
_ALARM = (
    f'id=$({_ETCD}/status -d {{}} | sed \'s/.*"member_id":"\\([0-9]*\\)".*/\\1/\') && '
    f'{_ETCD}/alarm -d "{{\\"action\\":\\"%s\\",\\"memberID\\":\\"$id\\",\\"alarm\\":\\"NOSPACE\\"}}"'
)
_HEALTH = "curl -s --max-time 5 http://127.0.0.1:2381/health"
_WAIT_SECONDS = 30


def _until(holds: Callable[[], bool]) -> None:
    assert eventually(holds, bool)


@contextmanager
def full_etcd(node: Node) -> Iterator[None]:
    """etcd's alarm that a member has no space left, which no member takes a write with."""
    node.run(_ALARM % "ACTIVATE")
    _until(lambda: "NOSPACE" in node.run(_HEALTH).stdout)
    try:
        yield
    finally:
        node.run(_ALARM % "DEACTIVATE")


@contextmanager
def stopped_etcd(node: Node) -> Iterator[None]:
    """The node's member of etcd has ended, and kubelet does not start it again."""
    manifest = "/etc/kubernetes/manifests/etcd.yaml"
    node.run(f"mv {manifest} /etc/kubernetes/etcd.yaml")
    _until(lambda: node.run("pgrep -x etcd", check=False).returncode != 0)
    try:
        yield
    finally:
        node.run(f"mv /etc/kubernetes/etcd.yaml {manifest}")
        _until(lambda: '"true"' in node.run(_HEALTH, check=False).stdout)


@contextmanager
def hanging_etcd(node: Node) -> Iterator[None]:
    with frozen_etcd(node):
        yield
    _until(lambda: '"true"' in node.run(_HEALTH, check=False).stdout)


@dataclass(frozen=True, slots=True)
class Illness:
    """What is wrong with the last node, how the preview names it, and how another node names it in its turn."""

    name: str
    of: Callable[[Lab, Node], AbstractContextManager[None]]
    refused: str
    halted: str

    def __str__(self) -> str:
        return self.name


def _without_lab(
    fault: Callable[[Node], AbstractContextManager[None]],
) -> Callable[[Lab, Node], AbstractContextManager[None]]:
    return lambda _, node: fault(node)


@contextmanager
def _not_ready(lab: Lab, node: Node) -> Iterator[None]:
    with stopped_kubelet(node):
        _until(lambda: node.name not in ready_nodes(lab))
        yield
    _until(lambda: node.name in ready_nodes(lab))


_CP3_API = "the API server at https://{cp3}:6443 is not ready: these checks of its own fail: etcd, etcd-readiness"
FULL = Illness(
    "full etcd",
    _without_lab(full_etcd),
    "cp3: etcd of this node is not healthy: ALARM NOSPACE: no API server is restarted while that is so",
    "etcd of this node is not healthy: ALARM NOSPACE",
)
ILLNESSES = (
    FULL,
    Illness("stopped etcd", _without_lab(stopped_etcd), f"cp3: {_CP3_API}", _CP3_API),
    Illness(
        "hanging etcd",
        _without_lab(hanging_etcd),
        "cp3: etcd of this node does not answer at http://127.0.0.1:2381",
        _CP3_API,
    ),
    Illness(
        "not Ready",
        _not_ready,
        "cp3: the node cp3 is not Ready: NodeStatusUnknown",
        "the node cp3 is not Ready: NodeStatusUnknown",
    ),
)


@pytest.fixture(scope="module")
def lab(three_nodes: Lab) -> Lab:
    now = Lab.load(three_nodes.paths)  # another module may have added a node
    now.reset()
    return now


@pytest.fixture(autouse=True)
def _configured(lab: Lab, stack: PulumiStack) -> Iterator[None]:
    """A cluster that the test before has left as it should, with audit logging off."""
    lab.wait_ready()
    _until(lambda: len(ready_nodes(lab)) == len(lab.nodes))
    stack.configure(lab.state, {"healthTimeoutSeconds": _WAIT_SECONDS})
    yield
    lab.wait_ready()
    stack.run("destroy", "--yes", "--skip-preview")


def everything(lab: Lab, ill: Node) -> Mapping[str, tuple[dict[str, str], object]]:
    """Of each node what a change would touch, and its API server, which kubelet starts anew where etcd is gone."""
    return {node.name: (hashes(node), None if node == ill else process_ids(node)) for node in lab.nodes}


@pytest.mark.parametrize(
    "illness", [FULL, *(pytest.param(each, marks=pytest.mark.exhaustive) for each in ILLNESSES[1:])], ids=str
)
def test_it_is_refused_before_anything_is_touched(lab: Lab, stack: PulumiStack, illness: Illness) -> None:
    cp3 = lab.node("cp3")
    before = everything(lab, cp3)
    with illness.of(lab, cp3):
        printed = stack.run("up", "--yes", "--skip-preview", check=False)
    assert printed.returncode != 0
    assert "nothing was changed" in printed.stdout
    assert illness.refused.format(cp3=cp3.address) in printed.stdout
    assert everything(lab, cp3) == before
    assert all(node.run("ls /etc/kubernetes/audit-logging", check=False).returncode != 0 for node in lab.nodes)


@pytest.mark.exhaustive
@pytest.mark.parametrize("illness", ILLNESSES, ids=str)
def test_between_two_nodes_it_is_waited_for_and_then_the_change_stops(
    lab: Lab, stack: PulumiStack, illness: Illness
) -> None:
    cp1, cp3 = lab.node("cp1"), lab.node("cp3")
    before = everything(lab, cp3)
    with halted(cp1, Rename("*/journal.new", "step=own"), "after") as halt, operation(stack, "up") as up:
        halt.wait(up)
        with illness.of(lab, cp3):
            halt.release()
            printed = up.fails()
    reason = illness.halted.format(cp3=cp3.address)
    assert "waiting: the cluster is not healthy: " in printed  # of a member that hangs another reason may come first
    assert (
        f"error: the cluster is not healthy: {reason}; nothing was changed on this node, nor on cp3, which would come "
        "after it. Done, unless left out by --target: cp1"
    ) in printed
    now = everything(lab, cp3)
    assert {name: now[name] for name in ("cp2", "cp3")} == {name: before[name] for name in ("cp2", "cp3")}
    assert "--audit-log-path=" in cp1.run(f"cat {MANIFEST}").stdout
    lab.wait_ready()
    _until(lambda: len(ready_nodes(lab)) == len(lab.nodes))
    stack.run("up", "--yes", "--skip-preview")


@pytest.mark.exhaustive
def test_what_gets_well_in_time_only_delays_the_change(lab: Lab, stack: PulumiStack) -> None:
    cp1, cp3 = lab.node("cp1"), lab.node("cp3")
    with halted(cp1, Rename("*/journal.new", "step=own"), "after") as halt, operation(stack, "up") as up:
        halt.wait(up)
        with full_etcd(cp3):
            halt.release()
            up.prints("waiting: the cluster is not healthy: etcd of this node is not healthy: ALARM NOSPACE")
        up.succeeds()
