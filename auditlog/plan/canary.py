"""The canary: a second API server of the node, made from the manifest that is to come.

It rehearses the change before the running API server is touched. It can answer while that one restarts
(docs/design.md, "Rehearse first, and let the rehearsal answer"). kubelet runs it as a static pod beside the real one.
It leaves out or changes whatever two of them cannot share:

- the names of pod, container and component
- ports, since kubelet refuses a host port that is taken, and the port it listens on
- probes, resources and the audit log
- the endpoints of the ``kubernetes`` service, which its end must not remove

The node makes the file from the staged manifest and the edits of lines that ``canary`` returns. So a preview shows a
few lines, not a second manifest.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from auditlog.errors import AuditlogError
from auditlog.manifest import manifest, manifest_edit, yaml_edit
from auditlog.manifest.audit_flags import LOG_FLAG
from auditlog.manifest.desired import AuditConfiguration, Flag, HostMount, sha256
from auditlog.manifest.line_edits import line_edits
from auditlog.manifest.manifest import ManifestError
from auditlog.manifest.yaml_edit import YamlEditError
from auditlog.node_paths import API_SERVER
from auditlog.nodes.fact_types import CANARY
from auditlog.nodes.second_api_server import PORTS

_NONE: Mapping[str, str] = MappingProxyType({})
_LEFT_OUT = ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources")


class CanaryError(AuditlogError):
    """No canary can be made from this manifest; the message says why."""


@dataclass(frozen=True, slots=True)
class Canary:
    """How the node makes the canary: ``edits`` is a sed script that turns the manifest into the text with ``sha256``.

    The script is for the manifest with a final line break. ``log`` is the canary's audit log in the container, beside
    the real one; None where the log is no file.
    """

    edits: str
    sha256: str
    log: str | None


def canary(text: str, staged: Mapping[str, str], *, loopback: bool, folders: Mapping[str, str] = _NONE) -> Canary:
    """The canary of the manifest ``text``.

    ``staged`` maps a flag such as ``audit-policy-file`` to a path on the node. There the file waits that changes
    together with the manifest. ``folders`` does the same for folders, by their paths in the container. With
    ``loopback`` only the node itself can reach the canary, which is enough for a rehearsal. Otherwise it listens on
    the addresses of the manifest. Raises CanaryError.
    """
    return _canary(text, tuple(staged.items()), tuple(folders.items()), loopback=loopback)


@functools.lru_cache(maxsize=16)
def _canary(
    text: str, staged: tuple[tuple[str, str], ...], folders: tuple[tuple[str, str], ...], *, loopback: bool
) -> Canary:
    # A node's plan asks whether there can be one before it knows which way the node restarts.
    source = text if text.endswith("\n") else text + "\n"
    try:
        made = _with_folders(_canary_manifest(source, dict(staged), loopback=loopback), dict(folders))
    except (ManifestError, YamlEditError) as error:
        raise CanaryError(f"no canary can be made from the manifest: {error}") from error
    return Canary(
        line_edits(source, made), sha256(made), canary_log(manifest.flag_value(manifest.arguments(text), LOG_FLAG))
    )


def canary_log(path: str | None) -> str | None:
    """The canary's audit log for the real one at ``path``: audit-canary.log beside audit.log."""
    if not path or path == "-":
        return None
    log = PurePosixPath(path)
    return str(log.with_name(f"{log.stem}-canary{log.suffix}"))


def _canary_manifest(text: str, staged: Mapping[str, str], *, loopback: bool) -> str:
    flags = [Flag("secure-port", str(PORTS[0])), Flag("endpoint-reconciler-type", "none")]
    argument_list = manifest.arguments(text)
    log = canary_log(manifest.flag_value(argument_list, LOG_FLAG))
    if log is not None:
        flags.append(Flag(LOG_FLAG, log))
    if loopback:
        flags.append(Flag("bind-address", "127.0.0.1"))
    document = yaml_edit.load(text)
    containers = document["spec"]["containers"]
    sidecars = [each for each in document["spec"].get("initContainers") or [] if each.get("restartPolicy") == "Always"]
    if len(containers) > 1 or sidecars:
        others = ", ".join(str(each.get("name")) for each in (*sidecars, *containers) if each.get("name") != API_SERVER)
        raise CanaryError(f"the pod has other containers ({others}), of which two cannot run side by side")
    mounts = []
    for flag, path in staged.items():
        seen_at = manifest.flag_value(argument_list, flag)
        if seen_at is None:
            continue
        volume = _volume_of(document, seen_at)
        if volume is not None:
            text = yaml_edit.set_scalar(text, ("spec", "volumes", volume, "hostPath", "path"), path)
        else:
            # The file is seen through the mount of a folder, which holds the present one.
            flags.append(Flag(flag, path))
            mounts.append(HostMount(f"canary-{flag}", path, read_only=True, path_type="File"))
    text = manifest_edit.edit(text, AuditConfiguration(tuple(flags), tuple(mounts)), None)
    for key in _LEFT_OUT:
        if key in containers[0]:
            text = yaml_edit.remove(text, ("spec", "containers", 0, key))
    if "component" in (document["metadata"].get("labels") or {}):
        text = yaml_edit.set_scalar(text, ("metadata", "labels", "component"), CANARY)
    text = yaml_edit.set_scalar(text, ("metadata", "name"), CANARY)
    return yaml_edit.set_scalar(text, ("spec", "containers", 0, "name"), CANARY)


def _with_folders(text: str, folders: Mapping[str, str]) -> str:
    """With other folders of the node at these paths of the container."""
    for path, waiting in folders.items():
        volume = _volume_of(yaml_edit.load(text), path)
        if volume is not None:
            text = yaml_edit.set_scalar(text, ("spec", "volumes", volume, "hostPath", "path"), waiting)
            continue
        # It is seen through the mount of a folder above it.
        name = f"canary-{PurePosixPath(path).name}"
        mount = {"mountPath": path, "name": name, "readOnly": True}
        text = yaml_edit.append_item(text, ("spec", "containers", 0, "volumeMounts"), mount)
        text = yaml_edit.append_item(
            text, ("spec", "volumes"), {"hostPath": {"path": waiting, "type": "Directory"}, "name": name}
        )
    return text


def _volume_of(document: Any, path: str) -> int | None:
    """The volume that is mounted at exactly ``path``; None where a larger mount or none shows it."""
    mounts = document["spec"]["containers"][0].get("volumeMounts") or []
    index = yaml_edit.find(mounts, "mountPath", path)
    if index is None:
        return None
    volumes = document["spec"].get("volumes") or []
    found = yaml_edit.find(volumes, "name", mounts[index].get("name"))
    return found if found is not None and "hostPath" in volumes[found] else None
