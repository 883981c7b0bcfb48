"""The pipelines find their stacks, and call the same scripts in every CI system."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lab.paths import REPOSITORY
from lab.workflows import gitlab_child_pipeline
from tests.ci_jobs import SYSTEMS, gitlab_jobs, job_of

STACKS = {"dev", "staging", "prod"}


def stacks(repository: Path, *stage: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([repository / "ci/stacks", *stage], text=True, capture_output=True, check=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the script beside stack files of its own."""
    (tmp_path / "ci").mkdir()
    (tmp_path / "fleet").mkdir()
    shutil.copy(REPOSITORY / "ci/stacks", tmp_path / "ci/stacks")
    for name in ("eu-1", "eu-2", "us-1", "test"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    return tmp_path


def test_every_stack_file_is_a_stack(repository: Path) -> None:
    assert json.loads(stacks(repository).stdout) == ["eu-1", "eu-2", "test", "us-1"]
    assert json.loads(stacks(repository, "1").stdout) == ["eu-1", "eu-2", "test", "us-1"]
    assert json.loads(stacks(repository, "2").stdout) == []


def test_stages_are_lines_of_names_and_patterns(repository: Path) -> None:
    (repository / "fleet/stages").write_text("test\neu-2 us-*  # the small ones\n*\n")
    found = [json.loads(stacks(repository, stage).stdout) for stage in ("1", "2", "3")]
    assert found == [["test"], ["eu-2", "us-1"], ["eu-1"]]


@pytest.mark.parametrize("stages", ["test\neu-*\n", "test\n#\n#\n*\n"])
def test_a_stack_that_would_never_be_deployed_is_an_error(repository: Path, stages: str) -> None:
    (repository / "fleet/stages").write_text(stages)
    run = stacks(repository, "1")
    assert run.returncode != 0
    assert "of the first 3 lines of fleet/stages names" in run.stderr


def test_the_pipelines_of_this_repository_have_a_stage_for_each_stack() -> None:
    assert [json.loads(stacks(REPOSITORY, stage).stdout) for stage in "123"] == [["dev"], ["staging"], ["prod"]]
    includes = yaml.safe_load(gitlab_child_pipeline())["include"]
    assert [each["inputs"] for each in includes] == [
        {"environment": name, "stage": str(number)} for number, name in enumerate(("dev", "staging", "prod"), 1)
    ]


def test_woodpecker_which_cannot_find_them_names_every_stack() -> None:
    for name in ("preview", "drift", "ledger"):
        matrix = yaml.safe_load((REPOSITORY / f".woodpecker/{name}.yaml").read_text())["matrix"]
        assert set(matrix["ENVIRONMENT"]) == STACKS == set(json.loads(stacks(REPOSITORY).stdout))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("job", ["preview", "drift", "ledger", "deploy"])
def test_each_job_sets_up_and_calls_the_script_of_its_name(system: str, job: str) -> None:
    found = job_of(system, job, "prod")
    assert found.commands[0] == "make setup"
    assert any(command.startswith(f"ci/{job} ") for command in found.commands)
    assert "prod" in found.variables.values()


def test_on_gitlab_one_deployment_of_a_stack_runs_at_a_time_and_somebody_starts_it() -> None:
    deploy = gitlab_jobs("prod")["deploy"]
    assert deploy["resource_group"] == "prod"
    assert [(rule["when"], rule["allow_failure"]) for rule in deploy["rules"]] == [("manual", False)]
    assert deploy["environment"] == {"name": "prod"}


def test_on_gitlab_what_reads_runs_elsewhere_and_is_given_another_environments_variables() -> None:
    jobs = gitlab_jobs("prod")
    assert jobs["deploy"]["tags"] == ["changes-nodes"]
    for name in ("preview", "drift", "ledger"):
        assert jobs[name]["tags"] == ["reads-nodes"]
        assert jobs[name]["environment"] == {"name": "prod-preview", "action": "access"}
    assert "tags" not in jobs["comment"]
    assert jobs["comment"]["environment"]["name"] == "comments"


def test_on_gitlab_the_jobs_of_a_stack_are_told_what_a_child_pipeline_does_not_know() -> None:
    """Variables that the jobs of a stack decide by are handed down: they have no other way to them."""
    handed = yaml.safe_load((REPOSITORY / ".gitlab-ci.yml").read_text())["each-stack"]["variables"]
    asked = " ".join(rule["if"] for job in gitlab_jobs("prod").values() for rule in job["rules"])
    assert {word.strip("$") for word in asked.split() if word.startswith("$")} <= handed.keys()
    assert handed["MERGE_REQUEST_IID"] == "$CI_MERGE_REQUEST_IID"
