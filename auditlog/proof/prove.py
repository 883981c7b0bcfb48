"""Makes the proof: the ledger's question about one event of each node, which the proof itself causes.

It runs on all nodes at once, with one SSH connection each.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from auditlog.errors import AuditlogError
from auditlog.events.event import Event
from auditlog.events.loki import DeniedError, LokiClient, LokiError
from auditlog.ledger.alloy import alloy_trouble
from auditlog.ledger.files import AnswerError, parse_alloy_state
from auditlog.ledger.judge import judge_lines
from auditlog.ledger.loki_reader import Entry, LokiReader
from auditlog.ledger.loki_route import query_url, service_of
from auditlog.ledger.marks import compare
from auditlog.ledger.run import Node
from auditlog.ledger.session import Session, logged_in, stack_loki
from auditlog.nodes.ssh import READ_SECONDS, Account, SshError, access_of
from auditlog.proof.event import decode_event, event_nanoseconds, mark_of, wrong_in_event, wrong_in_loki
from auditlog.proof.node_answer import LogAnswer, parse_log_answer
from auditlog.proof.tasks import MARKER, Task
from auditlog.proof.verdict import (
    SNIPPET_MISSING,
    Failure,
    Proven,
    not_as_it_should_be,
    not_in_log,
    not_in_loki,
    proven,
)
from auditlog.settings import AlloyMode, Host, LokiSettings, Settings

LOG_SECONDS = 20
"""How long an event may take to its own node's log: as long as a batch, if the API server writes in batches."""

_PAUSE = 0.3


class _StoppedError(AuditlogError):
    """One event stopped on its way. The message says where."""

    def __init__(self, message: str, *, expected: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(message, expected)


async def prove_nodes(tasks: Sequence[Task], settings: Settings, account: Account) -> Mapping[str, Proven | Failure]:
    """Makes a request on each node and finds its event in the log, and in Loki if the stack ships to it.

    Returns the results by the node's name. It changes only each node's note of its last proof. Errors of a node or of
    Loki are results, and not raised.
    """
    hosts = [task.node for task in tasks]
    try:
        async with (
            access_of(account) as keys,
            logged_in(settings, hosts, keys, seconds=READ_SECONDS) as session,
        ):
            nodes = {node.name: node for node in session.nodes}
            provers = [_Prover(task, settings, nodes[task.node.name]) for task in tasks if task.node.name in nodes]
            found = await asyncio.gather(*(each.prove_and_keep() for each in provers))
            proofs = dict(zip((each.node.name for each in provers), found, strict=True))
            failures = {name: Failure(problem) for name, problem in session.problems.items()}
            return {host.name: (proofs | failures)[host.name] for host in hosts}
    except SshError as error:
        return {host.name: Failure(str(error)) for host in hosts}


async def owe_proof(hosts: Sequence[Host], settings: Settings, account: Account) -> None:
    """Makes nodes note that their events go another way from now on, and that no proof has followed yet.

    The next proof removes the note. Raises SshError or AnswerError for the first node that fails.
    """
    async with access_of(account) as keys, logged_in(settings, hosts, keys, seconds=READ_SECONDS) as session:
        for name, problem in session.problems.items():
            raise SshError(f"{name}: {problem}")
        await asyncio.gather(*(node.reader.ask("owe-proof", {}) for node in session.nodes))


@dataclass(frozen=True, slots=True)
class _Prover:
    """Makes the proof on one node, over its SSH connection."""

    task: Task
    settings: Settings
    node: Node

    async def prove_and_keep(self) -> Proven | Failure:
        """Makes the proof. The node keeps a note of it, so that previews show the same outputs."""
        try:
            found = await self._prove()
            await self._ask("keep-proof", proof=json.dumps(found.outputs(), separators=(",", ":")))
        except AnswerError as error:
            return Failure(str(error))
        return found

    async def _prove(self) -> Proven | Failure:
        try:
            return await self._follow()
        except _StoppedError as stopped:
            return replace(stopped.failure, at=datetime.now(UTC).isoformat(timespec="seconds"))

    async def _follow(self) -> Proven:
        name = f"{MARKER}-{secrets.token_hex(6)}"
        loki = self.settings.loki if self.settings.ships else None
        answer = await self._ask_node(name, service_of(loki) if loki else "")
        event = self._event(answer, name)
        found = proven(event, answer, None)
        if loki is None:
            return found
        seconds = await self._wait_for_loki(loki, found, event, answer)
        return proven(event, answer, seconds)

    async def _ask_node(self, name: str, service: str) -> LogAnswer:
        task = self.task
        printed = await self._ask(
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

    async def _wait_for_loki(self, loki: LokiSettings, found: Proven, event: Event, answer: LogAnswer) -> float:
        """Waits until Loki has the event. Returns how many seconds that took."""
        began, seconds, problem = time.monotonic(), self.settings.proof.loki_seconds, ""
        while True:
            entries: tuple[Entry, ...] = ()
            try:
                async with stack_loki(loki, Session((self.node,), {}), [answer.service]) as way:
                    reader = LokiReader(LokiClient(way), self.settings.cluster)
                    entries = await self._wait_for_entries(reader, event, began + seconds)
                problem = ""
            except DeniedError as error:
                raise _StoppedError(not_in_loki(found, query_url(loki), seconds, str(error), "")) from error
            except LokiError as error:
                problem = str(error)
            if entries:
                if wrong := self._wrong(event, answer, entries):
                    raise _StoppedError(not_as_it_should_be(event, f"Loki ({query_url(loki)})", wrong))
                return time.monotonic() - began
            if time.monotonic() >= began + seconds:
                why = "" if problem else await self._why_not_shipped()
                raise _StoppedError(
                    not_in_loki(found, query_url(loki), seconds, problem, why),
                    expected=self.settings.alloy.mode is AlloyMode.SNIPPET and not problem,
                )
            await asyncio.sleep(_PAUSE)

    async def _wait_for_entries(self, reader: LokiReader, event: Event, deadline: float) -> tuple[Entry, ...]:
        """The entries that hold the event; empty if there are none in time."""
        second, moment = 1_000_000_000, event_nanoseconds(event)
        while True:
            found = await asyncio.to_thread(reader.shown, event.audit_id, moment - second, moment + second)
            entries = tuple(each for each in found if f'"stage":"{event.stage}"' in each.line)
            if entries or time.monotonic() >= deadline:
                return entries
            await asyncio.sleep(_PAUSE)

    def _wrong(self, event: Event, answer: LogAnswer, entries: Sequence[Entry]) -> tuple[str, ...]:
        """What is wrong in Loki, one clause each."""
        of_fields = [
            clause
            for entry in entries
            for clause in wrong_in_loki(event, self.settings.cluster, entry.labels, entry.nanoseconds)
        ]
        difference = compare([mark_of(event, answer.line or "")], (entry.mark for entry in entries))
        of_lines = [finding.sentence for finding in judge_lines(self.node.name, difference)]
        return tuple(dict.fromkeys([*of_fields, *of_lines]))

    async def _why_not_shipped(self) -> str:
        if self.settings.alloy.mode is AlloyMode.SNIPPET:
            return SNIPPET_MISSING
        namespace = self.settings.alloy.namespace
        state = parse_alloy_state(await self._ask("alloy-state", namespace=namespace))
        return alloy_trouble(state, self.task.hostname, namespace, "proof.lokiSeconds")

    async def _ask(self, command: str, **arguments: str) -> str:
        """What the node prints. Raises AnswerError if the command fails."""
        return await self.node.reader.ask(command, arguments)
