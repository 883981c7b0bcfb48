"""ClusterConfiguration as kubeadm keeps it in the kube-system/kubeadm-config ConfigMap.

``kubeadm upgrade`` and ``kubeadm join`` write the API server's manifest from it, so what it does not name is lost at
the next upgrade (seed 000_05e3394e1aae7e61.txt). Two shapes are edited: v1beta4, where ``extraArgs`` is a list of
name and value that keeps its order and allows duplicates, and v1beta3, where it is a map
(kubeadm app/apis/kubeadm/v1beta4/types.go, app/util/config/common.go). Volumes are keyed by name in both.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from pathlib import PurePosixPath
from typing import Any

from auditlog.apiserver import yaml_edit
from auditlog.apiserver.audit_flags import means_the_same
from auditlog.apiserver.desired import AuditConfiguration, Flag, HostMount
from auditlog.apiserver.ownership import Owned, Present
from auditlog.apiserver.yaml_edit import Path, YamlEditError

VERSIONS = ("kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4")


class KubeadmConfigError(ValueError):
    """ClusterConfiguration is not one that this program can edit; the message says where and why."""


def extra_args(text: str) -> dict[str, str]:
    """``apiServer.extraArgs`` as name to value, whichever version wrote it. The last duplicate counts."""
    return dict(_pairs((_load(text).get("apiServer") or {}).get("extraArgs")))


def kubernetes_version(text: str) -> str | None:
    """``kubernetesVersion`` without its "v", as in "1.36.3"; None where it is no plain version. KubeadmConfigError."""
    found = re.fullmatch(r"v(1\.\d+\.\d+\S*)", str(_load(text).get("kubernetesVersion")))
    return found.group(1) if found else None


def sees(text: str, path: str) -> bool:
    """Whether an API server that kubeadm starts from this text sees the node's files at ``path``.

    Besides ``extraVolumes`` kubeadm mounts the folder of the cluster's certificates and /etc/ssl/certs
    (kubeadm app/phases/controlplane/volumes.go).
    """
    document = _load(text)
    volumes = (document.get("apiServer") or {}).get("extraVolumes") or []
    mounted = [str(item.get("mountPath")) for item in volumes]
    mounted += [str(document.get("certificatesDir") or "/etc/kubernetes/pki"), "/etc/ssl/certs"]
    return any(PurePosixPath(path).is_relative_to(PurePosixPath(each)) for each in mounted)


def present(text: str) -> Present:
    """The flags in ``extraArgs``, and the node's paths in ``extraVolumes`` by name. Raises KubeadmConfigError."""
    volumes = (_load(text).get("apiServer") or {}).get("extraVolumes") or []
    return Present(extra_args(text), {str(item.get("name")): str(item.get("hostPath")) for item in volumes})


def edit(text: str, configuration: AuditConfiguration) -> str:
    """ClusterConfiguration with these flags and volumes; the same text when it has them. Raises KubeadmConfigError."""
    try:
        edited = text
        for flag in configuration.flags:
            edited = _set_flag(edited, flag)
        for mount in configuration.mounts:
            edited = _set_volume(edited, mount)
    except YamlEditError as error:
        raise KubeadmConfigError(str(error)) from error
    flags = {flag.name for flag in configuration.flags}
    _check_untouched(text, edited, flags, {mount.name for mount in configuration.mounts})
    return edited


def retire(text: str, before: str, owned: Owned) -> str:
    """ClusterConfiguration less the flags and volumes in ``owned``, with the values that ``before`` has for those.

    Raises KubeadmConfigError.
    """
    earlier_args = extra_args(before)
    earlier = (_load(before).get("apiServer") or {}).get("extraVolumes") or []
    try:
        edited = text
        for name in owned.flags:
            if name not in earlier_args:
                edited = _remove_flag(edited, name)
            elif name in extra_args(edited):
                edited = _write_flag(edited, Flag(name, earlier_args[name]))
        for name, path in owned.mounts.items():
            if yaml_edit.find(earlier, "name", name) is None:
                edited = _remove_volume(edited, name, path)
    except YamlEditError as error:
        raise KubeadmConfigError(str(error)) from error
    _check_untouched(text, edited, owned.flags, owned.mounts.keys())
    return edited


def revert(text: str, before: str, owned: Owned) -> str:
    """ClusterConfiguration without audit logging of the stack: ``retire`` of all it owns, and of what held it."""
    reverted = retire(text, before, owned)
    try:
        reverted = _drop_empty(reverted, before)
    except YamlEditError as error:
        raise KubeadmConfigError(str(error)) from error
    _check_untouched(text, reverted, owned.flags, owned.mounts.keys())
    return reverted


def _load(text: str) -> Any:
    try:
        document = yaml_edit.load(text)
    except YamlEditError as error:
        raise KubeadmConfigError(str(error)) from error
    if not isinstance(document, dict) or document.get("kind") != "ClusterConfiguration":
        raise KubeadmConfigError("is not a ClusterConfiguration")
    if document.get("apiVersion") not in VERSIONS:
        raise KubeadmConfigError(f"has apiVersion {document.get('apiVersion')!r}; supported: {', '.join(VERSIONS)}")
    return document


def _pairs(extra: Any) -> list[tuple[str, str]]:
    if isinstance(extra, dict):
        return [(str(name), str(value)) for name, value in extra.items()]
    return [(str(item["name"]), str(item.get("value", ""))) for item in extra or []]


def _is_map(document: Any) -> bool:
    extra = (document.get("apiServer") or {}).get("extraArgs")
    if extra:
        return isinstance(extra, dict)
    return bool(document["apiVersion"] == VERSIONS[0])


def _set_flag(text: str, flag: Flag) -> str:
    there = extra_args(text).get(flag.name)
    if there is not None and means_the_same(flag.name, there, flag.value):
        _place(_load(text), flag.name)
        return text
    return _write_flag(text, flag)


def _write_flag(text: str, flag: Flag) -> str:
    document = _load(text)
    if flag.name not in extra_args(text):
        is_map = _is_map(document)
        return _add(
            text, "extraArgs", {flag.name: flag.value} if is_map else [{"name": flag.name, "value": flag.value}]
        )
    return yaml_edit.set_scalar(text, _place(document, flag.name), flag.value)


def _place(document: Any, name: str) -> Path:
    """Where the value of a flag that is there stands."""
    extra = document["apiServer"]["extraArgs"]
    if isinstance(extra, dict):
        return ("apiServer", "extraArgs", name)
    places = [index for index, item in enumerate(extra) if str(item["name"]) == name]
    if len(places) > 1:
        raise KubeadmConfigError(f"has {name} {len(places)} times in apiServer.extraArgs; remove all but one")
    return ("apiServer", "extraArgs", places[0], "value")


def _remove_flag(text: str, name: str) -> str:
    document = _load(text)
    extra: Any = (document.get("apiServer") or {}).get("extraArgs")
    if name not in extra_args(text):
        return text
    if _is_map(document):
        return yaml_edit.remove(text, ("apiServer", "extraArgs", name))
    index = yaml_edit.find(extra, "name", name)
    return text if index is None else yaml_edit.remove(text, ("apiServer", "extraArgs", index))


def _set_volume(text: str, mount: HostMount) -> str:
    volumes = (_load(text).get("apiServer") or {}).get("extraVolumes") or []
    wanted: dict[str, Any] = {
        "hostPath": mount.path,
        "mountPath": mount.path,
        "name": mount.name,
        "pathType": mount.path_type,
    }
    if mount.read_only:
        wanted["readOnly"] = True
    index = yaml_edit.find(volumes, "name", mount.name)
    if index is None:
        if any(item.get("hostPath") == mount.path and item.get("mountPath") == mount.path for item in volumes):
            return text
        return _add(text, "extraVolumes", [wanted])
    there = volumes[index]
    if (there.get("hostPath"), there.get("mountPath")) != (mount.path, mount.path):
        raise KubeadmConfigError(
            f"has {mount.name!r} in apiServer.extraVolumes for {there.get('hostPath')} and not for {mount.path}; "
            "rename that one"
        )
    return text


def _remove_volume(text: str, name: str, path: str) -> str:
    volumes = (_load(text).get("apiServer") or {}).get("extraVolumes") or []
    index = yaml_edit.find(volumes, "name", name)
    if index is None or PurePosixPath(str(volumes[index].get("hostPath"))) != PurePosixPath(path):
        return text
    return yaml_edit.remove(text, ("apiServer", "extraVolumes", index))


def _add(text: str, key: str, entries: dict[str, str] | list[Any]) -> str:
    """Adds the one entry in ``entries`` to ``apiServer.<key>``, which need not be there yet."""
    document = _load(text)
    if "apiServer" not in document:
        return yaml_edit.add_key(text, (), "apiServer", {key: entries})
    if key not in (document["apiServer"] or {}):
        return yaml_edit.add_key(text, ("apiServer",), key, entries)
    if isinstance(entries, dict):
        ((name, value),) = entries.items()
        return yaml_edit.add_key(text, ("apiServer", key), name, value)
    return yaml_edit.append_item(text, ("apiServer", key), entries[0])


def _drop_empty(text: str, before: str) -> str:
    """What ``edit`` had to make (``apiServer`` and its lists) goes again, or is written empty as it was before."""
    earlier = _load(before)
    for path in (("apiServer", "extraArgs"), ("apiServer", "extraVolumes"), ("apiServer",)):
        document = _load(text)
        here, there = _value(document, path), _value(earlier, path)
        if here is _MISSING or here:
            continue
        if there is _MISSING:
            text = yaml_edit.remove(text, path)
        elif not there:
            text = yaml_edit.replace_value(text, path, yaml_edit.written_value(before, path))
    return text


_MISSING = object()


def _value(document: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(document, dict) or step not in document:
            return _MISSING
        document = document[step]
    return document


def _check_untouched(before: str, after: str, flags: Collection[str], mounts: Collection[str]) -> None:
    if _without_audit(before, flags, mounts) != _without_audit(after, flags, mounts):
        raise KubeadmConfigError(
            "cannot be edited in place without changing something else; write it in plain block style"
        )


def _without_audit(text: str, flags: Collection[str], mounts: Collection[str]) -> Any:
    document = copy.deepcopy(_load(text))
    api_server = dict(document.get("apiServer") or {})
    volumes = api_server.get("extraVolumes") or []
    api_server["extraArgs"] = [pair for pair in _pairs(api_server.get("extraArgs")) if pair[0] not in flags]
    api_server["extraVolumes"] = [item for item in volumes if item.get("name") not in mounts]
    document["apiServer"] = api_server
    return document
