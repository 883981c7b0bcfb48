"""Every test here starts from the same node, with a new stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.api import Lab
from tests.lab.faults.experiment import Experiment, Observed, make_baseline, undo_baseline
from tests.lab.faults.machine import make_sound


@pytest.fixture(scope="session")
def baseline(running_lab: Lab) -> Iterator[Observed]:
    make_sound(running_lab)
    yield make_baseline(running_lab)
    undo_baseline(running_lab)


@pytest.fixture
def experiment(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    with Experiment.begin(running_lab, "faults", baseline) as experiment:
        yield experiment
