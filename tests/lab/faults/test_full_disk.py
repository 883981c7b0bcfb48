"""A disk that fills up, at every write of the scripts."""

from __future__ import annotations

import pytest

from tests.lab.faults.experiment import Experiment, Observed
from tests.lab.faults.filesystem import small_file_system

# From here on the scripts refuse to begin for want of room for what an API server may write meanwhile.
EACH = 24


@pytest.mark.exhaustive
@pytest.mark.timeout(7200)
def test_room_for_one_more_block_each_time_until_up_completes(experiment: Experiment) -> None:
    """Each write up to the scripts' own look at the room there is fails once; after it the disk fills at every step."""
    left: list[Observed] = []
    with small_file_system(experiment.node) as file_system:
        file_system.fill(free_blocks=0)
        while experiment.run("up").returncode != 0:
            left.append(experiment.settled())
            blocks = len(left) if len(left) < EACH else EACH + (len(left) - EACH) * 8
            file_system.fill(free_blocks=blocks)
        file_system.empty()
        assert len(left) > EACH, "the writes of an up take more blocks than this"
        new = experiment.recovers(experiment.settled())
        for state in left:
            state.is_one_of(experiment.before, new)
        experiment.gives_back(new, new)
