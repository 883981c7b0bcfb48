"""What only the stack's file shows, and when that file is the one that the run is configured by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditlog.stack_file.own_file import file_of_run

PROJECT = "kubernetes-audit"
FILE = """\
config:
  cluster: prod
  aws:region: eu-west-1
  kubernetes-audit:healthTimeoutSeconds: '600'
  kubernetes-audit:policy:
    preset: minimal
    omitStages: [RequestReceived]
  kubernetes-audit:loki:
    password:
      secure: v1:AAAA
  kubernetes-audit:sshPrivateKey:
    secure: v1:BBBB
policy: {}
"""
GIVEN = {
    "kubernetes-audit:cluster": "prod",
    "aws:region": "eu-west-1",
    "kubernetes-audit:healthTimeoutSeconds": "600",
    "kubernetes-audit:policy": json.dumps({"preset": "minimal", "omitStages": ["RequestReceived"]}),
    "kubernetes-audit:loki": json.dumps({"password": "decrypted"}),
    "kubernetes-audit:sshPrivateKey": "decrypted",
    "kubernetes-audit:bastion": "{}",
}
"""What the engine makes of it: secrets decrypted, and the defaults of Pulumi.yaml."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The stack's file."""
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(FILE)
    return file


def test_a_file_that_says_what_was_given_is_the_runs_own(path: Path) -> None:
    file = file_of_run(path, PROJECT, GIVEN)
    assert file is not None
    (mistake,) = file.mistakes
    assert str(mistake).startswith("policy: is not a key of a stack file; ")


@pytest.mark.parametrize(
    "other",
    [
        {"kubernetes-audit:cluster": "staging"},
        {"kubernetes-audit:healthTimeoutSeconds": "300"},
        {"kubernetes-audit:policy": json.dumps({"preset": "minimal", "omitStages": ["Panic"]})},
        {"kubernetes-audit:policy": json.dumps({"preset": "minimal", "omitStages": []})},
        {"kubernetes-audit:policy": "no mapping"},
        {"kubernetes-audit:loki": json.dumps({"password": "decrypted", "url": "https://loki.example.com"})},
    ],
)
def test_a_file_that_says_something_else_is_not(path: Path, other: dict[str, str]) -> None:
    assert file_of_run(path, PROJECT, GIVEN | other) is None


@pytest.mark.parametrize("key", ["aws:region", "kubernetes-audit:sshPrivateKey", "kubernetes-audit:cluster"])
def test_a_file_that_says_more_is_not(path: Path, key: str) -> None:
    assert file_of_run(path, PROJECT, {name: value for name, value in GIVEN.items() if name != key}) is None


def test_a_file_that_is_not_there_or_cannot_be_read_is_not(path: Path) -> None:
    path.write_text("config: [\n")
    assert file_of_run(path, PROJECT, GIVEN) is None
    path.unlink()
    assert file_of_run(path, PROJECT, GIVEN) is None
