"""An API server that does not come up with what it was given ends in the old one running again.

The stack checks policy and flags before it sends them. What is staged on the node is therefore spoiled there, right
before it is put in place: as by a rule of another version of Kubernetes that the checks do not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from lab.api import Lab
from tests.lab.faults.experiment import JOURNAL, STATE, Experiment, Observed
from tests.lab.faults.filesystem import small_file_system
from tests.lab.faults.halt import Halt, halted
from tests.lab.faults.interruptions import (
    GUARD_KILLED_ON_THE_WAY_BACK,
    SSH_KILLED,
    WORKER_KILLED,
    Interruption,
)
from tests.lab.faults.machine import cut_power, frozen_etcd, start
from tests.lab.faults.operation import Operation, operation
from tests.lab.faults.steps import WAY_BACK, Moment, after, before
from tests.lab.test_first_stack import LOG

_POLICY = f"{STATE}/staged/audit-policy.yaml"
_MANIFEST = f"{STATE}/staged/kube-apiserver.yaml"
PUTS_IN_PLACE = after("swap")


@dataclass(frozen=True, slots=True)
class Spoiled:
    """What is done to the staged files, and what the operator reads of it."""

    script: str
    words: str


# The node takes no text for its own that the journal does not know.
_KNOWN = f"; sha256sum {_POLICY} {_MANIFEST} | sed 's/ .*//; s/^/known=/' >>{JOURNAL}"
REFUSED_POLICY = Spoiled(f"sed -i 's/^kind: Policy/kind: Polity/' {_POLICY}{_KNOWN}", 'Polity\\" is registered')
UNKNOWN_FLAG = Spoiled(
    f"sed -i 's/^    - kube-apiserver$/&\\n    - --no-such-flag=1/' {_MANIFEST}{_KNOWN}",
    "unknown flag: --no-such-flag",
)
IMAGE_GONE = Spoiled(
    f"sed -i 's/^    image: .*$/&-gone/' {_MANIFEST}{_KNOWN}", "no API server with the manifest's arguments"
)


@pytest.fixture(scope="module")
def patient(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    """With a stack that waits no longer than a minute for an API server."""
    with Experiment.begin(running_lab, "faults-patient", baseline, {"healthTimeoutSeconds": 60}) as experiment:
        yield experiment


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(REFUSED_POLICY, id="refused policy"),
        pytest.param(UNKNOWN_FLAG, id="unknown flag", marks=pytest.mark.exhaustive),
        pytest.param(IMAGE_GONE, id="image gone", marks=pytest.mark.exhaustive),
    ],
)
def test_what_it_cannot_start_with_is_put_back_with_its_own_words(patient: Experiment, spoiled: Spoiled) -> None:
    with halted(patient.node, PUTS_IN_PLACE.rename, PUTS_IN_PLACE.side) as halt, operation(patient.stack, "up") as up:
        halt.wait(up)
        patient.node.run(spoiled.script)
        halt.release()
        printed = up.fails()
    assert spoiled.words in printed
    assert "The earlier manifest runs again" in printed
    patient.nothing_happened()


def test_what_it_cannot_start_with_is_found_in_the_rehearsal(patient: Experiment) -> None:
    running = patient.process()
    rehearses = after("rehearse")
    with halted(patient.node, rehearses.rename, rehearses.side) as halt, operation(patient.stack, "up") as up:
        halt.wait(up)
        patient.node.run(REFUSED_POLICY.script)
        halt.release()
        printed = up.fails()
    assert REFUSED_POLICY.words in printed
    assert "nothing was changed" in printed
    assert patient.process() == running
    patient.nothing_happened()


def test_one_that_never_gets_ready_is_put_back(patient: Experiment) -> None:
    runs = after("healthy")
    with halted(patient.node, runs.rename, runs.side) as halt, operation(patient.stack, "up") as up:
        halt.wait(up)
        with frozen_etcd(patient.node):
            halt.release()
            up.prints("are put back")
        printed = up.fails()
    assert "The earlier manifest runs again" in printed
    patient.nothing_happened()


@pytest.mark.exhaustive
def test_a_folder_where_the_log_should_be(patient: Experiment) -> None:
    patient.node.run(f"mkdir -p {LOG}")
    printed = patient.fails()
    assert f"open {LOG}: is a directory" in printed
    patient.nothing_happened()
    patient.node.run(f"rmdir {LOG}")


@pytest.mark.exhaustive
def test_a_disk_of_the_log_that_fills_up_before_the_first_event(patient: Experiment) -> None:
    node, folder = patient.node, LOG.rpartition("/")[0]
    node.run(f"mkdir -p {folder} && mount -t tmpfs -o size=2g tmpfs {folder}")
    try:
        with halted(node, PUTS_IN_PLACE.rename, PUTS_IN_PLACE.side) as halt, operation(patient.stack, "up") as up:
            halt.wait(up)
            node.run(f"mount -o remount,size=1m {folder}; head -c 1048576 /dev/zero >{folder}/full", check=False)
            halt.release()
            printed = up.fails()
        assert f"is not in {LOG}" in printed
        patient.nothing_happened()
    finally:
        node.run(f"umount --lazy {folder}")


@pytest.mark.exhaustive
def test_the_way_back_needs_no_room_on_the_disk(patient: Experiment) -> None:
    with small_file_system(patient.node) as file_system:
        with (
            halted(patient.node, PUTS_IN_PLACE.rename, PUTS_IN_PLACE.side) as halt,
            operation(patient.stack, "up") as up,
        ):
            halt.wait(up)
            patient.node.run(UNKNOWN_FLAG.script)
            halt.release_until(after("old-gone").rename, "after")
            halt.wait(up)
            file_system.fill()
            halt.release()
            up.fails()
        patient.settled().is_one_of(patient.before)
        file_system.empty()
        patient.completes("up")
        patient.completes("destroy")


@contextmanager
def on_the_way_back(experiment: Experiment, moment: Moment) -> Iterator[tuple[Halt, Operation]]:
    """An ``up`` that stands still at the moment, because the API server does not start with what it brought."""
    with (
        halted(experiment.node, PUTS_IN_PLACE.rename, PUTS_IN_PLACE.side) as halt,
        operation(experiment.stack, "up") as up,
    ):
        halt.wait(up)
        experiment.node.run(REFUSED_POLICY.script)
        halt.release_until(moment.rename, moment.side)
        halt.wait(up)
        yield halt, up


@pytest.mark.exhaustive
@pytest.mark.parametrize("moment", [at(step) for step in WAY_BACK for at in (before, after)], ids=str)
def test_power_cut_on_the_way_back(patient: Experiment, moment: Moment) -> None:
    with on_the_way_back(patient, moment) as (_, up):
        cut_power(patient.node)
        # Up to the put-back the files on the disk are those that no API server starts with: the next up is the first.
        start(patient.lab)
        up.fails()
    patient.completes("up")
    patient.recovers_and_gives_back()


@pytest.mark.exhaustive
@pytest.mark.parametrize("interruption", [SSH_KILLED, WORKER_KILLED, GUARD_KILLED_ON_THE_WAY_BACK], ids=str)
@pytest.mark.parametrize("step", WAY_BACK)
def test_cut_off_on_the_way_back(patient: Experiment, interruption: Interruption, step: str) -> None:
    with on_the_way_back(patient, after(step)) as (halt, up):
        interruption.happens(patient, halt, up)
        assert patient.settled() == patient.before
    patient.recovers_and_gives_back()


def test_then_up_completes(patient: Experiment) -> None:
    patient.recovers_and_gives_back()
