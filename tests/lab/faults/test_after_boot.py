"""A power cut after files were put in place that no API server starts with: the node comes up again by itself.

The node looks like one that systemd runs: the change installs its unit, and the lab's boot runs what the unit runs.
"""

from __future__ import annotations

import time

import pytest

from tests.lab.faults.experiment import JOURNAL, Experiment
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import POWER_CUT
from tests.lab.faults.machine import cut_power, start, with_systemd
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import Moment, after
from tests.lab.faults.test_api_server_does_not_come_up import REFUSED_POLICY, UNKNOWN_FLAG, Spoiled
from tests.lab.faults.test_interruptions import cut_off

UNITS = "find /etc/systemd/system -name 'kubernetes-audit-*'"


@pytest.mark.parametrize(
    ("spoiled", "moment"),
    [
        pytest.param(UNKNOWN_FLAG, after("old-gone"), id="unknown flag"),
        pytest.param(REFUSED_POLICY, after("healthy"), id="refused policy", marks=pytest.mark.exhaustive),
        pytest.param(UNKNOWN_FLAG, after("put-back"), id="on the way back", marks=pytest.mark.exhaustive),
    ],
)
def test_it_comes_up_by_itself_after_the_boot(experiment: Experiment, spoiled: Spoiled, moment: Moment) -> None:
    node, swap = experiment.node, after("swap")
    with with_systemd(node), halted(node, swap.rename, swap.side) as halt, operation(experiment.stack, "up") as up:
        halt.wait(up)
        node.run(spoiled.script)
        halt.release_until(moment.rename, moment.side)
        halt.wait(up)
        cut_power(node)
        began = time.monotonic()
        start(experiment.lab)
        up.fails()
        assert experiment.settled() == experiment.before, "the files of before, with nobody's help"
        print(f"up by itself {time.monotonic() - began:.0f} s after the power was back")
    assert "the earlier manifest and policy are back" in node.run("cat /var/log/units.log").stdout
    assert node.run(f"cat {JOURNAL}").stdout != "", "the next run reports"
    assert node.run(UNITS).stdout.count("\n") == 2
    new = experiment.recovers(experiment.before)
    assert node.run(UNITS).stdout == ""
    experiment.gives_back(new, new)


@pytest.mark.exhaustive
@pytest.mark.parametrize("step", ["rehearse", "stand-in", "swap", "new-running", "own"])
def test_a_change_that_is_right_is_kept(experiment: Experiment, step: str) -> None:
    with with_systemd(experiment.node):
        found = cut_off("up", experiment, after(step), POWER_CUT)
    assert experiment.node.run("cat /var/log/units.log").stdout != ""
    new = experiment.recovers(found)
    assert experiment.node.run(UNITS).stdout == ""
    experiment.gives_back(new, new)
