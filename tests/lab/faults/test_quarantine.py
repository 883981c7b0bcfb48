"""A change that is cut off while a stray manifest is out of kubelet's way: it comes back, or the next run goes on."""

from __future__ import annotations

import pytest

from lab.api import Lab
from tests.lab.faults.experiment import STATE, Experiment, Observed
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import BOTH_KILLED, POWER_CUT, SSH_KILLED, WORKER_KILLED, Interruption
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import before
from tests.lab.faults.test_interruptions import QUICK
from tests.lab.test_first_stack import ARCHIVE, MANIFEST

STRAY = f"{MANIFEST}.bak"


def observed(experiment: Experiment, path: str) -> str:
    """Mode, owner, date and content of a file; nothing where there is none."""
    return experiment.node.run(
        f"stat -c '%a %u:%g %Y' {path} 2>/dev/null && cat {path} | sha256sum", check=False
    ).stdout


@pytest.mark.parametrize(
    "interruption",
    [
        WORKER_KILLED,
        *(pytest.param(other, marks=pytest.mark.exhaustive) for other in (POWER_CUT, BOTH_KILLED, SSH_KILLED)),
    ],
    ids=str,
)
def test_cut_off_while_a_stray_manifest_is_aside(
    running_lab: Lab, baseline: Observed, interruption: Interruption
) -> None:
    """kubelet does not run it, which takes less time: it is half-written."""
    settings = {**QUICK, "quarantineStrayManifests": True}
    with Experiment.begin(running_lab, "faults-quarantine", baseline, settings) as experiment:
        copy = "/etc/kubernetes/copy"
        experiment.node.run(f"head -c 2000 {MANIFEST} >{copy} && chmod 640 {copy} && mv {copy} {STRAY}")
        stray = observed(experiment, STRAY)
        moment = before("swap")
        with halted(experiment.node, moment.rename, moment.side) as halt, operation(experiment.stack, "up") as up:
            halt.wait(up)
            assert observed(experiment, STRAY) == ""
            assert observed(experiment, f"{STATE}/strays/*") == stray
            interruption.happens(experiment, halt, up)
            experiment.settled()
        is_back = interruption is WORKER_KILLED
        assert observed(experiment, STRAY) == (stray if is_back else "")
        if interruption is not SSH_KILLED:
            preview = experiment.completes("preview")
            assert "an earlier change of the node was cut off and is to be finished" in preview
            assert ("and is moved to the archive" in preview) == is_back
        experiment.completes("up")
        experiment.stack.run("preview", "--expect-no-changes")
        assert observed(experiment, STRAY) == ""
        assert observed(experiment, f"{ARCHIVE}/stray-manifests/*/*") == stray
        experiment.completes("destroy")
        experiment.nothing_happened()
