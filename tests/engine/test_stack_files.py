"""Stack files under the real CLI: it hands over what `stack_file` reads, and a mistake ends a preview."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.settings.check import check_stack_file
from lab.paths import REPOSITORY
from tests.unit.settings.stack_files import PROJECT, as_engine

NODES = """\
  kubernetes-audit:nodes:
    - name: cp1
      host: 127.0.0.1
      port: 9
      hostKey: ssh-ed25519 AAAA
"""
FORMS = """\
  cluster: 1.50
  kubernetes-audit:liveRead: off
  enabled: True
  kubernetes-audit:healthTimeoutSeconds: '600'
  kubernetes-audit:rehearsal: 'false'
  auditLog:
    format: json
    truncate: off
    batch: {maxWait: 5s, throttle: {qps: 2.5, burst: 0x10}}
  kubernetes-audit:alerts:
    disable: [on, no, ~, 'x']
  kubernetes:context: other
"""
PROGRAM = """\
import json, os, pathlib
from pulumi.runtime.config import CONFIG
pathlib.Path(os.environ["GIVEN"]).write_text(json.dumps(CONFIG.get()))
"""


@pytest.fixture
def stack(tmp_path: Path, engine_environment: dict[str, str]) -> Path:
    """The file of a new stack, with what its passphrase needs, in the folder of a project with this one's settings."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text()) | {"runtime": "python"}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    (folder / "__main__.py").write_text(PROGRAM)
    assert pulumi(folder, engine_environment, "stack", "init", "test").returncode == 0
    return folder / "Pulumi.test.yaml"


def pulumi(folder: Path, environment: dict[str, str], *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["pulumi", *words, "--non-interactive", "--color", "never"],
        cwd=folder,
        env={**os.environ, **environment, "PATH": path, "GIVEN": str(folder / "given.json")},
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def test_the_engine_hands_over_what_is_read_from_the_file(stack: Path, engine_environment: dict[str, str]) -> None:
    text = f"{stack.read_text()}config:\n{NODES}{FORMS}"
    stack.write_text(text)
    run = pulumi(stack.parent, engine_environment, "preview")
    given: dict[str, str] = json.loads((stack.parent / "given.json").read_text())
    expected, _ = as_engine(text)
    assert {key: meaning(given[key]) for key in expected} == {key: meaning(value) for key, value in expected.items()}, (
        run.stdout
    )
    assert given["kubernetes:context"] == "other"


def meaning(written: str) -> Any:
    """Texts of JSON that say the same are the same."""
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        return written


def test_a_mistake_ends_a_preview_with_the_words_of_the_check(stack: Path, engine_environment: dict[str, str]) -> None:
    wrong = "  kubernetes-audit:auditLog:\n    mode: blocking\n    batch:\n      maxSize: 5\n"
    stack.write_text(f"{stack.read_text()}config:\n  kubernetes-audit:cluster: test\n{NODES}{wrong}")
    key = pulumi(stack.parent, engine_environment, "config", "set", "--secret", "sshPrivateKey", given="a key")
    assert key.returncode == 0, key.stdout
    (mistake,) = check_stack_file(stack.name, stack.read_text(), PROJECT, stack.parent).mistakes
    run = pulumi(
        REPOSITORY,
        engine_environment,
        "preview",
        "--stack",
        "organization/kubernetes-audit/test",
        "--config-file",
        str(stack),
    )
    assert run.returncode != 0
    assert mistake.message == "auditLog.batch: is given with mode blocking; allowed: only with mode batch"
    assert f"The configuration is wrong; no node was contacted.\n    {mistake.message}" in run.stdout
