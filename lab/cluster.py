"""Brings the lab up and takes it down. Every step looks at what is there first, so each command can be run again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from lab import access, cgroups, host, images, kubeadm, network, node, snapshot, tools
from lab.errors import LabError
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
_START_SECONDS = 180


def up(paths: Paths, *, nodes: int, minor: str) -> LabState:
    """Make the lab and wait until its API answers and its nodes are Ready.

    A running lab is left as it is. A lab that was cut short before kubeadm had finished starts from nothing; one
    that had finished is started with the cluster it had, as after a reboot.
    """
    if nodes != 1:
        raise LabError(f"--nodes {nodes}: this lab makes 1 node")
    state = load(paths.state)
    if state and (len(state.nodes), state.kubernetes) != (nodes, minor):
        raise LabError(
            f"the lab is up with {len(state.nodes)} node(s) of Kubernetes {state.kubernetes}: python -m lab down first"
        )
    if state and not all(each.initialised for each in state.nodes):
        _say("the last up did not finish: starting from nothing")
        _remove(paths, state)
        state = None
    if state is None:
        state = _plan(paths, nodes, minor)
        save(paths.state, state)
    network.ensure_bridge(state)
    for each in state.nodes:
        state = _ensure_node(paths, state, each)
    wait_ready(paths, state)
    for each in state.nodes:
        snapshot.keep(paths, each)
    return state


def down(paths: Paths) -> bool:
    """Remove what ``up`` made and nothing else, also after a crash; built tools stay. False when there is no lab."""
    state = load(paths.state)
    if state is None:
        return False
    _remove(paths, state)
    return True


def wait_ready(paths: Paths, state: LabState, timeout: float = _START_SECONDS) -> None:
    """Wait until the API server says it is live and ready and every node is Ready. ``LabError`` names what is not."""
    deadline = time.monotonic() + timeout
    for path in ("/livez", "/readyz"):
        _wait(deadline, f"{state.endpoint}{path}", partial(_answers_ok, paths, state, path))
    for each in state.nodes:
        _wait(deadline, f"node {each.name} Ready", partial(_is_ready, paths, state, each))
    # The role that people get is put together by the controller manager, some seconds after the API server is ready.
    _wait(deadline, f"the rights of {access.PERSON}", partial(_may_edit, paths, state))


def kubectl(paths: Paths, state: LabState, *arguments: str, user: str = access.ADMIN, check: bool = True) -> str:
    """Run kubectl on the machine as ``admin`` or a person of the lab; gives what it printed."""
    kubeconfig = paths.kubeconfig if user == access.ADMIN else paths.user_kubeconfig(user)
    program = paths.kubernetes_bin(state.kubernetes) / "kubectl"
    return run([program, f"--kubeconfig={kubeconfig}", "--request-timeout=10s", *arguments], check=check).stdout


def _answers_ok(paths: Paths, state: LabState, path: str) -> bool:
    return kubectl(paths, state, "get", "--raw", path, check=False) == "ok"


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


def _ensure_node(paths: Paths, state: LabState, each: NodeState) -> LabState:
    if each.initialised:
        node.start(paths, state, each)
        return state
    _say(f"{each.name}: starting the node")
    references = _image_references(paths, state)
    pause_image = next(name for name in references if "/pause:" in name)
    if not paths.ssh_key.exists():
        node.make_key(paths.ssh_key, "lab")
    host_key = node.prepare(paths, state, each, pause_image)
    each = replace(each, host_key=host_key)
    state = state.with_node(each)
    save(paths.state, state)
    node.start(paths, state, each)
    _say(f"{each.name}: loading the images")
    _load_images(paths, state, each, references)
    _say(f"{each.name}: kubeadm init")
    _write_on_node(each, kubeadm.CONFIG_FILE, kubeadm.init_config(state, each))
    node.execute(each, ["kubeadm", "init", "--config", kubeadm.CONFIG_FILE])
    access.write_kubeconfigs(paths, each)
    access.grant(each)
    state = state.with_node(replace(each, initialised=True))
    save(paths.state, state)
    return state


def _image_references(paths: Paths, state: LabState) -> list[str]:
    config = paths.root / "kubeadm-images.yaml"
    config.write_text(kubeadm.init_config(state, state.nodes[0]))
    program = paths.kubernetes_bin(state.kubernetes) / "kubeadm"
    listed = run([program, "config", "images", "list", "--config", config]).stdout.split()
    config.unlink()
    return listed


def _load_images(paths: Paths, state: LabState, each: NodeState, references: list[str]) -> None:
    archive = paths.node(each.name) / "var/lib/images.tar"
    programs = paths.kubernetes_bin(state.kubernetes)
    images.write_archive(archive, images.images_for(references, programs, paths.bin / "pause", paths.bin / "etcd"))
    _wait(
        time.monotonic() + 30,
        f"containerd on {each.name}",
        lambda: node.execute(each, ["ctr", "version"], check=False).returncode == 0,
    )
    node.execute(each, ["ctr", "--namespace=k8s.io", "images", "import", "/var/lib/images.tar"])
    archive.unlink()


def _write_on_node(each: NodeState, path: str, text: str) -> None:
    node.execute(each, ["install", "-D", "--mode=0600", "/dev/stdin", path], stdin=text)


def _remove(paths: Paths, state: LabState) -> None:
    for each in state.nodes:
        node.remove(paths, each)
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
    healthy = paths.kubeconfig.exists() and _answers_ok(paths, state, "/livez")
    lines.append(f"API server: {'live' if healthy else 'does not answer'}")
    for each in state.nodes:
        running = len(cgroups.processes(each.cgroup))
        lines.append(f"{each.name} {each.address}: {f'{running} processes' if node.holder(each) else 'not running'}")
    return lines


def _say(text: str) -> None:
    print(text, flush=True)
