"""What the lab has made, or is about to make: ``.lab/state.json`` and its dataclasses.

Names are planned and written down before anything is created under them. So the file alone is enough to take down a lab
killed at any moment. Processes need no entry: they are found by the node's cgroup.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lab.errors import LabError

FORMAT = 1
_BALANCER = 10
_FIRST_NODE = 11
_MOST_NODES = 9
_SUBNETS = tuple(ipaddress.ip_network(f"10.197.{third}.0/24") for third in range(256))


@dataclass(frozen=True, slots=True)
class Member:
    """What has a network namespace of its own in the lab: a node, or the load balancer."""

    name: str
    """Host name, as ``cp1``; of a node the Kubernetes node name too."""
    address: str
    """IPv4 address in the lab's subnet."""
    link: str
    """Name of the machine's end of the member's veth pair."""
    cgroup: str
    """The member's cgroup below every hierarchy, as ``/lab-1a2b3c-cp1``; every process of the member is in it."""


@dataclass(frozen=True, slots=True)
class NodeState(Member):
    """One node; sshd (22) and the API server (6443) listen on its address."""

    pod_subnet: str
    host_key: str = ""
    """sshd's public key in authorized_keys format; "" until it is made."""
    initialised: bool = False
    """Whether kubeadm has finished on it."""


@dataclass(frozen=True, slots=True)
class LabState:
    """The whole lab."""

    identity: str
    """Six hex digits, different for each lab root; part of every name the lab gives."""
    kubernetes: str
    """Kubernetes minor, as ``1.36``."""
    version: str
    """Kubernetes version, as ``v1.36.3``."""
    subnet: str
    bridge: str
    bridge_address: str
    """The machine's own address in the subnet, to connect from; nothing listens on it."""
    endpoint: str
    """Where clients find the API, as ``https://10.197.0.11:6443``."""
    nodes: tuple[NodeState, ...]
    sysctls: dict[str, str]
    """Kernel settings of the machine that kubelet changes, as they were before."""
    balancer: Member | None = None
    """What the endpoint leads to in a lab planned with more than one node; a lab of one node has none."""
    format: int = FORMAT

    def node(self, name: str) -> NodeState:
        """The node called ``name``; ``LabError`` names the nodes there are."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"no node {name!r}; there is {', '.join(node.name for node in self.nodes)}")

    def with_node(self, changed: NodeState) -> LabState:
        """The same lab with the node of that name replaced."""
        return replace(self, nodes=tuple(changed if node.name == changed.name else node for node in self.nodes))

    def with_another_node(self) -> LabState:
        """The same lab with one more node planned. ``LabError`` when it has no load balancer, or no room."""
        if self.balancer is None:
            raise LabError("the lab has one node and no load balancer that another could join: up with --nodes 2")
        number = len(self.nodes) + 1
        if number > _MOST_NODES:
            raise LabError(f"the lab has {len(self.nodes)} nodes, which is as many as it can have")
        return replace(self, nodes=(*self.nodes, _node(self.identity, ipaddress.ip_network(self.subnet), number)))


def plan(
    root: Path, *, kubernetes: str, version: str, count: int, networks: Iterable[str], sysctls: dict[str, str]
) -> LabState:
    """The lab to make for ``root``: names from its path, the first free subnet of 10.197.0.0/16.

    ``networks`` are those the machine already routes, as ``10.0.0.0/8``.
    """
    identity = hashlib.sha256(str(root).encode()).hexdigest()[:6]
    taken = [ipaddress.ip_network(network, strict=False) for network in networks]
    taken = [network for network in taken if network.prefixlen > 0]
    subnet = next((free for free in _SUBNETS if not any(free.overlaps(network) for network in taken)), None)
    if subnet is None:
        raise LabError("every subnet of 10.197.0.0/16 is in use on this machine")
    if not 1 <= count <= _MOST_NODES:
        raise LabError(f"--nodes {count}: from 1 to {_MOST_NODES}")
    nodes = tuple(_node(identity, subnet, number) for number in range(1, count + 1))
    balancer = _balancer(identity, subnet) if count > 1 else None
    return LabState(
        identity=identity,
        kubernetes=kubernetes,
        version=version,
        subnet=str(subnet),
        bridge=f"lab{identity}",
        bridge_address=str(subnet[1]),
        endpoint=f"https://{(balancer or nodes[0]).address}:6443",
        nodes=nodes,
        sysctls=sysctls,
        balancer=balancer,
    )


def _node(identity: str, subnet: ipaddress.IPv4Network | ipaddress.IPv6Network, number: int) -> NodeState:
    name = f"cp{number}"
    return NodeState(
        name=name,
        address=str(subnet[_FIRST_NODE + number - 1]),
        link=_link(identity, name),
        cgroup=_cgroup(identity, name),
        pod_subnet=f"10.244.{number}.0/24",
    )


def _balancer(identity: str, subnet: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Member:
    return Member("lb", str(subnet[_BALANCER]), _link(identity, "lb"), _cgroup(identity, "lb"))


def _link(identity: str, name: str) -> str:
    return f"lab{identity}{name}"


def _cgroup(identity: str, name: str) -> str:
    return f"/lab-{identity}-{name}"


def save(path: Path, state: LabState) -> None:
    """Write the state by rename, so that a crash leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(state), indent=2) + "\n")
    fresh.replace(path)


def load(path: Path) -> LabState | None:
    """The recorded lab, or None when there is none. ``LabError`` when the file is of another version of the lab."""
    if not path.exists():
        return None
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        if raw.get("format") != FORMAT:
            raise LabError(f"{path}: format {raw.get('format')!r}, this lab reads {FORMAT}")
        nodes = tuple(NodeState(**node) for node in raw.pop("nodes"))
        balancer = raw.pop("balancer", None)
        return LabState(nodes=nodes, balancer=Member(**balancer) if balancer else None, **raw)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path} is not a state of this lab: {error}") from error
