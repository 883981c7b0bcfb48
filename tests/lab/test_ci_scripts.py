"""A policy change on its way through ``ci/preview`` and ``ci/deploy``, and what ``ci/drift`` says of a hand edit.

The tests are steps, in order.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from auditlog.events.history_text import read_kept
from auditlog.events.in_force import read_history
from auditlog.policy.validate import policy_as_read
from lab.api import Lab, Node
from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.ci_jobs import job_of
from tests.lab.test_access import without_key
from tests.lab.test_first_stack import MANIFEST, POLICY, hashes, process_ids


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``ci/preview`` leaves and ``ci/deploy`` takes."""
    return tmp_path_factory.mktemp("preview")


def run(stack: PulumiStack, script: str, artifacts: Path, **more: str) -> subprocess.CompletedProcess[str]:
    variables = environment(stack.paths) | {"STACK_FILE": str(stack.file)} | more
    command = [str(REPOSITORY / "ci" / script), stack.name, str(artifacts)]
    return subprocess.run(command, env=variables, text=True, capture_output=True, check=False)


def test_nothing_is_deployed_that_was_not_previewed(stack: PulumiStack, node: Node, artifacts: Path) -> None:
    before = hashes(node)
    refused = run(stack, "deploy", artifacts)
    assert refused.returncode == 2
    assert "digest is not there; allowed: what ci/preview ci-scripts wrote" in refused.stderr
    assert hashes(node) == before


def test_the_first_deployment_does_what_the_preview_said(stack: PulumiStack, node: Node, artifacts: Path) -> None:
    previewed = run(stack, "preview", artifacts)
    assert previewed.returncode == 0, previewed.stdout + previewed.stderr
    assert "| `cp1-manifest` | create |" in previewed.stdout
    deployed = run(stack, "deploy", artifacts)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert node.run(f"grep -c audit-policy-file {MANIFEST}").stdout.strip() == "1"


def test_without_a_change_there_is_no_drift(stack: PulumiStack, artifacts: Path) -> None:
    found = run(stack, "drift", artifacts)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "no changes" in found.stdout


def test_the_page_of_a_policy_change_says_what_it_means_and_shows_each_edit(
    lab: Lab, stack: PulumiStack, artifacts: Path
) -> None:
    stack.configure(lab.state, {"policy": {"preset": "standard"}})
    assert run(stack, "preview", artifacts).returncode == 0
    text = (artifacts / "summary.md").read_text()
    assert "| `cp1-manifest` | update |" in text
    assert "the policy" in text
    assert "```diff\n--- /etc/kubernetes/audit-policy.yaml" in text
    assert "PRIVATE KEY" not in (artifacts / "preview.json").read_text()


def test_a_deployment_is_refused_when_the_node_changed_after_the_preview(
    stack: PulumiStack, node: Node, artifacts: Path
) -> None:
    kept = node.run(f"cat {POLICY}").stdout
    node.run(f"echo '# by hand' >>{POLICY}")
    before, processes = hashes(node), process_ids(node)
    refused = run(stack, "deploy", artifacts)
    assert refused.returncode != 0
    assert "The plan is not the one that was previewed; nothing was changed." in refused.stdout + refused.stderr
    assert (hashes(node), process_ids(node)) == (before, processes)
    node.run(f"cat >{POLICY} <<'END'\n{kept}END\n")


def test_previewed_again_it_is_deployed_and_a_later_hand_edit_is_drift(
    stack: PulumiStack, node: Node, artifacts: Path
) -> None:
    assert run(stack, "preview", artifacts).returncode == 0
    deployed = run(stack, "deploy", artifacts)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert run(stack, "drift", artifacts).returncode == 0
    node.run(f"echo '# by hand' >>{POLICY}")
    found = run(stack, "drift", artifacts)
    assert found.returncode == 1
    assert f"the policy file {POLICY} was edited since this stack wrote it" in found.stdout
    assert "-# by hand" in found.stdout
    # The API server has not read the edit, and every run saw what it runs with.
    *_, running, since = read_history(read_kept(artifacts / "policies.json"), policy_as_read).of("cp1")
    assert (running.unknown, since.unknown) == ("", "nobody has looked since")
    assert running.start is not None
    assert running.end is not None
    assert running.end > running.start


def test_a_deployment_can_use_a_key_that_only_its_job_has(stack: PulumiStack, node: Node, artifacts: Path) -> None:
    assert run(stack, "preview", artifacts).returncode == 0
    without_key(stack)
    deployed = run(stack, "deploy", artifacts, SSH_PRIVATE_KEY=stack.paths.ssh_key.read_text())
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "# by hand" not in node.run(f"cat {POLICY}").stdout
    assert "PRIVATE KEY" not in stack.run("stack", "export", "--show-secrets").stdout


@pytest.mark.parametrize(
    "system",
    [
        "GitLab",
        pytest.param("GitHub", marks=pytest.mark.exhaustive),
        pytest.param("Woodpecker", marks=pytest.mark.exhaustive),
    ],
)
def test_a_change_goes_through_the_jobs_of_each_ci_system(
    lab: Lab, stack: PulumiStack, node: Node, system: str
) -> None:
    key = {"SSH_PRIVATE_KEY": stack.paths.ssh_key.read_text()}
    folder = REPOSITORY / "preview" / stack.name
    stack.configure(lab.state, {"policy": {"preset": "minimal" if system == "GitHub" else "secrets"}})
    before = hashes(node)
    try:
        previewed = as_system(stack, system, "preview")
        assert previewed.returncode == 0, previewed.stdout + previewed.stderr
        assert hashes(node) == before
        digest = {"PLAN_DIGEST": (folder / "digest").read_text()} if system == "Woodpecker" else {}
        if digest:
            shutil.rmtree(folder)
        deployed = as_system(stack, system, "deploy", **key, **digest)
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        assert hashes(node) != before
        found = as_system(stack, system, "drift")
        assert found.returncode == 0, found.stdout + found.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def as_system(stack: PulumiStack, system: str, name: str, **given: str) -> subprocess.CompletedProcess[str]:
    """Runs a job's commands with the variables that the CI system sets, and what this job is given."""
    job = job_of(system, name, stack.name)
    variables = environment(stack.paths) | {"STACK_FILE": str(stack.file)} | dict(job.variables) | given
    return subprocess.run(
        ["sh", "-c", job.script], cwd=REPOSITORY, env=variables, text=True, capture_output=True, check=False
    )
