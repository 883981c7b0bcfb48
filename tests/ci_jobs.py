"""What each CI system runs for one stack: the script of a job, and the variables that say where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lab.paths import REPOSITORY
from lab.workflows import gitlab_included

SYSTEMS = ("GitHub", "GitLab", "Woodpecker")
_SETUP = "make setup"
"""What every job begins with; where tests run, it is done."""


@dataclass(frozen=True, slots=True)
class Job:
    """The commands of one job for one stack, and the variables that the system sets beside credentials."""

    commands: tuple[str, ...]
    variables: Mapping[str, str]

    @property
    def script(self) -> str:
        """A shell script that ends at the first command that fails, as in all three systems."""
        return "\n".join(("set -eu", *(command for command in self.commands if command != _SETUP)))


def job_of(system: str, job: str, stack: str) -> Job:
    """The job ``preview``, ``drift``, ``ledger`` or ``deploy`` as this system runs it for the stack."""
    return {"GitHub": _github, "GitLab": _gitlab, "Woodpecker": _woodpecker}[system](job, stack)


def gitlab_jobs(stack: str) -> dict[str, Any]:
    """The jobs of .gitlab/stack.yml for the stack, by their names without it."""
    text = gitlab_included({"local": ".gitlab/stack.yml", "inputs": {"environment": stack, "stage": "1"}})
    pipeline = yaml.safe_load(text)
    return {name.removesuffix(f" {stack}"): each for name, each in pipeline.items() if name.endswith(f" {stack}")}


def _github(job: str, stack: str) -> Job:
    file, name = ("deploy-environment", "apply") if job == "deploy" else (job, job)
    workflow = yaml.safe_load((REPOSITORY / f".github/workflows/{file}.yaml").read_text())
    runs = [step["run"] for step in workflow["jobs"][name]["steps"] if "run" in step]
    # GitHub shows what is written to this file.
    return Job(tuple(runs), {"ENVIRONMENT": stack, "CI": "true", "GITHUB_STEP_SUMMARY": "/dev/null"})


def _gitlab(job: str, stack: str) -> Job:
    found = gitlab_jobs(stack)[job]
    return Job(tuple(found["script"]), {**found["variables"], "CI": "true", "GITLAB_CI": "true"})


def _woodpecker(job: str, stack: str) -> Job:
    workflow = yaml.safe_load((REPOSITORY / f".woodpecker/{job}.yaml").read_text())
    (step,) = workflow["steps"]
    target = {"CI_PIPELINE_DEPLOY_TARGET": stack} if job == "deploy" else {"ENVIRONMENT": stack}
    return Job(tuple(step["commands"]), {**target, "CI": "true"})
