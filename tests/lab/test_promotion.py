"""One change of the policy on its way from dev over staging to prod: the same commit, previewed and deployed on each.

Every environment is a cluster of its own, prod of three nodes; each is there only while it is its turn. What the
stack files of the three say of log and restart is what they have here. The tests are steps, in order.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from auditlog.manifest.desired import sha256
from auditlog.policy.presets import preset_text
from auditlog.settings.package_schema import NAME
from auditlog.stack_file.read import read_stack_file
from lab.api import Lab
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.lab.own_lab import OwnLab
from tests.lab.test_ci_scripts import run
from tests.lab.test_first_stack import POLICY, hashes

# A lab of three nodes is made on the way, and everything that ci/check checks is checked.
pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(3600)]

NODES = {"dev": 1, "staging": 1, "prod": 3}
ENVIRONMENTS = tuple(NODES)
_RULE = """\
  - level: Request
    verbs: ["create", "update"]
    resources:
      - group: apps
        resources: ["deployments"]
"""


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy as the commit has it: what is deployed already, and a rule in front."""
    file = tmp_path_factory.mktemp("commit") / "policy.yaml"
    before, rules, after = preset_text("low-write").partition("\nrules:\n")
    assert rules
    file.write_text(before + rules + _RULE + after)
    return file


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By environment: what its ``ci/preview`` leaves for its ``ci/deploy``."""
    return {name: tmp_path_factory.mktemp(name) for name in ENVIRONMENTS}


@pytest.fixture(scope="module")
def commit() -> str:
    return head()


def head() -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()


def of_environment(name: str) -> dict[str, Any]:
    """What its stack file says of log and restart; the rest needs servers of its own."""
    values = read_stack_file(REPOSITORY / f"Pulumi.{name}.yaml", NAME).values
    kept = ("auditLog", "restart", "acceptLostEvents", "healthTimeoutSeconds")
    return {key: values[key] for key in kept if key in values}


@contextmanager
def cluster(name: str) -> Iterator[tuple[Lab, PulumiStack]]:
    """The environment's control plane with the policy that is deployed before the change; gone afterwards."""
    own = OwnLab(f"promotion-{name}")
    own.up("--nodes", str(NODES[name]))
    try:
        lab = Lab.load(own.paths)
        stack = PulumiStack.prepare(lab.paths, lab.state, name, of_environment(name))
        stack.run("up", "--yes", "--skip-preview")
        yield lab, stack
    finally:
        own.command("down")


def test_the_commit_passes_its_checks(commit: str, tmp_path: Path) -> None:
    checked = subprocess.run(
        [REPOSITORY / "ci" / "check", tmp_path],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout[-4000:]
    assert len(list((tmp_path / "policies").glob("*.sarif"))) == len(list((REPOSITORY / "policies").glob("*.yaml")))
    assert head() == commit


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_it_is_deployed_as_it_was_previewed(name: str, change: Path, commit: str, artifacts: dict[str, Path]) -> None:
    with cluster(name) as (lab, stack):
        stack.configure(lab.state, {"policy": {"file": str(change)}})
        previewed = run(stack, "preview", artifacts[name])
        assert previewed.returncode == 0, previewed.stdout + previewed.stderr
        for node in lab.nodes:
            assert f"| `{node.name}-manifest` | update |" in previewed.stdout
        decision = "decision: everyone: create, update of deployments: Request from now on (was Metadata)"
        assert decision in previewed.stdout

        _another_environments_preview_is_refused(name, lab, stack, artifacts)

        deployed = run(stack, "deploy", artifacts[name])
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert {node.sha256(POLICY) for node in lab.nodes} == {sha256(change.read_text())}
        assert run(stack, "drift", artifacts[name]).returncode == 0
    assert head() == commit


def _another_environments_preview_is_refused(
    name: str, lab: Lab, stack: PulumiStack, artifacts: dict[str, Path]
) -> None:
    for earlier in ENVIRONMENTS[: ENVIRONMENTS.index(name)]:
        before = [hashes(node) for node in lab.nodes]
        refused = run(stack, "deploy", artifacts[earlier])
        assert refused.returncode != 0
        assert "The plan is not the one that was previewed; nothing was changed." in refused.stdout + refused.stderr
        assert [hashes(node) for node in lab.nodes] == before
