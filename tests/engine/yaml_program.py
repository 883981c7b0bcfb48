"""The YAML program of the guide: another program that has a cluster audited by this project's package."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.unit.docs.pages import ROOT, blocks

GUIDE = ROOT / "docs" / "guides" / "from-another-program.md"
STACK = "test"
CLUSTER = "production"
"""What the guide calls its component and its cluster."""


@dataclass(frozen=True, slots=True)
class YamlProgram:
    """The program in a folder of its own, with a stack of its own."""

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def of_guide(
        cls, folder: Path, environment: Mapping[str, str], node: Mapping[str, Any], private_key: str
    ) -> YamlProgram:
        """The guide's program with ``node`` in place of its node; the package comes from the installed plugins."""
        (block,) = [each for each in blocks(GUIDE) if each.language == "yaml"]
        program = yaml.safe_load(block.text)
        del program["packages"]
        program["resources"][CLUSTER]["properties"]["nodes"] = [dict(node)]
        folder.mkdir()
        made = cls(folder, environment)
        made.write(program)
        made.pulumi("stack", "init", STACK)
        made.pulumi("config", "set", "--secret", "sshPrivateKey", given=private_key)
        return made

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.folder / "Pulumi.yaml").read_text())
        return found

    def write(self, program: Mapping[str, Any]) -> None:
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(program, sort_keys=False))

    def set(self, **arguments: Any) -> None:
        """Changes arguments of the component; None takes one away."""
        program = self.read()
        properties = program["resources"][CLUSTER]["properties"]
        properties.update(arguments)
        for name in [name for name, value in properties.items() if value is None]:
            del properties[name]
        self.write(program)

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Runs ``pulumi WORDS``; both streams together."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{self.environment['PATH']}"
        return subprocess.run(
            ["pulumi", *words, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PATH": path},
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def pulumi(self, *words: str, given: str = "") -> str:
        """The same of a command that has to succeed: what it printed."""
        result = self.run(*words, given=given)
        assert result.returncode == 0, result.stdout
        return result.stdout
