"""ClusterConfiguration as kubeadm keeps it in the kube-system/kubeadm-config ConfigMap.

``kubeadm upgrade`` and ``kubeadm join`` write the API server's manifest from it, so what it does not name is lost at
the next upgrade (seed 000_05e3394e1aae7e61.txt). Two shapes are edited: v1beta4, where ``extraArgs`` is a list of
name and value that keeps its order and allows duplicates, and v1beta3, where it is a map
(kubeadm app/apis/kubeadm/v1beta4/types.go, app/util/config/common.go). Volumes are keyed by name in both.
"""

from __future__ import annotations

import copy
import re
from pathlib import PurePosixPath
from typing import Any

from auditlog.apiserver import yaml_edit
from auditlog.apiserver.desired import AuditConfiguration, Flag, HostMount
from auditlog.apiserver.yaml_edit import YamlEditError

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
    _check_untouched(text, edited, configuration)
    return edited


def revert(text: str, before: str, configuration: AuditConfiguration) -> str:
    """ClusterConfiguration less what ``edit`` added, with the values that ``before`` has for what was there already.

    Raises KubeadmConfigError.
    """
    earlier_args = extra_args(before)
    earlier = _load(before).get("apiServer")
    try:
        reverted = text
        for flag in configuration.flags:
            if flag.name in earlier_args:
                if flag.name in extra_args(reverted):
                    reverted = _set_flag(reverted, Flag(flag.name, earlier_args[flag.name]))
            else:
                reverted = _remove_flag(reverted, flag.name)
        for mount in configuration.mounts:
            if yaml_edit.find((earlier or {}).get("extraVolumes") or [], "name", mount.name) is None:
                reverted = _remove_volume(reverted, mount.name)
        reverted = _drop_empty(reverted, before)
    except YamlEditError as error:
        raise KubeadmConfigError(str(error)) from error
    _check_untouched(text, reverted, configuration)
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
    document = _load(text)
    extra: Any = (document.get("apiServer") or {}).get("extraArgs")
    if _is_map(document):
        if flag.name not in (extra or {}):
            return _add(text, "extraArgs", {flag.name: flag.value})
        if str(extra[flag.name]) == flag.value:
            return text
        return yaml_edit.set_scalar(text, ("apiServer", "extraArgs", flag.name), flag.value)
    places = [index for index, (name, _) in enumerate(_pairs(extra)) if name == flag.name]
    if len(places) > 1:
        raise KubeadmConfigError(f"has {flag.name} {len(places)} times in apiServer.extraArgs; remove all but one")
    if not places:
        return _add(text, "extraArgs", [{"name": flag.name, "value": flag.value}])
    if str(extra[places[0]].get("value")) == flag.value:
        return text
    return yaml_edit.set_scalar(text, ("apiServer", "extraArgs", places[0], "value"), flag.value)


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


def _remove_volume(text: str, name: str) -> str:
    volumes = (_load(text).get("apiServer") or {}).get("extraVolumes") or []
    index = yaml_edit.find(volumes, "name", name)
    return text if index is None else yaml_edit.remove(text, ("apiServer", "extraVolumes", index))


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


def _check_untouched(before: str, after: str, configuration: AuditConfiguration) -> None:
    if _without_audit(before, configuration) != _without_audit(after, configuration):
        raise KubeadmConfigError(
            "cannot be edited in place without changing something else; write it in plain block style"
        )


def _without_audit(text: str, configuration: AuditConfiguration) -> Any:
    document = copy.deepcopy(_load(text))
    api_server = dict(document.get("apiServer") or {})
    names = {flag.name for flag in configuration.flags}
    volumes = {mount.name for mount in configuration.mounts}
    api_server["extraArgs"] = [pair for pair in _pairs(api_server.get("extraArgs")) if pair[0] not in names]
    api_server["extraVolumes"] = [
        item for item in api_server.get("extraVolumes") or [] if item.get("name") not in volumes
    ]
    document["apiServer"] = api_server
    return document
