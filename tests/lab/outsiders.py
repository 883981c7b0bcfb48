"""Who talks to nodes from outside them: a prober who is let in and measures, and a stranger who tries every port."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import pairwise

from auditlog.nodes import second_api_server
from lab.api import Lab, Node
from lab.process import run

API_PORT = 6443
PORTS = (API_PORT, *second_api_server.PORTS)
"""The API server's port, and those that a canary may take."""
STRANGER = "192.0.2.77"
"""An address of RFC 5737 that no firewall of these tests lets in."""
PAUSE = 0.1


@dataclass(slots=True)
class Seen:
    """What an outsider saw of one node, by the monotonic clock in seconds."""

    answers: list[tuple[float, bool]] = field(default_factory=list)
    """When ``/readyz`` was asked for and whether the answer was ``ok``, of the prober."""
    tried: int = 0
    reached: list[str] = field(default_factory=list)
    """The ports to which the stranger got a connection, with the time of day."""

    @property
    def outage_seconds(self) -> float:
        """From the first question without an answer to the next answer, all gaps together, as the product counts."""
        total, since = 0.0, None
        for at, answered in self.answers:
            if not answered and since is None:
                since = at
            elif answered and since is not None:
                total, since = total + at - since, None
        return total + (self.answers[-1][0] - since if since is not None else 0.0)

    def agrees(self, outage_seconds: float) -> bool:
        """Whether a node's ``outageSeconds`` is this to a second, and to what a busy machine held up two questions."""
        times = [at for at, _ in self.answers]
        held_up = max((later - sooner for sooner, later in pairwise(times)), default=0.0)
        return abs(outage_seconds - self.outage_seconds) < 1 + 2 * held_up


@contextmanager
def firewall(nodes: Sequence[Node], allowed: Sequence[str]) -> Iterator[None]:
    """On each of ``nodes`` only the addresses ``allowed`` may connect to the API's port, beside the node itself."""
    rules = [f"-s {address} -j ACCEPT" for address in allowed] + ["-j DROP"]
    with ExitStack() as undo:
        for node in nodes:
            for rule in rules:
                text = f"INPUT ! -i lo -p tcp --dport {API_PORT} {rule}"
                node.run(f"iptables -w -A {text}")
                undo.callback(node.run, f"iptables -w -D {text}")
        yield


@contextmanager
def outsiders(lab: Lab, nodes: Sequence[Node]) -> Iterator[dict[str, Seen]]:
    """A prober with the machine's own address in the lab, and a stranger, at work on ``nodes``; what they saw, by name.

    The nodes know the way back to the stranger: only a firewall can keep it out.
    """
    bridge = lab.state.bridge
    seen = {node.name: Seen() for node in nodes}
    with ExitStack() as undo:
        run(["ip", "address", "replace", f"{STRANGER}/32", "dev", bridge])
        undo.callback(run, ["ip", "address", "delete", f"{STRANGER}/32", "dev", bridge])
        for node in nodes:
            node.run(f"ip route replace {STRANGER}/32 dev eth0")
            undo.callback(node.run, f"ip route delete {STRANGER}/32 dev eth0")
        with ExitStack() as work:
            for node in nodes:
                work.enter_context(probing(node.address, API_PORT, seen[node.name]))
                for port in PORTS:
                    work.enter_context(_repeated(_try, node.address, port, seen[node.name]))
            yield seen


@contextmanager
def probing(address: str, port: int, seen: Seen) -> Iterator[None]:
    """A prober at work there; ``seen`` is what it saw."""
    with _repeated(_probe, address, port, seen):
        yield


@contextmanager
def _repeated(question: Callable[[str, int, Seen], None], address: str, port: int, seen: Seen) -> Iterator[None]:
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(PAUSE):
            question(address, port, seen)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def connects(address: str, port: int, source: str = "", seconds: float = 3) -> bool:
    """Whether a client with this source address, or the machine's own, gets a connection."""
    try:
        with socket.create_connection((address, port), timeout=seconds, source_address=(source, 0)):
            return True
    except OSError:
        return False


def _probe(address: str, port: int, seen: Seen) -> None:
    # Who answers does not matter, only whether.
    context = ssl._create_unverified_context()  # noqa: S323
    connection = http.client.HTTPSConnection(address, port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        answered = connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        answered = False
    finally:
        connection.close()
    seen.answers.append((time.monotonic(), answered))


def _try(address: str, port: int, seen: Seen) -> None:
    if connects(address, port, STRANGER, 0.3):
        seen.reached.append(f"{port} at {time.strftime('%H:%M:%S')}")
    seen.tried += 1
