"""The faults that cut off a change which is under way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from lab.api import Node
from tests.lab.faults.experiment import Experiment
from tests.lab.faults.filesystem import SmallFileSystem, small_file_system
from tests.lab.faults.halt import Halt
from tests.lab.faults.machine import GUARD, SSH_SESSIONS, WORKER, cut_power, kill, power_on
from tests.lab.faults.operation import Operation
from tests.lab.faults.steps import (
    Moment,
    after_each_guarded_record,
    after_each_record,
    every_guarded_moment,
    every_moment,
)


@dataclass(frozen=True, slots=True)
class Interruption:
    """A fault that happens while the transaction stands still at a moment.

    ``happens`` makes it happen, lets the transaction go on where it still can, and waits for the operator's command.
    """

    name: str
    happens: Callable[[Experiment, Halt, Operation], None]
    moments: Callable[[], tuple[Moment, ...]]
    prepared: Callable[[Node], AbstractContextManager[object]] = nullcontext

    def __str__(self) -> str:
        return self.name


def _cut_power(experiment: Experiment, _: Halt, running: Operation) -> None:
    cut_power(experiment.node)
    power_on(experiment.lab)
    running.fails()


def _kill_ssh(experiment: Experiment, halt: Halt, running: Operation) -> None:
    kill(experiment.node, SSH_SESSIONS)
    running.fails()
    halt.release()


def _kill_worker(experiment: Experiment, halt: Halt, running: Operation) -> None:
    kill(experiment.node, WORKER)
    halt.kill()
    running.fails()


def _kill_guard(experiment: Experiment, halt: Halt, running: Operation) -> None:
    kill(experiment.node, GUARD)
    halt.release()
    running.succeeds()


def _kill_guard_on_the_way_back(experiment: Experiment, halt: Halt, running: Operation) -> None:
    kill(experiment.node, GUARD)
    halt.release()
    running.fails()


def _kill_worker_and_guard(experiment: Experiment, halt: Halt, running: Operation) -> None:
    kill(experiment.node, GUARD)
    _kill_worker(experiment, halt, running)


def _fill_disk(experiment: Experiment, halt: Halt, running: Operation) -> None:
    file_system = SmallFileSystem(experiment.node)
    file_system.fill()
    halt.release()
    running.wait()
    experiment.settled()
    file_system.empty()


def _turn_read_only(experiment: Experiment, halt: Halt, running: Operation) -> None:
    with SmallFileSystem(experiment.node).read_only():
        halt.release()
        running.wait()
        experiment.settled()


POWER_CUT = Interruption("power cut", _cut_power, every_moment)
SSH_KILLED = Interruption("SSH killed", _kill_ssh, after_each_record)
WORKER_KILLED = Interruption("worker killed", _kill_worker, after_each_record)
GUARD_KILLED = Interruption("guard killed", _kill_guard, after_each_guarded_record)
GUARD_KILLED_ON_THE_WAY_BACK = Interruption("guard killed", _kill_guard_on_the_way_back, after_each_record)
BOTH_KILLED = Interruption("worker and guard killed", _kill_worker_and_guard, every_guarded_moment)
DISK_FULL = Interruption("disk full", _fill_disk, after_each_record, small_file_system)
READ_ONLY = Interruption("read-only", _turn_read_only, after_each_record, small_file_system)
EVERY_INTERRUPTION = (POWER_CUT, SSH_KILLED, WORKER_KILLED, GUARD_KILLED, BOTH_KILLED, DISK_FULL, READ_ONLY)
