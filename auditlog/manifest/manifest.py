"""The kube-apiserver static-pod manifest: what it says about audit logging."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from auditlog.errors import AuditlogError
from auditlog.manifest import yaml_edit
from auditlog.manifest.arguments import read_arguments
from auditlog.manifest.desired import ADMISSION_ANNOTATION, POLICY_ANNOTATION, WEBHOOK_ANNOTATION
from auditlog.manifest.ownership import Present
from auditlog.manifest.yaml_edit import Path, YamlEditError
from auditlog.node_paths import API_SERVER


class ManifestError(AuditlogError):
    """The manifest is not one that this program can edit; the message says where and why."""


def arguments(text: str) -> tuple[str, ...]:
    """The process's whole argument list, as kubelet starts it from this manifest: command, then args."""
    document = load(text)
    container = at(document, container_path(document))
    return tuple(str(item) for key in ("command", "args") for item in container.get(key) or [])


def flag_value(argument_list: Sequence[str], name: str) -> str | None:
    """The value of ``--name`` in an argument list; the last one counts, as in the API server's own flag parser.

    A flag without a value gives "". None when the flag is absent.
    """
    values = [argument.value or "" for argument in read_arguments(argument_list) if argument.name == name]
    return values[-1] if values else None


def flag_values(argument_list: Sequence[str]) -> dict[str, str]:
    """Every ``--name`` of an argument list with the value that counts, as ``flag_value`` finds it."""
    return {argument.name: argument.value or "" for argument in read_arguments(argument_list)}


def repeated_flags(argument_list: Sequence[str]) -> tuple[str, ...]:
    """The names that stand more than once in an argument list."""
    names = [argument.name for argument in read_arguments(argument_list)]
    return tuple(sorted({name for name in names if names.count(name) > 1}))


def policy_annotation(text: str) -> str | None:
    """The policy hash that the manifest names in its annotations, None when it names none."""
    return _annotation(text, POLICY_ANNOTATION)


def webhook_annotation(text: str) -> str | None:
    """The hash of the webhook's kubeconfig that the manifest names in its annotations, None when it names none."""
    return _annotation(text, WEBHOOK_ANNOTATION)


def admission_annotation(text: str) -> str | None:
    """The hash of the AdmissionConfiguration that the manifest names in its annotations, None when it names none."""
    return _annotation(text, ADMISSION_ANNOTATION)


def present(text: str) -> Present:
    """The flags of the manifest, and the node's paths that it mounts by the names of their volumes."""
    document = load(text)
    flags = {argument.name: argument.value for argument in read_arguments(arguments(text))}
    volumes = document["spec"].get("volumes") or []
    mounts = {str(volume.get("name")): str((volume.get("hostPath") or {}).get("path")) for volume in volumes}
    return Present(flags, mounts)


@dataclass(frozen=True, slots=True)
class Mount:
    """What the container sees at a path: the node's own path of it, and the mount that shows it."""

    node_path: str
    mount_path: str
    read_only: bool


def node_path(text: str, path: str) -> str | None:
    """Where on the node the file is that the container sees at ``path``; None when it is the container's own.

    Kubespray, for one, mounts /var/log/kubernetes/audit as /var/log/audit. Raises ManifestError.
    """
    mounted = innermost_mount(text, path)
    return None if mounted is None else mounted.node_path


def innermost_mount(text: str, path: str) -> Mount | None:
    """The mount that decides what the container sees at ``path``; None without a hostPath. Raises ManifestError."""
    document = load(text)
    wanted = PurePosixPath(path)
    mounts = at(document, container_path(document)).get("volumeMounts") or []
    covering = [entry for entry in mounts if wanted.is_relative_to(PurePosixPath(str(entry.get("mountPath"))))]
    if not covering:
        return None
    innermost = max(covering, key=lambda entry: len(PurePosixPath(str(entry["mountPath"])).parts))
    volumes = document["spec"].get("volumes") or []
    index = yaml_edit.find(volumes, "name", innermost.get("name"))
    host_path = (volumes[index].get("hostPath") or {}).get("path") if index is not None else None
    if host_path is None:
        return None
    mount_path = str(innermost["mountPath"])
    relative = wanted.relative_to(PurePosixPath(mount_path))
    return Mount(str(PurePosixPath(str(host_path)) / relative), mount_path, bool(innermost.get("readOnly")))


def image_version(text: str) -> str | None:
    """The tag of the API server's image without its "v", as in "1.36.3"; None where it has no such tag."""
    document = load(text)
    image = str(at(document, container_path(document)).get("image", "")).split("@")[0]
    found = re.search(r":v(1\.\d+\.\d+\S*)$", image)
    return found.group(1) if found else None


def images(text: str) -> tuple[str, ...]:
    """The images of the pod's containers, each once. Raises ManifestError."""
    spec = load(text).get("spec") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return tuple(dict.fromkeys(str(container["image"]) for container in containers if "image" in container))


def user(text: str) -> str | None:
    """``UID:GID`` that the container runs as, None for root's. Raises ManifestError.

    The manifest names them under RootlessControlPlane, a feature gate of kubeadm. Without ``runAsGroup`` it is group 0.
    """
    document = load(text)
    contexts = (document["spec"].get("securityContext"), at(document, container_path(document)).get("securityContext"))
    merged = {name: value for context in contexts for name, value in (context or {}).items() if value is not None}
    return f"{merged['runAsUser']}:{merged.get('runAsGroup', 0)}" if merged.get("runAsUser") else None


def load(text: str) -> Any:
    """The manifest's plain values. Raises ManifestError when it is no Pod."""
    try:
        document = yaml_edit.load(text)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    if not isinstance(document, dict) or document.get("kind") != "Pod":
        raise ManifestError("is not a Pod manifest")
    return document


def container_path(document: Any) -> Path:
    """Where in the document the API server's container is. Raises ManifestError."""
    containers = (document.get("spec") or {}).get("containers") or []
    index = yaml_edit.find(containers, "name", API_SERVER)
    if index is None:
        raise ManifestError(f"has no container named {API_SERVER}")
    return ("spec", "containers", index)


def at(document: Any, path: Path) -> Any:
    """The value at ``path``."""
    for step in path:
        document = document[step]
    return document


def _annotation(text: str, name: str) -> str | None:
    annotations = (load(text).get("metadata") or {}).get("annotations") or {}
    value = annotations.get(name)
    return None if value is None else str(value)
