"""What facts are made of: files, processes, the cluster's signs. Each says how it is read from its line's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from auditlog.manifest import yaml_edit
from auditlog.manifest.desired import sha256
from auditlog.manifest.yaml_edit import YamlEditError
from auditlog.node_paths import API_SERVER
from auditlog.nodes.answer import ABSENT, One, decoded, text, time_or_zero

CANARY = f"{API_SERVER}-canary"


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file on the node whose text, with credentials in it, stays there."""

    sha256: str
    """Of its bytes."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    modified: int
    """Its mtime, in seconds since the epoch."""

    @property
    def token(self) -> str:
        """As ``RemoteFile.token``."""
        return f"{self.sha256}@{self.changed}"

    @classmethod
    def read(cls, words: Sequence[str]) -> Self | None:
        return None if words[0] == ABSENT else cls(words[0], int(words[1]), int(words[2]))


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A text file on the node."""

    text: str
    """Its content."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    modified: int
    """Its mtime, in seconds since the epoch."""
    mode: str
    """Its permissions, in octal digits."""

    @property
    def hashed(self) -> HashedFile:
        return HashedFile(sha256(self.text), self.changed, self.modified)

    @property
    def token(self) -> str:
        """Names this content at this time: the same edit made once more has another token."""
        return self.hashed.token


@dataclass(frozen=True, slots=True)
class Process:
    """A running API server."""

    pid: int
    """Its process id."""
    started: int
    """When it started, in seconds since the epoch."""
    arguments: tuple[str, ...]
    """Its argument list."""
    identity: str = ""
    """`PID:TICKS` by the kernel's count since the boot, which setting the clock does not move; empty if the installed
    script predates it."""

    @property
    def token(self) -> str:
        """Names this very process to the node."""
        return self.identity or f"{self.pid}@{self.started}"

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        pid, started, command_line, *identity = words
        arguments = decoded(command_line).decode(errors="replace")
        return cls(int(pid), int(started), tuple(arguments.split("\0")[:-1]), "".join(identity))


@dataclass(frozen=True, slots=True)
class KubeadmConfig:
    """ClusterConfiguration in the ConfigMap kubeadm-config."""

    text: str
    """The YAML."""
    resource_version: str
    """The resourceVersion at which it was read."""
    stale: bool = False
    """Whether it was read when the change began that is unfinished now, because no API server can be asked."""

    @property
    def token(self) -> str:
        return f"{sha256(self.text)}@{self.resource_version}"

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        return cls(text(words[1:]), words[0])

    @classmethod
    def read_kept(cls, words: Sequence[str]) -> Self:
        return cls(text(words[1:]), words[0], stale=True)


@dataclass(frozen=True, slots=True)
class StrayManifest:
    """A file beside the API server's manifest that defines that pod as well."""

    name: str
    """Its name; bytes that are no printable UTF-8 are shown as escapes."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    plain: bool = True
    """Whether `name` is the name itself, without escapes."""


@dataclass(frozen=True, slots=True)
class StaticPod:
    """A file beside the API server's manifest."""

    file: StrayManifest
    """Which one it is."""
    apiserver: str | None
    """The API server that it defines: kube-apiserver or its canary; None for neither."""

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        shown = file_name(words)
        file = StrayManifest(shown, time_or_zero(words, 2), plain=shown.encode() == decoded(words[0]))
        return cls(file, apiserver_pod(decoded(words[1]).decode(errors="replace")))


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A file in the folder of admission policies, which is not the stack's."""

    name: str
    """Its name; bytes that are no printable UTF-8 are shown as escapes."""
    text: str | None
    """Its content; None if that is too large to be sent."""
    is_file: bool = True
    """Whether it is a file, or a link to one. A pipe, or a link to nothing, is none."""

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        name, kind, *content = words
        text = decoded("".join(content)).decode(errors="replace") if kind == "file" else None
        return cls(file_name([name]), text, is_file=kind != "other")


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """The folder on the node from which its API server reads admission policies, or will read them."""

    path: str
    """Where it is."""
    sha256: str
    """Of what is there, as the API server names it (node/static_policies.sh)."""
    files: tuple[PolicyFile, ...] = ()
    """The files that an API server reads there, without the stack's."""
    taken_sha256: str | None = None
    """The same hash of what the API server works by; None if it does not say, or does not read this folder."""

    @classmethod
    def of(cls, folder: tuple[str, str] | None, files: tuple[PolicyFile, ...], taken: str | None) -> Self | None:
        return None if folder is None else cls(*folder, files, taken)


class Role(StrEnum):
    """What a node is to kubeadm: it has the administrator's kubeconfig, only kubelet's own, or neither."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    NONE = "none"

    @classmethod
    def read(cls, words: Sequence[str]) -> Role:
        return cls(words[0])


@dataclass(frozen=True, slots=True)
class Written:
    """Hashes of what the stack last wrote or took over on a node."""

    manifest: str | None = None
    """Of the manifest; None if it never did."""
    policy: str | None = None
    """Of the policy; None if it never did."""
    kubeadm_config: str | None = None
    """Of ClusterConfiguration; None if it never did."""
    admission: str | None = None
    """Of the AdmissionConfiguration; None if it never did."""
    static_policies: str | None = None
    """Of the file of admission policies; None if it never did."""


class Health(StrEnum):
    """What is known of a part of the cluster."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


class SignKind(StrEnum):
    """The parts of a cluster that a node looks at (node/cluster.sh)."""

    API = "api"
    ETCD = "etcd"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Sign:
    """What a node saw of one part of its cluster."""

    health: Health
    """How it is."""
    kind: SignKind
    """Which part it is."""
    subject: str
    """The URL of an API server or etcd, `-` if it has none; or the name of a node."""
    sentence: str = ""
    """What is wrong; empty if it is ok."""

    def is_about(self, kind: SignKind, subject: str) -> bool:
        return (self.kind, self.subject) == (kind, subject)

    @classmethod
    def read(cls, words: Sequence[str]) -> Self:
        health, kind, subject, *sentence = words
        return cls(Health(health), SignKind(kind), subject, text(sentence) if sentence else "")


def file_name(words: Sequence[str]) -> str:
    """The name of a file, in which bytes that are no printable UTF-8 are shown as escapes."""
    shown = decoded(words[0]).decode(errors="backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)


def file_of(name: str) -> One:
    """Reads the file that the script calls ``name``; None where it is absent."""

    def parse(words: Sequence[str]) -> RemoteFile | None:
        if words[0] == ABSENT:
            return None
        changed, modified, mode, encoded = words
        try:
            content = text([encoded])
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the {name} file is not UTF-8 text: byte {error.object[error.start]:#04x} at {error.start}"
            ) from error
        return RemoteFile(text=content, changed=int(changed), modified=int(modified), mode=mode)

    return One(f"file {name}", parse)


def record_of(name: str) -> One:
    """Reads what a record of the node's scripts says.

    One that a power cut left empty, or without its line break, says nothing.
    """
    file = file_of(name)
    return One(file.name, lambda words: _whole(file.parse(words)))


def is_recorded(name: str) -> One:
    """Reads whether there is a whole record of this name."""
    record = record_of(name)
    return One(record.name, lambda words: record.parse(words) is not None)


def torn_record_of(name: str) -> One:
    """Reads what a power cut left of a record; None where it is whole or absent."""
    file = file_of(name)

    def parse(words: Sequence[str]) -> str | None:
        found: RemoteFile | None = file.parse(words)
        return found.text.strip() if found and _whole(found) is None else None

    return One(file.name, parse)


def _whole(file: RemoteFile | None) -> str | None:
    return file.text.strip() or None if file and file.text.endswith("\n") else None


def apiserver_pod(manifest_text: str) -> str | None:
    """Which API server kubelet would run from this file: kube-apiserver, its canary, or None for none of them.

    A half-written file that is no YAML yet counts when it names that pod: kubelet tries it again until it is.
    """
    try:
        document = yaml_edit.load(manifest_text)
    except YamlEditError:
        found = re.search(rf"^\s*name:\s*[\"']?({CANARY}|{API_SERVER}\b)", manifest_text, re.MULTILINE)
        return found.group(1) if found else None
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return None
    name = document["metadata"].get("name")
    return name if name in (API_SERVER, CANARY) else None
