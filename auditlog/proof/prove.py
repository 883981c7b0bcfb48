"""Makes the proof: on all nodes at once, one SSH connection each."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from auditlog.errors import AuditlogError
from auditlog.events.event import Event
from auditlog.events.logql import streams
from auditlog.events.loki import DeniedError, LokiClient, LokiError
from auditlog.nodes import node_scripts
from auditlog.nodes.ssh import (
    LOGIN_ERRORS,
    READ_SECONDS,
    Access,
    Account,
    Login,
    SshError,
    access_of,
    bastion_of,
    target_of,
)
from auditlog.nodes.ssh_library import asyncssh
from auditlog.proof.event import decode_event, event_nanoseconds, wrong_in_event, wrong_in_loki
from auditlog.proof.loki_route import access, query_url, service_of, through_node
from auditlog.proof.node_answer import AnswerError, LogAnswer, parse_alloy_state, parse_log_answer
from auditlog.proof.tasks import MARKER, Task
from auditlog.proof.verdict import (
    SNIPPET_MISSING,
    Failure,
    Proven,
    alloy_trouble,
    not_as_it_should_be,
    not_in_log,
    not_in_loki,
    proven,
)
from auditlog.settings import AlloyMode, LokiSettings, Settings

LOG_SECONDS = 20
"""How long an event may take to the log on its own node: a batch of an API server that gathers them, no longer."""

_PAUSE = 0.3


class _StoppedError(AuditlogError):
    """The way of one event ends here; the message says where."""

    def __init__(self, message: str, *, expected: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(message, expected)


async def prove_nodes(tasks: Sequence[Task], settings: Settings, account: Account) -> Mapping[str, Proven | Failure]:
    """Makes a request on each node and finds its event in the log, and in Loki where the stack ships to it.

    Gives what became of it by the node's name. It changes nothing but each node's note of its last proof, and raises
    nothing that a node or Loki does.
    """
    bastion = target_of(settings.bastion) if settings.bastion else None
    try:
        async with access_of(account) as keys, bastion_of(bastion, keys) as (tunnel, _):
            found = await asyncio.gather(*(_prove(task, settings, keys, tunnel) for task in tasks))
    except SshError as error:
        found = [Failure(str(error))] * len(tasks)
    return {task.node.name: result for task, result in zip(tasks, found, strict=True)}


async def _prove(
    task: Task, settings: Settings, keys: Access, tunnel: asyncssh.SSHClientConnection | None
) -> Proven | Failure:
    login = Login(target_of(task.node), keys)
    try:
        async with login.connect(tunnel) as connection:
            prover = _Prover(task, settings, connection)
            found = await prover.prove()
            await prover.keep(found)
            return found
    except AnswerError as error:
        return Failure(str(error))
    except LOGIN_ERRORS as error:
        return Failure(f"{login.address}: {login.reason(error)}")


@dataclass(frozen=True, slots=True)
class _Prover:
    """One node that is logged in to."""

    task: Task
    settings: Settings
    connection: asyncssh.SSHClientConnection

    async def prove(self) -> Proven | Failure:
        try:
            return await self._follow()
        except _StoppedError as stopped:
            return replace(stopped.failure, at=datetime.now(UTC).isoformat(timespec="seconds"))

    async def keep(self, found: Proven | Failure) -> None:
        """Leaves a note on the node, for previews to show the outputs as they are."""
        await self._run("keep-proof", proof=json.dumps(found.outputs(), separators=(",", ":")))

    async def _follow(self) -> Proven:
        name = f"{MARKER}-{secrets.token_hex(6)}"
        loki = self.settings.loki if self.settings.ships else None
        answer = await self._ask_node(name, service_of(loki) if loki else "")
        event = self._event(answer, name)
        found = proven(event, answer, None)
        if loki is None:
            return found
        return proven(event, answer, await self._wait_for_loki(loki, found, event, answer, name))

    async def _ask_node(self, name: str, service: str) -> LogAnswer:
        task = self.task
        printed = await self._run(
            "prove",
            endpoint=task.endpoint,
            log=task.log,
            verb=task.marker.verb,
            kind=task.marker.kind,
            namespace=task.marker.namespace,
            marker=name,
            seconds=str(LOG_SECONDS),
            **({"service": service} if service else {}),
        )
        return parse_log_answer(printed)

    def _event(self, answer: LogAnswer, name: str) -> Event:
        if answer.line is None:
            raise _StoppedError(not_in_log(answer, self.task.log, LOG_SECONDS))
        try:
            event = decode_event(answer.line)
        except ValueError as error:
            raise _StoppedError(f"the marker's line in {answer.path} is no event: {error}") from error
        wrong = tuple(wrong_in_event(event, self.task.marker, name))
        if wrong:
            raise _StoppedError(not_as_it_should_be(event, answer.path, wrong))
        return event

    async def _wait_for_loki(
        self, loki: LokiSettings, found: Proven, event: Event, answer: LogAnswer, name: str
    ) -> float:
        """Seconds from now until Loki had the event."""
        began, seconds, problem = time.monotonic(), self.settings.proof.loki_seconds, ""
        while True:
            try:
                way = (
                    through_node(loki, self.connection, answer.service)
                    if loki.query_through_nodes
                    else nullcontext(access(loki))
                )
                async with way as there:
                    entry = await self._wait_for_entry(LokiClient(there), event, name, began + seconds)
                problem = ""
            except DeniedError as error:
                raise _StoppedError(not_in_loki(found, query_url(loki), seconds, str(error), "")) from error
            except LokiError as error:
                entry, problem = None, str(error)
            if entry is not None:
                wrong = tuple(wrong_in_loki(event, self.settings.cluster, *entry))
                if wrong:
                    raise _StoppedError(not_as_it_should_be(event, f"Loki ({query_url(loki)})", wrong))
                return time.monotonic() - began
            if time.monotonic() >= began + seconds:
                why = "" if problem else await self._why_not_shipped()
                raise _StoppedError(
                    not_in_loki(found, query_url(loki), seconds, problem, why),
                    expected=self.settings.alloy.mode is AlloyMode.SNIPPET and not problem,
                )
            await asyncio.sleep(_PAUSE)

    async def _wait_for_entry(
        self, client: LokiClient, event: Event, name: str, deadline: float
    ) -> tuple[dict[str, str], int] | None:
        """Labels and time of the entry that holds the event."""
        second, moment = 1_000_000_000, event_nanoseconds(event)
        query = f"{streams(f'cluster={json.dumps(self.settings.cluster)}')} |= `{name}`"
        while True:
            found = await asyncio.to_thread(client.lines, query, moment - second, moment + second, 10)
            for stream in found:
                for nanoseconds, line in stream.values:
                    if event.audit_id in line and f'"stage":"{event.stage}"' in line:
                        return stream.stream, int(nanoseconds)
            if time.monotonic() >= deadline:
                return None
            await asyncio.sleep(_PAUSE)

    async def _why_not_shipped(self) -> str:
        if self.settings.alloy.mode is AlloyMode.SNIPPET:
            return SNIPPET_MISSING
        namespace = self.settings.alloy.namespace
        state = parse_alloy_state(await self._run("alloy-state", namespace=namespace))
        return alloy_trouble(state, self.task.hostname, namespace)

    async def _run(self, command: str, **arguments: str) -> str:
        """What the node prints. Raises AnswerError when the command fails."""
        line = node_scripts.sent_command(self.task.node.user, command, **arguments)
        result = await self.connection.run(line, input=node_scripts.bundle(), timeout=READ_SECONDS)
        if result.exit_status != 0:
            said = str(result.stderr or result.stdout or "").strip().splitlines()
            raise AnswerError(f"{command} ended with status {result.exit_status}: {said[-1] if said else 'no message'}")
        return str(result.stdout)
