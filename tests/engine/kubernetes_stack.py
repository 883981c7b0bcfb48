"""A stack of the real Pulumi engine with one Kubernetes provider, for tests of what that provider does.

The program is a function of this process (Automation API inline program); the engine, the plugin and the API server
are real.
"""

from __future__ import annotations

import contextlib
import gc
import json
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import automation
from pulumi.automation import EngineEvent

_PROJECT = "kubernetes-provider"

Declare = Callable[[pulumi.ResourceOptions], None]


@dataclass(slots=True)
class Run:
    """What the engine reported of one operation, by the names of the resources."""

    operations: dict[str, list[str]] = field(default_factory=dict)
    """The engine's steps on a resource in their order: same, create, update, delete-replaced, replace, …"""
    differences: dict[str, dict[str, str]] = field(default_factory=dict)
    """Property paths of the detailed diff, with their kind: add, update, delete-replace, …"""
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The outputs after the operation; in a preview what is known of them."""
    messages: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """The program's exports after an ``up``."""

    def record(self, event: EngineEvent) -> None:
        if event.diagnostic_event is not None and event.diagnostic_event.severity != "debug":
            self.messages.append(event.diagnostic_event.message)
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            name = step.urn.rpartition("::")[2]
            self.operations.setdefault(name, []).append(step.op.value)
            for path, difference in (step.detailed_diff or {}).items():
                self.differences.setdefault(name, {})[path] = difference.diff_kind.value
        if event.res_outputs_event is not None:
            step = event.res_outputs_event.metadata
            if step.new is not None:
                self.properties[step.urn.rpartition("::")[2]] = dict(step.new.outputs or {})

    def text(self) -> str:
        return "\n".join(self.messages)


class Stack:
    """A stack of its own, with state, home and passphrase as ``environment`` gives them.

    ``folder`` is the work folder. Operations raise ``automation.CommandError``, whose text holds the engine's output.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        folder.mkdir()
        backend = Path(urlsplit(environment["PULUMI_BACKEND_URL"]).path)
        self._state_file = backend / ".pulumi" / "stacks" / _PROJECT / "test.json"
        self._stack = automation.create_stack(
            stack_name="test",
            project_name=_PROJECT,
            program=lambda: None,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(folder),
                env_vars=dict(environment),
            ),
        )

    def set_environment(self, **variables: str) -> None:
        """Environment variables for the operations that follow."""
        workspace = self._stack.workspace
        workspace.env_vars = {**workspace.env_vars, **variables}

    def preview(self, program: Callable[[], None]) -> Run:
        run = Run()
        with _without_leaks():
            self._stack.preview(program=program, on_event=run.record)
        return run

    def up(self, program: Callable[[], None]) -> Run:
        run = Run()
        with _without_leaks():
            result = self._stack.up(program=program, on_event=run.record)
        run.outputs = {name: output.value for name, output in result.outputs.items()}
        return run

    def refresh(self) -> Run:
        run = Run()
        self._stack.refresh(on_event=run.record)
        return run

    def destroy(self) -> Run:
        run = Run()
        self._stack.destroy(on_event=run.record)
        return run

    def forget(self) -> None:
        """Takes everything out of the state; what is in the cluster stays."""
        exported = self._stack.export_stack()
        empty = {**(exported.deployment or {}), "resources": []}
        self._stack.import_stack(automation.Deployment(exported.version, empty))

    def state(self, name: str) -> dict[str, Any] | None:
        """The resource as the state file holds it, secrets encrypted, or None."""
        deployment = json.loads(self._state_file.read_text())["checkpoint"]["latest"] or {}
        for resource in deployment.get("resources", []):
            if resource["urn"].endswith(f"::{name}"):
                return dict(resource)
        return None

    def live(self, name: str) -> dict[str, Any]:
        """The outputs that the state holds of a resource that must be there."""
        resource = self.state(name)
        assert resource is not None, f"{name} is not in the state"
        return dict(resource["outputs"])


@contextlib.contextmanager
def _without_leaks() -> Iterator[None]:
    """Collect what the Automation API leaves of a program that failed: its event loop, never closed."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def program(declare: Declare, kubeconfig: pulumi.Input[str], **options: Any) -> Callable[[], None]:
    """A program that declares a provider named ``cluster`` and, with it, what ``declare`` does.

    ``options`` are the arguments of the provider, as the Python SDK names them.
    """

    def run() -> None:
        provider = kubernetes.Provider("cluster", kubeconfig=kubeconfig, **options)
        declare(pulumi.ResourceOptions(provider=provider))

    return run


def unique(prefix: str) -> str:
    """A name for an object outside namespaces, which all tests of a run share."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"
