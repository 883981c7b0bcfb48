"""A change that is cut off: who does it is killed, or the connection, or the whole node, or the disk takes no more.

Under ``make test-faults`` every fault happens at every moment that the scripts themselves name, in an ``up`` and in the
``destroy`` after it; in ``make test`` each happens once, in the middle of one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab
from tests.crash.disk import FILE_SYSTEMS, Cut, FileSystem
from tests.lab.faults.experiment import Experiment, Observed
from tests.lab.faults.filesystem import losing_disk
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import (
    BOTH_KILLED,
    DISK_FULL,
    EVERY_INTERRUPTION,
    GUARD_KILLED,
    POWER_CUT,
    READ_ONLY,
    SSH_KILLED,
    WORKER_KILLED,
    Interruption,
)
from tests.lab.faults.machine import power_on
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import (
    AFTER_THE_MANIFEST,
    BETWEEN_TWO_MANIFESTS,
    OLD_ONE_KILLED,
    POLICY_HALF_WRITTEN,
    WAY_BACK,
    Moment,
    after,
    recorded_by_name,
    step_names,
)

QUICK = {"restart": "quick", "rehearsal": False, "acceptLostEvents": True}
UNSYNCED = (after("back-up"), after("swap"), AFTER_THE_MANIFEST, after("own"), after("finish"))
ONCE = (
    (POLICY_HALF_WRITTEN, POWER_CUT, SSH_KILLED),
    (after("swap"), WORKER_KILLED, GUARD_KILLED),
    (after("swap"), DISK_FULL, READ_ONLY),
)


def test_every_step_that_the_scripts_name_is_cut_off_here() -> None:
    assert "swap" in step_names()
    assert recorded_by_name() <= {*step_names(), *WAY_BACK}


@pytest.mark.parametrize(
    ("moment", "in_up", "in_destroy"),
    [pytest.param(*once, id=f"{once[1]} {once[0]} then {once[2]}") for once in ONCE],
)
def test_in_the_middle(experiment: Experiment, moment: Moment, in_up: Interruption, in_destroy: Interruption) -> None:
    change_and_removal(experiment, moment, in_up, in_destroy, after("swap"))


@pytest.mark.exhaustive
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


@pytest.fixture
def quick(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    """With a stack whose restarts put two manifests in place, one after the other."""
    with Experiment.begin(running_lab, "faults-quick", baseline, QUICK) as experiment:
        yield experiment


@pytest.mark.exhaustive
def test_power_cut_between_the_two_manifests_of_a_quick_restart(quick: Experiment) -> None:
    change_and_removal(quick, BETWEEN_TWO_MANIFESTS, POWER_CUT, POWER_CUT)


@pytest.mark.exhaustive
@pytest.mark.parametrize("interruption", [WORKER_KILLED, BOTH_KILLED, GUARD_KILLED, SSH_KILLED], ids=str)
@pytest.mark.parametrize("moment", [BETWEEN_TWO_MANIFESTS, OLD_ONE_KILLED], ids=str)
def test_a_quick_restart_cut_off(quick: Experiment, moment: Moment, interruption: Interruption) -> None:
    change_and_removal(quick, moment, interruption, interruption)


@pytest.mark.parametrize(
    ("moment", "file_system", "cut"),
    [
        pytest.param(*case, id=" ".join(map(str, case)), marks=[] if number == 0 else pytest.mark.exhaustive)
        for number, case in enumerate(
            [
                (AFTER_THE_MANIFEST, FILE_SYSTEMS[1], Cut.LOGGED),
                *((moment, each, cut) for moment in UNSYNCED for each in FILE_SYSTEMS for cut in Cut),
            ]
        )
    ],
)
def test_power_cut_that_takes_what_is_not_synced(
    experiment: Experiment, moment: Moment, file_system: FileSystem, cut: Cut, tmp_path: Path
) -> None:
    """``tests/crash`` has it at every moment, on files alone."""
    node = experiment.node
    with (
        losing_disk(node, file_system, tmp_path / "disk") as disk,
        halted(node, moment.rename, moment.side) as halt,
        operation(experiment.stack, "up") as running,
    ):
        halt.wait(running)
        disk.lose_power(cut)
        power_on(experiment.lab)
        running.fails()
        found = experiment.settled()
    new = experiment.recovers(found)
    experiment.gives_back(new, new)


def change_and_removal(
    experiment: Experiment,
    moment: Moment,
    in_up: Interruption,
    in_destroy: Interruption,
    moment_of_destroy: Moment | None = None,
) -> None:
    """A fault at this moment of an ``up``, then one in a ``destroy``, at the same where no other is given.

    The next one completes each.
    """
    assert in_up.prepared is in_destroy.prepared
    with in_up.prepared(experiment.node):
        new = experiment.recovers(cut_off("up", experiment, moment, in_up))
        experiment.gives_back(cut_off("destroy", experiment, moment_of_destroy or moment, in_destroy), new)


def cut_off(verb: str, experiment: Experiment, moment: Moment, interruption: Interruption) -> Observed:
    """Runs ``pulumi VERB``, has the fault happen at the moment, and gives what the node comes to by itself."""
    with halted(experiment.node, moment.rename, moment.side) as halt, operation(experiment.stack, verb) as running:
        halt.wait(running)
        interruption.happens(experiment, halt, running)
        return experiment.settled()
