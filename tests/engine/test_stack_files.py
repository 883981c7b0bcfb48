"""Stack files under the real CLI: it hands over what `stack_file` reads, and a mistake ends a preview."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.stack_file.check import check_stack_file
from lab.paths import REPOSITORY
from tests.unit.certificates import KEY
from tests.unit.stack_file.stack_files import BROKEN, POLICIES, PROJECT, as_engine, message_of

NODES = """\
  kubernetes-audit:nodes:
    - name: cp1
      host: 127.0.0.1
      port: 9
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh
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


THE_PROJECTS = f"""\
import runpy, sys
sys.path.insert(0, {str(REPOSITORY)!r})
runpy.run_path({str(REPOSITORY / "__main__.py")!r}, run_name="__main__")
"""
"""The project's own program, from a folder with a stack file of the test's."""


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


WRONG = {
    "auditLog.batch: is given with mode blocking; allowed: only with mode batch": (
        "  kubernetes-audit:auditLog:\n    mode: blocking\n    batch:\n      maxSize: 5\n"
    ),
    "kubernetes_audit:policy: has the namespace 'kubernetes_audit', did you mean 'kubernetes-audit:policy'; "
    "allowed: kubernetes-audit for the settings of this project": "  kubernetes_audit:policy:\n    preset: minimal\n",
    "healthTimeoutSeconds: is not a key of a stack file; allowed: config, environment, secretsprovider, encryptedkey, "
    "encryptionsalt": "healthTimeoutSeconds: 600\n",
}
"""A kind of mistake each: in a value, in a namespace, in the form of the file."""


@pytest.fixture
def wrong_stack(stack: Path, engine_environment: dict[str, str], request: pytest.FixtureRequest) -> Path:
    """The file of a stack that is right but for these lines, beside a program that runs this project's."""
    stack.write_text(f"{stack.read_text()}config:\n  kubernetes-audit:cluster: test\n{NODES}")
    key = pulumi(stack.parent, engine_environment, "config", "set", "--secret", "sshPrivateKey", given="0123456789")
    assert key.returncode == 0, key.stdout
    stack.write_text(stack.read_text() + request.param)
    (stack.parent / "__main__.py").write_text(THE_PROJECTS)
    return stack


@pytest.mark.parametrize(("message", "wrong_stack"), WRONG.items(), indirect=["wrong_stack"])
@pytest.mark.parametrize("words", [("preview",), ("up", "--yes", "--skip-preview")], ids=["preview", "up"])
def test_a_mistake_ends_a_run_with_the_words_of_the_check_and_one_message(
    wrong_stack: Path, engine_environment: dict[str, str], message: str, words: tuple[str, ...]
) -> None:
    (mistake,) = check_stack_file(wrong_stack.name, wrong_stack.read_text(), PROJECT, wrong_stack.parent).mistakes
    assert mistake.message == message
    run = pulumi(wrong_stack.parent, engine_environment, *words)
    assert run.returncode != 0
    diagnostics = run.stdout.partition("Diagnostics:")[2]
    assert f"error: The configuration is wrong; no node was contacted.\n    {message}\n" in diagnostics
    assert diagnostics.count("error:") == 1
    assert "unhandled" not in run.stdout


OF_EACH_KIND = (
    "a_host_with_its_user",
    "a_key_of_the_policy_misspelt",
    "a_key_with_and_without_the_namespace",
    "a_policy_file_with_a_mistake",
    "a_reader_without_a_key",
    "a_webhook_token_in_clear",
    "loki_without_a_kubeconfig",
)
"""Some of the wrong files of the unit tests, each of another part of the check."""


@pytest.mark.parametrize("path", [path for path in BROKEN if path.stem in OF_EACH_KIND], ids=lambda path: path.stem)
def test_a_mistake_of_each_kind_ends_a_preview(stack: Path, engine_environment: dict[str, str], path: Path) -> None:
    head = stack.read_text()
    (stack.parent / "__main__.py").write_text(THE_PROJECTS)
    shutil.copytree(POLICIES, stack.parent, dirs_exist_ok=True)
    key = pulumi(stack.parent, engine_environment, "config", "set", "--secret", "sshPrivateKey", given=KEY)
    assert key.returncode == 0, key.stdout
    encrypted = yaml.safe_load(stack.read_text())["config"][f"{PROJECT}:sshPrivateKey"]["secure"]
    stack.write_text(head + re.sub(r"v1:AAAA:\w+", encrypted, path.read_text()))
    run = pulumi(stack.parent, engine_environment, "preview")
    assert run.returncode != 0
    assert f"\n    {message_of(path)}\n" in run.stdout
    assert run.stdout.count("error: ") == 2, "on the line of the stack, and below Diagnostics"


@pytest.mark.parametrize("wrong_stack", [WRONG[message] for message in WRONG if "namespace" in message], indirect=True)
def test_a_configuration_from_elsewhere_is_read_the_same_way(
    wrong_stack: Path, engine_environment: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = wrong_stack.rename(tmp_path / "elsewhere.yaml")
    run = pulumi(wrong_stack.parent, engine_environment, "preview", "--stack", "test", "--config-file", str(elsewhere))
    assert run.returncode != 0
    assert "did you mean 'kubernetes-audit:policy'" in run.stdout


@pytest.mark.parametrize("wrong_stack", [WRONG[message] for message in WRONG if "stack file" in message], indirect=True)
def test_the_stacks_own_file_says_nothing_of_a_configuration_from_elsewhere(
    wrong_stack: Path, engine_environment: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(
        wrong_stack.read_text().partition("healthTimeout")[0].replace("cluster: test", "cluster: east")
    )
    run = pulumi(wrong_stack.parent, engine_environment, "preview", "--stack", "test", "--config-file", str(elsewhere))
    assert "is not a key of a stack file" not in run.stdout
    assert "Nodes cannot be read; nothing was changed." in run.stdout
    assert run.stdout.partition("Diagnostics:")[2].count("error:") == 1


THE_SETTINGS = f"""\
import json, os, pathlib, sys
sys.path.insert(0, {str(REPOSITORY)!r})
from components.configuration import read_configuration
from components.outcome import stop_on_mistake
@stop_on_mistake
def main():
    settings = read_configuration().settings
    found = [settings.health_timeout, settings.restart.mode, settings.policy.preset, settings.alerts.disable]
    pathlib.Path(os.environ["GIVEN"]).write_text(json.dumps([*found, settings.enabled]))
main()
"""
"""A program that writes down what it makes of the configuration."""
SHARED = {
    "defaults": "config:\n  healthTimeoutSeconds: 600\n  restart: drain\n  enabled: false\n  policy: {preset: cis}\n",
    "small": "config:\n  policy: {preset: low-write}\n  alerts: {disable: [mass-deletion]}\n",
}


@pytest.fixture
def fleet_stack(stack: Path, engine_environment: dict[str, str]) -> Path:
    """The file of a stack that shares settings, and sets two of them to what is the default of Pulumi.yaml."""
    (stack.parent / "fleet").mkdir()
    for name, text in SHARED.items():
        (stack.parent / "fleet" / f"{name}.yaml").write_text(text)
    own = "  fleet: [small]\n  kubernetes-audit:restart: seamless\n  enabled: true\n"
    stack.write_text(f"{stack.read_text()}config:\n  kubernetes-audit:cluster: test\n{NODES}{own}")
    key = pulumi(stack.parent, engine_environment, "config", "set", "--secret", "sshPrivateKey", given="0123456789")
    assert key.returncode == 0, key.stdout
    (stack.parent / "__main__.py").write_text(THE_SETTINGS)
    return stack


def test_a_stack_has_what_it_shares_below_what_it_sets_itself(
    fleet_stack: Path, engine_environment: dict[str, str]
) -> None:
    run = pulumi(fleet_stack.parent, engine_environment, "preview")
    assert run.returncode == 0, run.stdout
    found = json.loads((fleet_stack.parent / "given.json").read_text())
    assert found == [600, "seamless", "low-write", ["mass-deletion"], True]
    assert check_stack_file("Pulumi.test.yaml", fleet_stack.read_text(), PROJECT, fleet_stack.parent).mistakes == ()


def test_what_a_file_of_another_name_sets_itself_is_not_guessed(
    fleet_stack: Path, engine_environment: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = fleet_stack.rename(tmp_path / "elsewhere.yaml")
    words = ("preview", "--stack", "test", "--config-file", str(elsewhere))
    run = pulumi(fleet_stack.parent, engine_environment, *words)
    assert run.returncode != 0
    assert "enabled: is False in a shared file, and whether the stack file sets True cannot be known" in run.stdout
    (fleet_stack.parent / "fleet" / "defaults.yaml").write_text("config:\n  healthTimeoutSeconds: 600\n")
    run = pulumi(fleet_stack.parent, engine_environment, *words)
    assert "healthTimeoutSeconds: is 600 in a shared file" in run.stdout
    (fleet_stack.parent / "fleet" / "defaults.yaml").unlink()
    assert pulumi(fleet_stack.parent, engine_environment, *words).returncode == 0
