"""``ci/drift``: the preview decides, and what it saw of the policies is kept with the account that only reads."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import node as lab_node
from lab.paths import REPOSITORY

_PREVIEW = """#!/bin/sh
echo "preview $*" >>said
exit "$PREVIEW_ENDS"
"""
_PULUMI = """#!/bin/sh
[ "$1 $2" = "config get" ] || exit 9
cat "secrets/$3"
"""
_PYTHON = """#!/bin/sh
echo "$*, keys: $(ssh-add -l 2>/dev/null | cut -d ' ' -f 3 | tr '\\n' ' ')${KUBECONFIG_TEXT:-}" >>said
case $* in
*policy-history*) exit "$HISTORY_ENDS" ;;
*) exit "$SUMMARY_ENDS" ;;
esac
"""


@dataclass(frozen=True)
class Run:
    """How the script ended, and what it started."""

    code: int
    errors: str
    started: list[str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The script with fakes for what it calls: each writes down what it was given."""
    for folder in ("ci", ".venv/bin", "bin", "secrets"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("drift", "credentials"):
        shutil.copy(REPOSITORY / "ci" / name, tmp_path / "ci" / name)
    scripts = {"ci/preview": _PREVIEW, "bin/pulumi": _PULUMI, ".venv/bin/python": _PYTHON}
    for place, text in scripts.items():
        (tmp_path / place).write_text(text)
        (tmp_path / place).chmod(0o755)
    return tmp_path


def secret(repository: Path, name: str, comment: str) -> None:
    lab_node.make_key(repository / "key", comment)
    (repository / "key").rename(repository / "secrets" / name)


def drift(repository: Path, preview: int = 0, history: int = 0, summary: int = 0, **more: str) -> Run:
    ends = {**more, "PREVIEW_ENDS": str(preview), "HISTORY_ENDS": str(history), "SUMMARY_ENDS": str(summary)}
    given = {"KUBECONFIG_TEXT": "the kubeconfig", "SSH_PRIVATE_KEY": "the job's own"}
    environment = {**os.environ, **ends, **given, "PATH": f"{repository}/bin:{os.environ['PATH']}"}
    environment.pop("SSH_AUTH_SOCK", None)
    ran = subprocess.run(
        [repository / "ci/drift", "prod"], env=environment, text=True, capture_output=True, check=False
    )
    return Run(ran.returncode, ran.stderr, (repository / "said").read_text().splitlines())


def test_what_was_seen_is_kept_with_the_key_that_only_reads(repository: Path) -> None:
    secret(repository, "sshReadingPrivateKey", "reads")
    secret(repository, "sshPrivateKey", "writes")
    found = drift(repository, summary=1)
    assert found.code == 1
    assert found.started == [
        "preview prod preview/prod",
        "-m auditlog policy-history --stack prod --reading --keep preview/prod/policies.json, keys: reads ",
        "-m auditlog summary --expect-no-changes --expect-budget --environment prod preview/prod/preview.json, keys: ",
    ]


def test_without_an_account_that_reads_the_stacks_own_key_is_used(repository: Path) -> None:
    secret(repository, "sshPrivateKey", "writes")
    assert "keys: writes " in drift(repository).started[1]


def test_without_any_key_the_agent_is_left_as_it_is(repository: Path) -> None:
    found = drift(repository)
    assert found.code == 0
    assert found.started[1].endswith("policies.json, keys: ")


def test_it_is_kept_where_the_job_says(repository: Path) -> None:
    assert "--keep /kept/prod.json, keys" in drift(repository, POLICY_HISTORY="/kept/prod.json").started[1]


def test_what_cannot_be_kept_is_said_and_decides_nothing(repository: Path) -> None:
    for summary in (0, 1):
        found = drift(repository, history=2, summary=summary)
        assert found.code == summary
        assert "ci/drift: preview/prod/policies.json has nothing of this run" in found.errors


def test_a_preview_that_fails_is_no_drift_and_keeps_what_it_can(repository: Path) -> None:
    found = drift(repository, preview=1)
    assert found.code == 2
    assert [each.split(",")[0].split()[:3] for each in found.started][1:] == [["-m", "auditlog", "policy-history"]]
