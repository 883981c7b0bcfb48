"""A job that previews, with what it is given and nothing else: and what somebody who has it all could try to write."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import node as lab_node
from lab.api import Node
from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PulumiStack

READER = "auditor"
FACTS = "/etc/kubernetes/audit-logging/facts"
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)

ON_THE_NODE: Mapping[str, tuple[str, str]] = {
    "the manifest": ("echo >>/etc/kubernetes/manifests/kube-apiserver.yaml", "Permission denied"),
    "a static pod": ("echo >/etc/kubernetes/manifests/own.yaml", "Permission denied"),
    "the policy": ("echo >>/etc/kubernetes/audit-policy.yaml", "Permission denied"),
    "the script that it may run": (f"echo >>{FACTS}", "Permission denied"),
    "its own rights": (f"echo >>/etc/sudoers.d/{READER}", "Permission denied"),
    "the log": ("echo >>/var/log/kubernetes/audit/audit.log", "Permission denied"),
    "the administrator's kubeconfig": ("cat /etc/kubernetes/admin.conf", "Permission denied"),
    "the key of etcd": ("cat /etc/kubernetes/pki/etcd/server.key", "Permission denied"),
    "the API server's process": ("kill $(pgrep -o -x kube-apiserver)", "Operation not permitted|Permission denied"),
    "any command": ("sudo -n id", "password is required"),
    "another account": ("sudo -n -u ops /bin/sh -c id", "password is required"),
    "the node's scripts": ("sudo -n sh /etc/kubernetes/audit-logging/node.sh uninstall", "password is required"),
    "an argument": (f"sudo -n {FACTS} policy=/etc/shadow", "password is required"),
    "a variable": (f"sudo -n BASH_ENV=/tmp/own {FACTS}", "not allowed to set|password is required"),
    "a shell of its own": (
        "mkdir -p /tmp/own && printf '#!/bin/sh\\ntouch /etc/kubernetes/own\\n' >/tmp/own/sh && chmod +x /tmp/own/sh"
        f" && PATH=/tmp/own:$PATH sudo -n {FACTS} >/dev/null && cat /etc/kubernetes/own",
        "No such file|Permission denied",
    ),
}
"""What the account tries, by what it tries to get at, and how it is refused."""

_CHANGE = ("--type=merge", '-p={"data":{"own":"1"}}')
IN_THE_CLUSTER: Mapping[str, tuple[str, ...]] = {
    "an object": ("create", "configmap", "own", "-n", "default"),
    "what the stack keeps": ("patch", "{object}", "-n", "default", *_CHANGE),
    "what the stack keeps, deleted": ("delete", "{object}", "-n", "default"),
    "kubeadm-config": ("patch", "configmap/kubeadm-config", "-n", "kube-system", *_CHANGE),
    "a pod": ("run", "own", "-n", "default", "--image=registry.k8s.io/pause:3.10", "--restart=Never"),
    "a role": ("create", "clusterrolebinding", "own", "--clusterrole=cluster-admin", f"--user={READER}"),
    "the administrator": ("create", "namespace", "own", "--as=kubernetes-admin", "--as-group=system:masters"),
    "a namespace": ("create", "namespace", "own"),
}
"""What the kubeconfig tries; with --dry-run=server the administrator succeeds in the same, each is a real attempt."""

TO_READ: Mapping[str, tuple[str, ...]] = {
    "Secrets": ("get", "secrets", "-A"),
    "a token": ("create", "token", "default", "-n", "kube-system"),
    "a node's kubelet": ("get", "--raw", "/api/v1/nodes/{node}/proxy/pods/"),
}
"""What would lead further than to what a preview reads."""


@dataclass(frozen=True)
class ReadingJob:
    """A job of ``ci/preview`` for a stack: ``given`` is its whole environment, its files are in ``folder``.

    The state is read-only for it: who could write there would choose the commands that the next deletion runs.
    """

    stack: PulumiStack
    folder: Path
    given: Mapping[str, str]

    @classmethod
    def of(cls, stack: PulumiStack, folder: Path, kubeconfig: str) -> ReadingJob:
        for name in ("home", "tmp", "preview"):
            (folder / name).mkdir()
        lab = environment(stack.paths)
        own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "STACK_FILE": str(stack.file)}
        given = {name: value for name, value in lab.items() if name == "PATH" or name.startswith("PULUMI_")}
        return cls(stack, folder, {**given, **own, "KUBECONFIG_TEXT": kubeconfig})

    @property
    def artifacts(self) -> Path:
        return self.folder / "preview"

    def run(self, *words: str, given: str = "", cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        """Runs a command as the job runs its own."""
        state = str(self.stack.paths.pulumi_state)
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", _READ_ONLY, "sh", state, *words],
            cwd=cwd,
            env=dict(self.given),
            input=given,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def preview(self) -> subprocess.CompletedProcess[str]:
        return self.run(str(REPOSITORY / "ci/preview"), self.stack.name, str(self.artifacts))

    def pulumi(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(*self.stack.command(*words), given=given)

    def texts(self) -> Iterator[str]:
        """Everything that the job can read with what it was given: secrets decrypted."""
        yield from self.given.values()
        for path in (*self.folder.rglob("*"), self.stack.file):
            if path.is_file():
                yield path.read_text(errors="replace")
        words = ("config", "--show-secrets", "--json", "--stack", self.stack.name)
        for said in (
            self.run("pulumi", *words, cwd=self.stack.folder).stdout,
            self.pulumi("stack", "export", "--show-secrets").stdout,
        ):
            yield from _leaves(json.JSONDecoder().raw_decode(said, said.index("{"))[0])

    def private_keys(self) -> set[str]:
        return {key for text in self.texts() for key in _PRIVATE_KEY.findall(text)}

    def kubeconfigs(self) -> set[str]:
        return {text.strip() for text in self.texts() if _is_kubeconfig(text)}


def ssh(node: Node, key: Path, user: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``ssh USER@NODE WORDS`` with this key and no other."""
    known = key.parent / "known_hosts"
    known.write_text(f"{node.address} {node.host_key}\n")
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", f"UserKnownHostsFile={known}")
    pinned = [word for option in options for word in ("-o", option)]
    return subprocess.run(
        ["ssh", "-F", "none", "-i", str(key), *pinned, f"{user}@{node.address}", *words],
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def writers(node: Node, keys: set[str], folder: Path) -> list[str]:
    """Whom these keys let in on the node besides the account that reads."""
    found: list[str] = []
    for number, text in enumerate(sorted(keys)):
        key = folder / f"found-{number}"
        key.touch(mode=0o600)
        key.write_text(f"{text}\n")
        found += [user for user in ("root", lab_node.OPERATOR) if ssh(node, key, user, "true").returncode == 0]
    return found


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)


def _is_kubeconfig(text: str) -> bool:
    if "users" not in text:
        return False
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return isinstance(found, Mapping) and found.get("kind") == "Config"
