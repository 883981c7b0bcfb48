"""A server of the lab beside its nodes, in separate network and PID namespaces, with an address on the bridge."""

from __future__ import annotations

import ipaddress
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import cgroups, network
from lab.errors import LabError
from lab.namespaces import holder, launch
from lab.paths import Paths
from lab.process import run
from lab.state import LabState, Member

_START_SECONDS = 60
# The server listens on every address of its namespace, so it must not come up before it has one.
_WITH_ADDRESS = (
    'until ip -4 -oneline address show dev eth0 2>/dev/null | grep -qF " $0/"; do sleep 0.05; done; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Service:
    """One server: where it is, what runs, and the path that answers 200 once it is ready."""

    member: Member
    port: int
    ready_path: str
    command: tuple[str | Path, ...]
    folder: Path
    """All that it writes; what it says is in ``server.log`` there."""

    @property
    def url(self) -> str:
        return f"http://{self.member.address}:{self.port}"

    @property
    def running(self) -> bool:
        return holder(self.member) is not None


def member(state: LabState, name: str, number: int) -> Member:
    """The namespaces of a server called ``name`` at address ``number`` of the lab's subnet."""
    address = str(ipaddress.ip_network(state.subnet)[number])
    return Member(name, address, f"lab{state.identity}{name}", f"/lab-{state.identity}-{name}")


def start(state: LabState, service: Service) -> None:
    """Start the server unless it runs, and wait until it is ready. ``LabError`` with its last lines when it is not."""
    pid = holder(service.member)
    log = service.folder / "server.log"
    if pid is None:
        words = ["sh", "-c", _WITH_ADDRESS, service.member.address, *service.command]
        pid = launch(service.member, (), words, log)
    network.ensure_link(state, service.member, pid)
    for node in state.nodes:
        # Pods answer from addresses of their own, which their nodes lead to.
        route = ["route", "replace", node.pod_subnet, "via", node.address]
        run(["nsenter", f"--target={pid}", "--net", "ip", *route])
    deadline = time.monotonic() + _START_SECONDS
    while not answers(f"{service.url}{service.ready_path}"):
        if time.monotonic() > deadline or not service.running:
            said = log.read_text(errors="replace").strip().splitlines()[-5:]
            raise LabError(f"{service.member.name} is not ready: {' / '.join(said) or 'it said nothing'}")
        time.sleep(0.2)


def end(member: Member) -> None:
    """Kill the server in these namespaces and take its link away; its files stay."""
    cgroups.end_all(member.cgroup)
    network.remove_link(member)


def record(paths: Paths, services: Sequence[Service]) -> None:
    """Write down what is about to be started, so that ``remove`` needs no guess."""
    paths.observability.mkdir(exist_ok=True)
    members = [asdict(each.member) for each in services]
    paths.observability_state.write_text(json.dumps(members, indent=2) + "\n")


def remove(paths: Paths) -> bool:
    """End what was recorded and delete its files; False when there is nothing. Needs no lab that is up."""
    if not paths.observability_state.exists():
        return False
    for each in json.loads(paths.observability_state.read_text()):
        end(Member(**each))
    shutil.rmtree(paths.observability)
    return True


def answers(url: str) -> bool:
    """Whether ``url``, in the lab, answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def describe(services: Sequence[Service]) -> list[str]:
    """A line for each server: where it is and whether it runs."""
    return [f"{each.member.name} {each.url}: {'running' if each.running else 'not running'}" for each in services]
