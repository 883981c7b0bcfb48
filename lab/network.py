"""The lab's bridge and each member's link to it."""

from __future__ import annotations

import ipaddress

from lab.process import run
from lab.state import LabState, Member


def ensure_bridge(state: LabState) -> None:
    """Make the bridge with the machine's address in the lab's subnet, if it is not there."""
    if not _exists(state.bridge):
        run(["ip", "link", "add", state.bridge, "type", "bridge"])
    prefix = ipaddress.ip_network(state.subnet).prefixlen
    run(["ip", "address", "replace", f"{state.bridge_address}/{prefix}", "dev", state.bridge])
    run(["ip", "link", "set", state.bridge, "up"])


def ensure_link(state: LabState, member: Member, pid: int) -> None:
    """Connect the network namespace of process ``pid`` to the bridge as ``eth0`` with the member's address.

    There is no route beyond the lab's subnet: nothing on a node can reach anything but the lab and this machine.
    """
    inside = ["nsenter", f"--target={pid}", "--net", "ip"]
    prefix = ipaddress.ip_network(state.subnet).prefixlen
    run([*inside, "link", "set", "lo", "up"])
    if run([*inside, "link", "show", "eth0"], check=False).returncode != 0:
        # A machine's end that is left without the other belongs to a start that was cut short.
        remove_link(member)
        pair = ["type", "veth", "peer", "name", "eth0", "netns", str(pid)]
        run(["ip", "link", "add", member.link, *pair])
    run(["ip", "link", "set", member.link, "master", state.bridge, "up"])
    run([*inside, "link", "set", "eth0", "up"])
    run([*inside, "address", "replace", f"{member.address}/{prefix}", "dev", "eth0"])


def remove_link(member: Member) -> None:
    if _exists(member.link):
        run(["ip", "link", "delete", member.link])


def remove_bridge(state: LabState) -> None:
    if _exists(state.bridge):
        run(["ip", "link", "delete", state.bridge])


def _exists(link: str) -> bool:
    return run(["ip", "link", "show", link], check=False).returncode == 0
