"""A change that is cut off: who does it is killed, or the connection, or the whole node, or the disk takes no more.

Under ``make test-faults`` every fault happens at every moment that the scripts themselves name, in an ``up`` and in the
``destroy`` after it; in ``make test`` each happens once, in the middle of one of the two.
"""

from __future__ import annotations

import pytest

from tests.lab.faults.experiment import Experiment, Observed
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import (
    DISK_FULL,
    EVERY_INTERRUPTION,
    GUARD_KILLED,
    POWER_CUT,
    READ_ONLY,
    SSH_KILLED,
    WORKER_KILLED,
    Interruption,
)
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import WAY_BACK, Moment, recorded_by_name, step_names

IN_THE_MIDDLE = Moment("after", "swap")
ONCE = ((POWER_CUT, SSH_KILLED), (WORKER_KILLED, GUARD_KILLED), (DISK_FULL, READ_ONLY))


def test_every_step_that_the_scripts_name_is_cut_off_here() -> None:
    assert IN_THE_MIDDLE.step in step_names()
    assert recorded_by_name() <= {*step_names(), *WAY_BACK}


@pytest.mark.parametrize(
    ("in_up", "in_destroy"), [pytest.param(*pair, id=f"{pair[0]} then {pair[1]}") for pair in ONCE]
)
def test_in_the_middle(experiment: Experiment, in_up: Interruption, in_destroy: Interruption) -> None:
    change_and_removal(experiment, IN_THE_MIDDLE, in_up, in_destroy)


@pytest.mark.every_fault
@pytest.mark.parametrize(
    ("interruption", "moment"),
    [
        pytest.param(interruption, moment, id=f"{interruption} {moment}")
        for interruption in EVERY_INTERRUPTION
        for moment in interruption.moments()
    ],
)
def test_at_every_moment(experiment: Experiment, interruption: Interruption, moment: Moment) -> None:
    change_and_removal(experiment, moment, interruption, interruption)


def change_and_removal(experiment: Experiment, moment: Moment, in_up: Interruption, in_destroy: Interruption) -> None:
    """A fault at this moment of an ``up``, then one at the same of a ``destroy``. The next one completes each."""
    assert in_up.prepared is in_destroy.prepared
    with in_up.prepared(experiment.node):
        new = experiment.recovers(cut_off("up", experiment, moment, in_up))
        experiment.gives_back(cut_off("destroy", experiment, moment, in_destroy), new)


def cut_off(verb: str, experiment: Experiment, moment: Moment, interruption: Interruption) -> Observed:
    """Runs ``pulumi VERB``, has the fault happen at the moment, and gives what the node comes to by itself."""
    with halted(experiment.node, moment.rename, moment.side) as halt, operation(experiment.stack, verb) as running:
        halt.wait(running)
        interruption.happens(experiment, halt, running)
        return experiment.settled()
