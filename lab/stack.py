"""A Pulumi stack of this project on the lab, driven through the real CLI as a person would."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from auditlog.settings.package_schema import NAME
from lab import node
from lab.environment import environment
from lab.errors import LabError
from lab.paths import REPOSITORY, Paths
from lab.state import LabState

CLUSTER = "lab"
"""What stacks on the lab call the cluster, which is the label `cluster` of its events."""


def configuration(state: LabState) -> dict[str, Any]:
    """What a stack on the lab is configured with, by the project's keys; the SSH key is a secret and set apart."""
    nodes = [
        {"name": each.name, "host": each.address, "user": node.OPERATOR, "hostKey": each.host_key}
        for each in state.nodes
    ]
    return {"cluster": CLUSTER, "nodes": nodes, "policy": {"preset": "low-write"}}


@dataclass(frozen=True, slots=True)
class PulumiStack:
    """One stack. Its configuration file is in ``folder``, so that nothing is written beside the project's own.

    The ``pulumi stack`` commands take no ``--config-file``; they run in ``folder``, which has a ``Pulumi.yaml`` of the
    project's name for them. ``always`` are settings, by the project's keys, that each of its configurations has.
    ``project`` is where the program is, ``python`` its Python environment, None for the one that runs now.
    """

    paths: Paths
    name: str
    folder: Path
    always: Mapping[str, Any] = field(default_factory=dict)
    project: Path = REPOSITORY
    python: Path | None = None

    @classmethod
    def prepare(cls, paths: Paths, state: LabState, name: str, always: Mapping[str, Any] | None = None) -> PulumiStack:
        """Makes the stack, or takes the one there is, with the lab's nodes, the lab's key and ``always``."""
        folder = paths.stacks / name
        stack = cls(paths, name, folder, always or {})
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": NAME, "runtime": "python"}))
        stack._pulumi_in(folder, "stack", "select", name, "--create")
        stack.configure(state, {})
        return stack

    @property
    def file(self) -> Path:
        return self.folder / f"Pulumi.{self.name}.yaml"

    def configure(self, state: LabState, settings: Mapping[str, Any]) -> None:
        """Writes the stack's configuration: the lab's own with ``always`` and ``settings`` over it. Secrets
        stay, encrypted."""
        kept = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        wanted = {**configuration(state), **self.always, **settings}
        config = {f"{NAME}:{key}": value for key, value in wanted.items()}
        for key, value in (kept.get("config") or {}).items():
            if isinstance(value, dict) and "secure" in value:
                config[key] = value
        self.file.write_text(yaml.safe_dump({**kept, "config": config}, sort_keys=False))
        if f"{NAME}:sshPrivateKey" not in config:
            self.set_secret("sshPrivateKey", self.paths.ssh_key.read_text())

    def set_secret(self, key: str, value: str) -> None:
        """Adds a secret to the configuration, ``webhook.token`` inside the setting webhook."""
        command = ["config", "set", "--secret", "--path", key, "--stack", self.name]
        self._pulumi_in(self.folder, *command, given=value)

    def command(self, *words: str) -> list[str]:
        """The words of a ``pulumi`` command on this stack; ``stack`` and ``cancel`` take no configuration file."""
        options = ["--stack", self.name, "--non-interactive"]
        if words[0] not in ("stack", "cancel"):
            options += ["--config-file", str(self.file)]
        return ["pulumi", *words, *options]

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs ``pulumi WORDS`` in the project and returns what it printed, both streams together."""
        result = subprocess.run(
            self.command(*words),
            cwd=self.project,
            env=environment(self.paths, self.python),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if check and result.returncode != 0:
            raise LabError(f"pulumi {' '.join(words)} ended with {result.returncode}:\n{result.stdout}")
        return result

    def remove(self) -> None:
        """Forgets the stack and its configuration, whatever resources it still holds and whoever was at work on it."""
        self.run("cancel", "--yes")
        self.run("stack", "rm", "--yes", "--force")
        shutil.rmtree(self.folder)

    def _pulumi_in(self, folder: Path, *words: str, given: str | None = None) -> None:
        result = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=folder,
            env=environment(self.paths),
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )
        if result.returncode != 0:
            raise LabError(f"pulumi {' '.join(words)} ended with {result.returncode}:\n{result.stderr}")
