"""A host with a firewall, on a real kubelet: only what it allows is allowed, and everybody it lets in is answered."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from auditlog.nodes import second_api_server
from lab.api import Lab, Node
from tests.lab.clients import four_clients
from tests.lab.faults.halt import halted
from tests.lab.faults.steps import after
from tests.lab.node_change import Change, NodeChanger
from tests.lab.outsiders import connects, outsiders
from tests.lab.test_first_stack import eventually
from tests.lab.test_restart_modes import EVERYTHING, WRITES, assert_undisturbed, left_over

CANARY_PORT = second_api_server.PORTS[0]
LIMITED = "INPUT ! -i lo -p tcp --dport 6443 ! -s 10.0.0.0/8 -j DROP"


@dataclass(frozen=True, slots=True)
class Running:
    """A change that goes on beside the test."""

    future: Future[Change]

    @classmethod
    @contextmanager
    def begin(cls, changer: NodeChanger) -> Iterator[Running]:
        with ThreadPoolExecutor(max_workers=1) as thread:
            yield cls(thread.submit(changer.enable))

    def runs(self) -> bool:
        return not self.future.done()

    def output(self) -> str:
        """What it has printed, once it has ended."""
        return self.future.result().printed if self.future.done() else ""

    def ends(self) -> Change:
        return self.future.result(timeout=420)


@pytest.fixture(scope="module")
def changer(node: Node) -> NodeChanger:
    return NodeChanger(node, EVERYTHING)


@contextmanager
def rule(node: Node, text: str) -> Iterator[None]:
    node.run(f"iptables -A {text}")
    try:
        yield
    finally:
        node.run(f"iptables -D {text}")


def assert_nothing_is_left(node: Node, change: Change) -> None:
    """A question about the API that the rule drops ends by its own time limit, some seconds after the change."""
    assert eventually(lambda: left_over(node), lambda text: text == "", 60) == "", change.printed


def test_a_rule_about_the_port_means_drain_the_preview_says_which_and_no_stranger_gets_in(
    lab: Lab, node: Node, changer: NodeChanger
) -> None:
    with rule(node, LIMITED), outsiders(lab, [node]) as seen:
        (sentence,) = changer.plan().restart.sentences
        change = changer.enable()
    assert sentence.startswith(
        "restart: drain and not seamless, because the host's firewall has a rule that may concern"
    )
    assert "--dport 6443" in sentence
    assert change.status == 0, change.printed
    assert change.result.mode == "drain"
    assert seen[node.name].reached == []
    assert seen[node.name].agrees(change.result.outage_seconds)
    assert_nothing_is_left(node, change)


def test_a_rule_that_came_after_the_preview_means_drain_too(node: Node) -> None:
    rehearses = after("rehearse")
    with halted(node, rehearses.rename, rehearses.side) as halt, Running.begin(NodeChanger(node, WRITES)) as running:
        halt.wait(running)
        with rule(node, LIMITED):
            halt.release()
            change = running.ends()
    assert change.status == 0, change.printed
    assert "restart: drain in place of seamless, because the host's firewall has a rule" in change.printed
    assert_nothing_is_left(node, change)


def test_the_canary_answers_redirected_connections_and_nobody_else(lab: Lab, node: Node) -> None:
    stands_in = after("swap")
    with (
        four_clients(lab.paths.kubeconfig) as records,
        halted(node, stands_in.rename, stands_in.side) as halt,
        Running.begin(NodeChanger(node, EVERYTHING)) as running,
    ):
        halt.wait(running)
        assert node.run(f"ss -Hltn 'sport = :{CANARY_PORT}'").stdout, "the canary listens"
        assert not connects(node.address, CANARY_PORT)
        assert connects(node.address, 6443)
        halt.release()
        change = running.ends()
    assert change.status == 0, change.printed
    assert change.result.mode == "seamless"
    assert change.result.outage_seconds == 0
    assert_undisturbed(records)
    assert_nothing_is_left(node, change)
    assert (
        node.run(
            "iptables -S | grep KUBERNETES-AUDIT; ip netns; ip link show ka-outside 2>/dev/null", check=False
        ).stdout
        == ""
    )


# While the file is there, it takes no chain of the nat table away, and says that none is there.
LIES = """#!/bin/sh
if [ -e /run/iptables-lies ]; then
    case "$*" in *"-t nat -D"* | *"-t nat -F"* | *"-t nat -X"*) exit 1 ;; *"-t nat -S"*) exit 0 ;; esac
fi
exec /usr/sbin/iptables "$@"
"""


@pytest.mark.exhaustive
def test_an_iptables_that_lies_leaves_the_canary_in_place_and_the_next_change_clears_up(lab: Lab, node: Node) -> None:
    """No client notices the change that gets stuck: the canary goes on answering."""
    shim = lab.paths.node(node.name) / "usr/local/sbin/iptables"
    shim.write_text(LIES)
    shim.chmod(0o755)
    hands_back = after("marker")
    try:
        with (
            four_clients(lab.paths.kubeconfig) as records,
            halted(node, hands_back.rename, hands_back.side) as halt,
            Running.begin(NodeChanger(node, WRITES)) as running,
        ):
            halt.wait(running)
            node.run("touch /run/iptables-lies")
            halt.release()
            stuck = running.ends()
        # What an earlier run left is finished with drain, so that clients would notice from here on.
        again = NodeChanger(node, EVERYTHING).enable()
        node.run("rm /run/iptables-lies")
        change = NodeChanger(node, EVERYTHING).enable()
    finally:
        shim.unlink()
        node.run("rm -f /run/iptables-lies")
    assert stuck.status != 0
    for failed in (stuck, again):
        assert failed.status != 0
        assert "runs and is healthy, but the redirect KUBERNETES-AUDIT cannot be taken away" in failed.printed
    assert change.status == 0, change.printed
    assert_undisturbed(records)
    assert_nothing_is_left(node, change)
