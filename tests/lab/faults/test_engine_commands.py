"""The engine's commands that delete, on a real kubelet: what the program declares is never taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.api import Lab
from lab.stack import configuration
from tests.earlier_version import earlier_version
from tests.lab.faults.experiment import Experiment, Observed
from tests.lab.faults.test_interruptions import QUICK
from tests.lab.test_first_stack import MANIFEST

OFF = "as it was before audit logging"


def urn(experiment: Experiment, name: str) -> str:
    """The URN of the stack's resource of this name."""
    resources = json.loads(experiment.stack.run("stack", "export").stdout)["deployment"]["resources"]
    (found,) = [each["urn"] for each in resources if each["urn"].endswith(f"::{name}")]
    return str(found)


def call_it(experiment: Experiment, name: str, **more: object) -> None:
    """The stack file has the node under this name."""
    nodes = [{**node, "name": name} for node in configuration(experiment.lab.state)["nodes"]]
    experiment.stack.configure(experiment.lab.state, {"nodes": nodes, **more})


def is_audited(experiment: Experiment) -> bool:
    return "--audit-log-path=" in experiment.node.run(f"cat {MANIFEST}").stdout


@pytest.fixture
def experiment(running_lab: Lab, baseline: Observed) -> Iterator[Experiment]:
    """With the restart that takes the least time: which one it is makes no difference here."""
    with Experiment.begin(running_lab, "faults-engine", baseline, QUICK) as experiment:
        yield experiment


def test_a_replacement_leaves_audit_logging_on(experiment: Experiment) -> None:
    experiment.completes("up")
    running, new = experiment.process(), experiment.settled()
    urns = [urn(experiment, name) for name in ("cp1-manifest", "cluster-configuration")]
    replaced = experiment.stack.run("up", "--yes", "--skip-preview", "--replace", urns[0], "--replace", urns[1]).stdout
    assert "kept, because the program that runs now declares it" in replaced
    assert "+-2 replaced" in replaced
    assert experiment.settled() == new
    assert experiment.process() == running, "nothing restarted"
    experiment.stack.run("preview", "--expect-no-changes")
    experiment.gives_back(new, new)


def test_a_stack_of_an_earlier_version_renamed_changed_and_replaced(
    running_lab: Lab,
    experiment: Experiment,
    tmp_path: Path,
) -> None:
    before = replace(experiment.stack, project=earlier_version(tmp_path / "earlier"))
    before.run("up", "--yes", "--skip-preview")
    running, new = experiment.process(), experiment.settled()
    assert "record only: the node notes that this stack calls it" in experiment.completes("preview")

    (node,) = running_lab.nodes
    call_it(experiment, "master-1")
    printed = experiment.completes("up")
    assert (
        f"this machine is the node '{node.name}' of its cluster, and nodes calls it 'master-1'"
        in experiment.completes("preview")
    )
    assert OFF not in printed
    assert experiment.settled() == new
    assert experiment.process() == running, "a rename restarts nothing"

    call_it(experiment, "master-1", policy={"preset": "minimal"})
    experiment.completes("up")
    changed = experiment.settled()
    assert is_audited(experiment)
    assert changed.policy != new.policy

    running = experiment.process()
    experiment.stack.run("up", "--yes", "--skip-preview", "--replace", urn(experiment, "master-1-manifest"))
    assert experiment.process() == running
    experiment.gives_back(changed, changed)


def test_a_name_that_only_an_earlier_versions_state_knows(experiment: Experiment, tmp_path: Path) -> None:
    """The engine deletes under the old name what it has just made under the new one; the node keeps it."""
    before = replace(experiment.stack, project=earlier_version(tmp_path / "earlier"))
    call_it(experiment, "a-free-name")
    before.run("up", "--yes", "--skip-preview")
    running, new = experiment.process(), experiment.settled()
    call_it(experiment, experiment.node.name)
    printed = experiment.completes("up")
    assert f"manifest: kept for the entry {experiment.node.name}" in printed
    assert "policy: kept for the stack" in printed
    assert "node scripts: kept for the stack" in printed
    assert experiment.settled() == new
    assert experiment.process() == running
    experiment.stack.run("preview", "--expect-no-changes")
    experiment.gives_back(new, new)
