"""Runs the whole ``__main__.py`` on Pulumi's mocks and keeps what it registered, resource options included."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import logging
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format  # type: ignore[import-untyped]
from pulumi.runtime import mocks, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import Stack

from auditlog.nodes.facts import Facts
from auditlog.proof.tasks import Task
from auditlog.proof.verdict import Failure, Proven
from auditlog.settings import SECRET_KEYS, Host
from components import change, cluster, declaration, kubernetes_provider, outcome, proof
from lab.paths import REPOSITORY
from tests.unit.plan.nodes import HOST_KEY

PROJECT, STACK = "kubernetes-audit", "test"
PRIVATE_KEY = "the private key"
ARRIVED = Proven("e1", "2026-01-01T00:00:00+00:00", "/var/log/audit.log", 0.02, 1.5)
_SECRET = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it; ``inputs`` with provider keys, secrets unwrapped."""

    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    secrets: frozenset[str]
    depends_on: frozenset[str]
    ignore_changes: tuple[str, ...]
    forgotten: bool
    aliases: tuple[str, ...]
    deleted_before_replaced: bool
    deletion_timeout: str


@dataclass
class Program:
    """What a run of the program left: registrations by name in their order, commands on the operator's machine, stack
    outputs, messages, and the nodes that were locked and released again."""

    resources: dict[str, Registration] = field(default_factory=dict)
    local_commands: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)


class _Mocks(mocks.Mocks):
    def __init__(self, program: Program) -> None:
        self._program = program

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        outputs = {"stdout": "done", "stderr": ""} if args.typ == "command:remote:Command" else {}
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        if args.token != "command:local:run":
            raise AssertionError(f"the program calls {args.token}")
        self._program.local_commands.append(args.args["command"])
        return {}, []


class _Recorder(mocks.MockMonitor):
    def __init__(self, program: Program, hooks: Mapping[str, Callable[[Any], None]]) -> None:
        super().__init__(_Mocks(program))
        self._program = program
        self._hooks = hooks

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:  # noqa: N802
        response: resource_pb2.RegisterResourceResponse = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if "create" not in request.ignoreChanges:
            # As the engine does, before the program has the outputs. A hook of a program that failed has nobody left.
            for note in filter(None, map(self._hooks.get, request.hooks.after_create)):
                note(None)
        if request.type != "pulumi:pulumi:Stack":
            written = json_format.MessageToDict(request.object)
            self._program.resources[request.name] = Registration(
                type=request.type,
                name=request.name,
                parent=request.parent.rsplit("::", 1)[-1],
                inputs={key: _plain(value) for key, value in written.items()},
                secrets=frozenset(key for key, value in written.items() if _SECRET in json.dumps(value)),
                depends_on=frozenset(urn.rsplit("::", 1)[-1] for urn in request.dependencies),
                ignore_changes=tuple(request.ignoreChanges),
                forgotten=request.retainOnDelete,
                aliases=tuple(alias.spec.name for alias in request.aliases),
                deleted_before_replaced=request.deleteBeforeReplace,
                deletion_timeout=request.customTimeouts.delete,
            )
        return response


class _Messages(logging.Handler):
    def __init__(self, program: Program) -> None:
        super().__init__(logging.INFO)
        self._program = program

    def emit(self, record: logging.LogRecord) -> None:
        self._program.messages.append(record.getMessage())


def stack_config(*names: str, **more: Any) -> dict[str, str]:
    """A stack's configuration as the engine hands it over; ``more`` are further keys, values as in the YAML file."""
    nodes = [
        {"name": name, "host": f"{name}.example.com", "hostKey": HOST_KEY, "user": "ops"} for name in names or ("cp1",)
    ]
    values = {"nodes": nodes, "policy": {"preset": "low-write"}, **more}
    return {
        f"{PROJECT}:cluster": "test",
        f"{PROJECT}:sshPrivateKey": PRIVATE_KEY,
        **{f"{PROJECT}:{key}": json.dumps(value) for key, value in values.items()},
    }


def run_program(
    monkeypatch: pytest.MonkeyPatch,
    config: Mapping[str, str],
    facts: Mapping[str, Facts] | Exception,
    *,
    preview: bool = False,
    proven: Proven | Failure = ARRIVED,
    in_clear: frozenset[str] = frozenset(),
) -> Program:
    """Runs ``__main__.py`` with this configuration on nodes that answer with these facts, or with this error.

    ``proven`` is what becomes of the proof on each node. ``in_clear`` are secrets that the stack file does not keep
    encrypted.
    """
    secret = [f"{PROJECT}:{key}" for key in (*SECRET_KEYS, "loki", "webhook") if key not in in_clear]

    def declare() -> None:
        pulumi.runtime.set_all_config(dict(config), secret)
        try:
            runpy.run_path(str(REPOSITORY / "__main__.py"))
        finally:
            # The program keeps what it made from the collector, since it is about to end; these tests go on.
            gc.unfreeze()

    return run_declared(monkeypatch, declare, facts, preview=preview, proven=proven)


def run_declared(
    monkeypatch: pytest.MonkeyPatch,
    declare: Callable[[], None],
    facts: Mapping[str, Facts] | Exception,
    *,
    preview: bool = False,
    proven: Proven | Failure = ARRIVED,
) -> Program:
    """Runs a program that is a function, likewise."""
    program = Program()

    def answer(*_: object, **__: object) -> Mapping[str, Facts]:
        if isinstance(facts, Exception):
            raise facts
        return facts

    async def prove(tasks: Sequence[Task], *_: object) -> Mapping[str, Proven | Failure]:
        return {task.node.name: proven for task in tasks}

    # The process of the program ends with it; that of the tests does not.
    monkeypatch.setattr(outcome, "end_with_one_message", lambda: None)
    hooks: dict[str, Callable[[Any], None]] = {}

    class Hook(pulumi.ResourceHook):
        """One that is not registered: mocks have nobody who could call it."""

        def __init__(self, name: str, note: Callable[[Any], None], _: pulumi.ResourceHookOptions) -> None:
            self.name, self._registered = name, asyncio.ensure_future(asyncio.sleep(0))
            hooks[name] = note

    for module in (change, kubernetes_provider):
        monkeypatch.setattr(module, "ResourceHook", Hook)
    monkeypatch.setattr(cluster, "read_nodes", answer)
    monkeypatch.setattr(proof, "prove_nodes", prove)
    monkeypatch.setattr(declaration, "Declaration", functools.partial(_Locked, program))
    logger = logging.Logger("program")
    logger.addHandler(_Messages(program))
    with _runtime():
        recorder = _Recorder(program, hooks)
        pulumi.runtime.set_mocks(recorder.mocks, PROJECT, STACK, preview=preview, logger=logger, monitor=recorder)
        stack = settings.get_root_resource()
        assert isinstance(stack, Stack)
        pulumi.runtime.test(declare)()  # type: ignore[no-untyped-call]

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def read_outputs() -> pulumi.Output[Any]:
            return pulumi.Output.all(**stack.outputs).apply(program.outputs.update, run_with_unknowns=True)

        read_outputs()
    return program


@contextmanager
def _runtime() -> Iterator[None]:
    before = settings.SETTINGS
    try:
        yield
    finally:
        settings.configure(before)
        settings.ROOT.set(None)  # mocks keep the stack of an earlier program, with its outputs


class _Locked:
    """In place of the locks on nodes."""

    def __init__(self, program: Program, nodes: Sequence[Host], *_: object) -> None:
        self._program, self._nodes = program, nodes

    def release(self) -> None:
        self._program.locked += [node.name for node in self._nodes]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if _SECRET in value.values():
            return _plain(value["value"])
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
