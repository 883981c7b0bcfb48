"""An earlier version of the program over a node and a state that this one has written: read or refused, not damaged."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.api import Lab
from tests.earlier_version import earlier_version
from tests.lab.faults.experiment import STATE, Experiment, Observed
from tests.lab.faults.halt import halted
from tests.lab.faults.interruptions import POWER_CUT
from tests.lab.faults.operation import operation
from tests.lab.faults.steps import after

pytestmark = pytest.mark.exhaustive

# The module where the earlier version has it.
_PARSE = "import sys; from auditlog.apiserver.facts import parse_facts; parse_facts(sys.stdin.read())"
_POLICY = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
_RECORDS = f"cd {STATE} && find . -type f ! -name lock ! -name declared -exec sha256sum {{}} + | sort"


@pytest.fixture
def experiment(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    """Both versions have the same policy: a preset's text may differ, and that is a change of the policy."""
    settings = {"policy": {"base64": base64.b64encode(_POLICY).decode()}}
    with Experiment.begin(running_lab, "downgrade", baseline, settings) as experiment:
        yield experiment


def test_it_reads_what_is_there_and_keeps_it(experiment: Experiment, tmp_path: Path) -> None:
    experiment.completes("up")
    new, records = experiment.settled(), experiment.node.run(_RECORDS).stdout
    process = experiment.process()
    earlier = replace(experiment.stack, project=earlier_version(tmp_path / "earlier"))
    preview = earlier.run("preview", "--diff", check=False)
    print(preview.stdout)
    assert preview.returncode == 0
    assert (experiment.settled(), experiment.node.run(_RECORDS).stdout) == (new, records)
    applied = earlier.run("up", "--yes", "--skip-preview", check=False)
    print(applied.stdout)
    assert experiment.settled() == new
    assert experiment.process() == process, "nothing was restarted"
    experiment.completes("up")
    experiment.stack.run("preview", "--expect-no-changes")
    experiment.gives_back(new, new)


def test_its_destroy_gives_back_what_was_there(experiment: Experiment, tmp_path: Path) -> None:
    experiment.completes("up")
    earlier = replace(experiment, stack=replace(experiment.stack, project=earlier_version(tmp_path / "earlier")))
    earlier.gives_back(experiment.settled(), experiment.settled())


def test_a_reading_account_with_todays_script_is_refused(experiment: Experiment, tmp_path: Path) -> None:
    experiment.completes("up")
    told = experiment.node.run(f"{STATE}/facts").stdout
    folder = earlier_version(tmp_path / "earlier")
    read = subprocess.run(
        [sys.executable, "-c", _PARSE], cwd=folder, input=told, capture_output=True, text=True, check=False
    )
    assert read.stderr.splitlines()[-1].endswith("unknown fact 'cluster'")


def test_a_change_of_todays_that_was_cut_off_is_finished_by_it(experiment: Experiment, tmp_path: Path) -> None:
    earlier = replace(experiment, stack=replace(experiment.stack, project=earlier_version(tmp_path / "earlier")))
    at = after("old-gone")
    with halted(experiment.node, at.rename, at.side) as halt, operation(experiment.stack, "up") as running:
        halt.wait(running)
        POWER_CUT.happens(experiment, halt, running)
    new = earlier.recovers(experiment.settled())
    experiment.completes("up")
    experiment.gives_back(new, new)
