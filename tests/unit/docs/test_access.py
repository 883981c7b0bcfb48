"""What docs/access.md says of credentials is what the workflows, the stack files and the lab's attempts have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from auditlog.stack_file.configuration import SECRET_STEPS
from tests.ci_jobs import gitlab_jobs
from tests.lab import reading_job
from tests.unit.docs.pages import ROOT
from tests.unit.stack_file.stack_files import SHIPPED

PAGE = (ROOT / "docs/access.md").read_text()
WRITING = {"sshPrivateKey", "kubeconfig"}
"""The secrets of a stack that change nodes or cluster."""

Jobs = Mapping[str, tuple[frozenset[str], frozenset[str]]]
"""By job: where it runs, and the secrets that it is given."""


def table(heading: str) -> list[list[str]]:
    """The rows of the page's table with this first column."""
    _, _, rest = PAGE.partition(f"| {heading} |")
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    assert rows
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def documented(system: str) -> Jobs:
    found: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
    for jobs, places, secrets in table("jobs"):
        if jobs.startswith(f"{system}: "):
            for job, workflow in re.findall(r"`([^`]+)`(?: of `([^`]+)`)?", jobs):
                given = frozenset(name.replace("…", "") for name in in_code(secrets))
                found[f"{workflow or job} {job}"] = (frozenset(in_code(places)), given)
    return found


def given_on_github() -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    for path in (ROOT / ".github/workflows").glob("*.yaml"):
        workflow = yaml.safe_load(path.read_text())
        for name, job in workflow["jobs"].items():
            if "runs-on" in job:
                where = job["runs-on"]
                held = {**workflow, "jobs": {name: job}}
                secrets = frozenset(re.findall(r"secrets\.(\w+)", str(held)))
                yield f"{path.stem} {name}", frozenset([where] if isinstance(where, str) else where), secrets


def given_in_woodpecker() -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    for path in (ROOT / ".woodpecker").glob("*.yaml"):
        workflow = yaml.safe_load(path.read_text())
        labels = frozenset(f"{name}: {value}" for name, value in workflow.get("labels", {}).items())
        secrets = frozenset(re.sub(r"\$\{\w+\}", "", name) for name in from_secrets(workflow))
        yield f"{path.stem} {path.stem}", labels, secrets


def given_on_gitlab() -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """What a job is given are the variables of its environment."""
    main = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())
    alone = {name: job for name, job in main.items() if isinstance(job, dict) and "script" in job}
    for name, job in {**alone, **gitlab_jobs("STACK")}.items():
        environment = job.get("environment", {}).get("name")
        given = frozenset([environment.replace("STACK", "")] if environment is not None else [])
        yield f"{name} {name}", frozenset(job.get("tags", ())), given


def from_secrets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == "from_secret":
                yield entry
            else:
                yield from from_secrets(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from from_secrets(entry)


@pytest.mark.parametrize(
    ("system", "jobs"), [("GitHub", given_on_github), ("GitLab", given_on_gitlab), ("Woodpecker", given_in_woodpecker)]
)
def test_each_job_runs_where_the_page_says_and_is_given_what_it_says(system: str, jobs: Any) -> None:
    given = {name: (where, secrets) for name, where, secrets in jobs()}
    assert documented(system) == given


@pytest.mark.parametrize("system", ["GitHub", "GitLab", "Woodpecker"])
def test_what_writes_is_given_where_no_preview_runs(system: str) -> None:
    writing = {where for where, secrets in documented(system).values() if any(map(writes, secrets))}
    assert len(writing) == 1
    assert [
        where for where, secrets in documented(system).values() if where in writing and not any(map(writes, secrets))
    ] == []


def writes(secret: str) -> bool:
    # The variables of a stack's own environment on GitLab, whose name is the stack's alone.
    return secret.lower() == "ssh_private_key" or secret.startswith("writing") or secret == ""


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.parent == ROOT], ids=lambda path: path.name)
def test_a_stack_file_that_is_an_example_holds_nothing_that_writes(path: Any) -> None:
    config = yaml.safe_load(path.read_text())["config"]
    keys = {key.removeprefix("kubernetes-audit:") for key in config}
    assert keys & WRITING == set()
    assert {"reading", "sshReadingPrivateKey", "kubeconfigFile"} <= keys


def test_every_secret_of_a_stack_is_in_the_table() -> None:
    named = {name for row in table("credential") for name in in_code(" ".join(row))}
    secrets = {".".join(steps) for steps in SECRET_STEPS} - WRITING
    assert secrets <= named


def test_the_page_counts_the_attempts() -> None:
    (count,) = re.findall(r"\[(\d+) attempts\]", PAGE)
    pulumi_and_logins = 3 + 2
    attempts = (reading_job.ON_THE_NODE, reading_job.IN_THE_CLUSTER, reading_job.TO_READ)
    assert int(count) == sum(map(len, attempts)) + pulumi_and_logins
