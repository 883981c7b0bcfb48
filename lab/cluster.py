"""Brings the lab up and takes it down. Every step looks at what is there first, so each command can be run again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab import access, balancer, cgroups, host, members, network, node, snapshot, tools
from lab.errors import LabError
from lab.lock import exclusive
from lab.namespaces import holder
from lab.observability import service as observability
from lab.paths import Paths
from lab.process import run
from lab.state import LabState, NodeState, load, plan, save

# Kernel settings that kubelet sets for the whole machine when it starts.
_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# A node uses about twenty inotify instances, and many kernels allow root 128 in all. Left raised by `down`, since
# another lab may rely on it.
_INOTIFY_INSTANCES = 1024
# Of the whole machine, as the subnets are that labs choose from.
_SUBNETS = Path("/run/kubernetes-audit-lab-subnets.lock")
_START_SECONDS = 300


def up(paths: Paths, *, nodes: int, minor: str, before_kubeadm: Callable[[LabState], None] | None = None) -> LabState:
    """Make the lab and wait until its API answers and its nodes are Ready.

    A running lab is left as it is. A lab that was cut short before kubeadm had finished starts from nothing. One that
    had finished starts with the cluster it had, as after a reboot. ``before_kubeadm`` is called before each machine
    becomes a member.
    """
    state = load(paths.state)
    if state and (len(state.nodes), state.kubernetes) != (nodes, minor):
        raise LabError(
            f"the lab is up with {len(state.nodes)} node(s) of Kubernetes {state.kubernetes}: python -m lab down first"
        )
    if state and not all(each.initialised for each in state.nodes):
        print("the last up or join did not finish: starting from nothing", flush=True)
        _remove(paths, state)
        state = None
    if state is None:
        # Its bridge is what another lab that starts at this moment sees of the subnet.
        with exclusive(_SUBNETS, "another lab to choose its subnet"):
            state = _plan(paths, nodes, minor)
            save(paths.state, state)
            network.ensure_bridge(state)
    return _ensure(paths, state, before_kubeadm)


def join(paths: Paths, before_kubeadm: Callable[[LabState], None] | None = None) -> LabState:
    """Add one more control-plane node to a running lab that has a load balancer, by ``kubeadm join``.

    ``before_kubeadm`` is called when the new machine runs and is no member yet. ``LabError`` when the lab has no load
    balancer, is not up, or kubeadm fails; the next ``up`` then starts from nothing.
    """
    state = load(paths.state)
    if state is None or not all(each.initialised for each in state.nodes):
        raise LabError("there is no lab that a node could join: python -m lab up --nodes 2")
    state = state.with_another_node()
    save(paths.state, state)
    for each in state.nodes[:-1]:
        node.write_hosts(paths.node(each.name) / "etc/hosts", state)
    return _ensure(paths, state, before_kubeadm)


def _ensure(paths: Paths, state: LabState, before_kubeadm: Callable[[LabState], None] | None = None) -> LabState:
    _allow_inotify_instances()
    network.ensure_bridge(state)
    if state.balancer:
        balancer.ensure(paths, state, state.balancer)
    state = members.ensure(paths, state, before_kubeadm)
    wait_ready(paths, state)
    snapshot.keep(paths, state.nodes)
    return state


def down(paths: Paths) -> bool:
    """Remove what ``up`` made and nothing else, also after a crash; built tools stay. False when there is no lab."""
    state = load(paths.state)
    if state is None:
        return False
    _remove(paths, state)
    return True


def wait_ready(paths: Paths, state: LabState, timeout: float = _START_SECONDS) -> None:
    """Wait until every API server, and the endpoint, says it is live and ready and every node is Ready.

    ``LabError`` names what is not.
    """
    deadline = time.monotonic() + timeout
    for server in dict.fromkeys((*(_server(each) for each in state.nodes), state.endpoint)):
        for path in ("/livez", "/readyz"):
            _wait(deadline, f"{server}{path}", partial(_answers_ok, paths, state, server, path))
    for each in state.nodes:
        _wait(deadline, f"node {each.name} Ready", partial(_is_ready, paths, state, each))
    # The role that people get is put together by the controller manager, some seconds after the API server is ready.
    _wait(deadline, f"the rights of {access.PERSON}", partial(_may_edit, paths, state))


def kubectl(paths: Paths, state: LabState, *arguments: str, user: str = access.ADMIN, check: bool = True) -> str:
    """Run kubectl on the machine as ``admin`` or a person of the lab; gives what it printed."""
    kubeconfig = paths.kubeconfig if user == access.ADMIN else paths.user_kubeconfig(user)
    program = paths.kubernetes_bin(state.kubernetes) / "kubectl"
    return run([program, f"--kubeconfig={kubeconfig}", "--request-timeout=10s", *arguments], check=check).stdout


def _server(each: NodeState) -> str:
    return f"https://{each.address}:6443"


def _answers_ok(paths: Paths, state: LabState, server: str, path: str) -> bool:
    return kubectl(paths, state, f"--server={server}", "get", "--raw", path, check=False) == "ok"


def _may_edit(paths: Paths, state: LabState) -> bool:
    answer = kubectl(paths, state, "auth", "can-i", "create", "configmaps", user=access.PERSON, check=False)
    return answer.strip() == "yes"


def _is_ready(paths: Paths, state: LabState, each: NodeState) -> bool:
    expression = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return kubectl(paths, state, "get", "node", each.name, "-o", expression, check=False) == "True"


def _wait(deadline: float, what: str, holds: Callable[[], bool]) -> None:
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited too long for {what}: python -m lab status, and /var/log on the node, say more")
        time.sleep(0.2)


def _allow_inotify_instances() -> None:
    setting = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(setting.read_text()) < _INOTIFY_INSTANCES:
        setting.write_text(str(_INOTIFY_INSTANCES))


def _plan(paths: Paths, nodes: int, minor: str) -> LabState:
    kubernetes = next(tool for tool in tools.node_tools(minor) if tool.upstream == "k8s.io/kubernetes")
    return plan(
        paths.root,
        kubernetes=minor,
        version=tools.version_of(kubernetes),
        count=nodes,
        networks=host.networks_in_use(),
        sysctls={name: (Path("/proc/sys") / name).read_text().strip() for name in _SYSCTLS},
    )


def _remove(paths: Paths, state: LabState) -> None:
    observability.remove(paths)
    for each in state.nodes:
        node.remove(paths, each)
    if state.balancer:
        balancer.remove(paths, state.balancer)
    network.remove_bridge(state)
    for name, value in state.sysctls.items():
        setting = Path("/proc/sys") / name
        if setting.read_text().strip() != value:
            setting.write_text(value)
    # Pulumi's state goes too: it speaks of files on nodes that are no more.
    made_folders = (
        paths.nodes,
        paths.users,
        paths.snapshots,
        paths.ssh_key.parent,
        paths.pulumi_home,
        paths.pulumi_state,
        paths.stacks,
    )
    for made in made_folders:
        if made.exists():
            shutil.rmtree(made)
    paths.kubeconfig.unlink(missing_ok=True)
    # Last: until here the file says what is left to remove.
    paths.state.unlink()


def status(paths: Paths) -> list[str]:
    """Lines that say what runs."""
    state = load(paths.state)
    if state is None:
        return ["no lab; python -m lab up makes one"]
    lines = [f"Kubernetes {state.version} at {state.endpoint}, subnet {state.subnet}"]
    if state.balancer:
        running = "running" if holder(state.balancer) else "not running"
        lines.append(f"load balancer {state.balancer.address}: {running}")
    for each in state.nodes:
        count = len(cgroups.processes(each.cgroup))
        live = paths.kubeconfig.exists() and _answers_ok(paths, state, _server(each), "/livez")
        api_server = f"API server {'live' if live else 'does not answer'}"
        running = f"{count} processes, {api_server}" if holder(each) else "not running"
        lines.append(f"{each.name} {each.address}: {running}")
    return lines
