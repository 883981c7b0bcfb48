"""A stack of the real Pulumi engine, driven with programs written in the test."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi import automation
from pulumi.automation.events import EngineEvent
from pulumi.runtime._callbacks import _CallbackServicer

Program = Callable[[], None]

_PROJECT = "engine-test"
_STACK = "test"


@dataclass(frozen=True, slots=True)
class Step:
    """What the engine does to one resource. `diff` maps property paths to add, update, delete, …"""

    operation: str
    name: str
    diff: dict[str, str]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of the engine or of a provider; a `status` message is only shown while it is the latest one."""

    severity: str
    text: str
    status: bool


@dataclass(slots=True)
class Run:
    """A preview, update or destroy that has ended. `error` is what the CLI printed if it failed."""

    steps: list[Step] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    text: str = ""
    error: str | None = None

    def of(self, name: str) -> list[Step]:
        """The steps of the resources called `name`, in the order the engine took them."""
        return [step for step in self.steps if step.name == name]

    def messages(self, severity: str, *, status: bool = False) -> list[str]:
        """The texts of one kind of message, oldest first."""
        return [entry.text for entry in self.diagnostics if (entry.severity, entry.status) == (severity, status)]


class EngineStack:
    """One stack. Every run starts the CLI, which loads the provider plugins anew, as on a command line."""

    def __init__(self, work_directory: Path, environment: dict[str, str]) -> None:
        backend = Path(urlsplit(environment["PULUMI_BACKEND_URL"]).path)
        self._state_file = backend / ".pulumi" / "stacks" / _PROJECT / f"{_STACK}.json"
        self._work_directory, self._environment = work_directory, environment
        self._stack = automation.create_stack(
            _STACK,
            project_name=_PROJECT,
            program=_no_resources,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(work_directory),
                env_vars=environment,
                project_settings=automation.ProjectSettings(name=_PROJECT, runtime="python"),
            ),
        )

    def preview(self, program: Program, **more: Any) -> Run:
        """`pulumi preview --diff`; `text` is what it prints. `more` are further options of the Automation API."""
        return self._run(lambda **options: self._stack.preview(program=program, diff=True, **more, **options))

    def up(self, program: Program, **more: Any) -> Run:
        """`pulumi up --yes`."""
        return self._run(lambda **options: self._stack.up(program=program, **more, **options))

    def refresh(self, program: Program | None = None, **more: Any) -> Run:
        """`pulumi refresh --yes`; with a program, also `--run-program`."""
        return self._run(lambda **options: self._stack.refresh(**_running(program), **more, **options))

    def destroy(self, program: Program | None = None, **more: Any) -> Run:
        """`pulumi destroy --yes`; with a program, also `--run-program`."""
        return self._run(lambda **options: self._stack.destroy(**_running(program), **more, **options))

    def pulumi(self, *words: str, given: str = "", succeeds: bool = True) -> str:
        """`pulumi WORDS` on the stack: what it prints, both streams together."""
        result = subprocess.run(
            ["pulumi", *words, "--stack", _STACK, "--non-interactive", "--color", "never"],
            cwd=self._work_directory,
            env={**os.environ, **self._environment},
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert (result.returncode == 0) == succeeds, result.stdout
        return result.stdout

    def urn(self, name: str) -> str:
        """The URN of the custom resource called `name`."""
        urn: str = self.resources()[name]["urn"]
        return urn

    def resources(self) -> dict[str, dict[str, Any]]:
        """The stack's custom resources by name, as they stand in the state's file, secrets encrypted."""
        state = json.loads(self.state())
        return {
            resource["urn"].rsplit("::", 1)[1]: resource
            for resource in state["checkpoint"]["latest"].get("resources", [])
            if resource["custom"] and not resource["type"].startswith("pulumi:")
        }

    def state(self) -> str:
        """The text of the state's file."""
        return self._state_file.read_text()

    def outputs(self) -> dict[str, Any]:
        """`pulumi stack output`."""
        return {name: output.value for name, output in self._stack.outputs().items()}

    def _run(self, command: Callable[..., Any]) -> Run:
        run = Run()

        def record(event: EngineEvent) -> None:
            if event.resource_pre_event:
                metadata = event.resource_pre_event.metadata
                differences = metadata.detailed_diff or {}
                run.steps.append(
                    Step(
                        operation=metadata.op.value,
                        name=metadata.urn.rsplit("::", 1)[1],
                        diff={path: difference.diff_kind.value for path, difference in differences.items()},
                    )
                )
            if event.diagnostic_event:
                message = event.diagnostic_event
                run.diagnostics.append(Diagnostic(message.severity, message.message.strip(), bool(message.ephemeral)))

        printed: list[str] = []
        try:
            command(on_event=record, on_output=printed.append, color="never")
        except automation.CommandError as error:
            run.error = str(error)
            # The SDK keeps the server of a program's hooks, of an event loop that is over when the engine gave up, and
            # the next program of the process would fail when it stops that one too.
            _CallbackServicer._servicers.clear()
        run.text = "\n".join(printed)
        return run


def _running(program: Program | None) -> dict[str, Any]:
    return {"program": program, "run_program": True} if program else {}


def _no_resources() -> None:
    pulumi.export("resources", 0)
