"""A change of the policies that annotate, and of nothing else, is disturbed: the API server runs on all the same.

``tests/unit/node/test_policies_only_change.py`` has more moments, on files alone.
"""

from __future__ import annotations

import pytest

from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.faults.halt import Rename, halted
from tests.lab.faults.machine import GUARD, WORKER, kill
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import after
from tests.lab.test_annotation_files import FILE, configure, own_entry
from tests.lab.test_first_stack import process_ids

pytestmark = pytest.mark.exhaustive
_EXCHANGE = Rename("*/.audit-annotations.yaml.kubernetes-audit-displaced", tool="perl")


@pytest.fixture(scope="module", autouse=True)
def annotated(lab: Lab, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory) -> None:
    configure(lab, stack, "files", own_entry(tmp_path_factory.mktemp("own"), "first"), rehearsal=False)
    stack.run("up", "--yes", "--skip-preview")


@pytest.mark.parametrize("side", ["before", "after"])
def test_what_somebody_else_writes_at_the_exchange_stays_and_is_shown(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory, side: str
) -> None:
    running = process_ids(node)
    configure(lab, stack, "files", own_entry(tmp_path_factory.mktemp("own"), f"theirs came {side}"), rehearsal=False)
    with (
        halted(node, _EXCHANGE, "before" if side == "before" else "after") as halt,
        operation(stack, "up") as up,
    ):
        halt.wait(up)
        node.run(f"sed '1i # theirs, {side}' {FILE} >/etc/kubernetes/theirs && mv /etc/kubernetes/theirs {FILE}")
        theirs = node.run(f"cat {FILE}").stdout
        halt.release()
        printed = " ".join(up.fails().split())
    assert f"{FILE} was changed by somebody else while this change was made" in printed
    assert f"+# theirs, {side}" in printed
    assert node.run(f"cat {FILE}").stdout == theirs
    assert process_ids(node) == running
    stack.run("up", "--yes", "--skip-preview")
    assert f"theirs came {side}" in node.run(f"cat {FILE}").stdout
    assert "# theirs" not in node.run(f"cat {FILE}").stdout
    assert process_ids(node) == running


@pytest.mark.parametrize("step", ["swap", "policies", "own"])
def test_one_that_was_cut_off_is_finished_without_a_restart(
    lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory, step: str
) -> None:
    running, moment = process_ids(node), after(step)
    configure(lab, stack, "files", own_entry(tmp_path_factory.mktemp("own"), f"cut off at {step}"), rehearsal=False)
    with halted(node, moment.rename, moment.side) as halt, operation(stack, "up") as up:
        halt.wait(up)
        kill(node, GUARD)
        kill(node, WORKER)
        halt.kill()
        up.fails()
    preview = stack.run("preview", "--diff").stdout
    assert "an earlier change of the node was cut off and is to be finished" in preview
    assert "restart: quick" not in preview
    stack.run("up", "--yes", "--skip-preview")
    assert f"cut off at {step}" in node.run(f"cat {FILE}").stdout
    assert process_ids(node) == running
    stack.run("preview", "--expect-no-changes")
