"""ClusterConfiguration as kubeadm keeps it in the kube-system/kubeadm-config ConfigMap.

``kubeadm upgrade`` and ``kubeadm join`` write the API server's manifest from it, so the next upgrade loses what it does
not name. Two shapes are edited (kubeadm app/apis/kubeadm/v1beta4/types.go, app/util/config/common.go). Volumes are
keyed by name in both:

- In v1beta4 ``extraArgs`` is a list of name and value that keeps its order and allows duplicates.
- In v1beta3 it is a map.

kubeadm 1.37 reads v1 as an experiment. That is v1beta4 with a ``mergeMethod`` on an argument: its value is appended or
prepended to the one that kubeadm sets (app/util/arguments.go).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from auditlog.errors import AuditlogError
from auditlog.manifest import yaml_edit
from auditlog.manifest.audit_flags import means_the_same
from auditlog.manifest.desired import AuditConfiguration, Flag, HostMount
from auditlog.manifest.ownership import Owned, Present
from auditlog.manifest.yaml_edit import Path, YamlEditError

VERSIONS = ("kubeadm.k8s.io/v1beta3", "kubeadm.k8s.io/v1beta4", "kubeadm.k8s.io/v1")
_V1BETA3, _, _V1 = VERSIONS
_FIRST_MINOR_WITHOUT_V1BETA3 = 37


class KubeadmConfigError(AuditlogError):
    """ClusterConfiguration is not one that this program can edit; the message says where and why."""


@dataclass(frozen=True, slots=True)
class MergedArgument:
    """An extra argument that kubeadm merges into the one that it sets by itself; it is ignored if there is none.

    ``method`` is ``append`` or ``prepend``.
    """

    value: str
    method: str

    def onto(self, base: str) -> str:
        """What kubeadm makes of its own value."""
        return self.value + base if self.method == "prepend" else base + self.value

    def is_in(self, value: str) -> bool:
        """Whether this may have become ``value``, whatever kubeadm's own is."""
        return value.startswith(self.value) if self.method == "prepend" else value.endswith(self.value)


def extra_args(text: str) -> dict[str, str]:
    """``apiServer.extraArgs`` as name to value, whichever version wrote it. The last duplicate counts.

    Arguments with a ``mergeMethod`` are left out: see ``merged_args``.
    """
    document = _load(text)
    return dict(_pairs(_extra(document), merges=_has_merge_methods(document)))


def merged_args(text: str) -> Mapping[str, MergedArgument]:
    """The arguments in ``apiServer.extraArgs`` that have a ``mergeMethod``, by name. The last duplicate counts."""
    document = _load(text)
    if not _has_merge_methods(document):
        return {}
    return {
        str(item["name"]): MergedArgument(str(item.get("value", "")), str(item["mergeMethod"]))
        for item in _extra(document) or ()
        if item.get("mergeMethod")
    }


def stops_upgrade(text: str) -> bool:
    """Whether kubeadm 1.37 would not read this text, and the cluster is one upgrade away from it, or there already.

    Older clusters need no warning: kubeadm 1.31 to 1.36 write v1beta4 with every upgrade.
    """
    version = kubernetes_version(text)
    minor = int(version.split(".")[1]) if version else 0
    return bool(_load(text)["apiVersion"] == _V1BETA3) and minor >= _FIRST_MINOR_WITHOUT_V1BETA3 - 1


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
    """ClusterConfiguration with these flags and volumes; the same text when it has them.

    Raises KubeadmConfigError, also for an audit flag that kubeadm would ignore.
    """
    _refuse_ignored_audit_flags(text)
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


def _refuse_ignored_audit_flags(text: str) -> None:
    """Of audit flags kubeadm sets none by itself, so there is nothing to merge one into."""
    for name, argument in merged_args(text).items():
        if name.startswith("audit-"):
            raise KubeadmConfigError(
                f"has {name} with mergeMethod {argument.method} in apiServer.extraArgs, which kubeadm ignores: "
                f"it sets no {name} to merge it into; remove the mergeMethod"
            )


def _extra(document: Any) -> Any:
    return (document.get("apiServer") or {}).get("extraArgs")


def _has_merge_methods(document: Any) -> bool:
    return bool(document["apiVersion"] == _V1)


def _pairs(extra: Any, *, merges: bool) -> Iterator[tuple[str, str]]:
    """Names and values, without those that have a ``mergeMethod``."""
    if isinstance(extra, dict):
        yield from ((str(name), str(value)) for name, value in extra.items())
        return
    for item in extra or []:
        if not (merges and item.get("mergeMethod")):
            yield str(item["name"]), str(item.get("value", ""))


def _is_map(document: Any) -> bool:
    extra = _extra(document)
    if extra:
        return isinstance(extra, dict)
    return bool(document["apiVersion"] == _V1BETA3)


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
    """The place of the value of a flag that exists."""
    extra = document["apiServer"]["extraArgs"]
    if isinstance(extra, dict):
        return ("apiServer", "extraArgs", name)
    places = _places(document, name)
    if len(places) > 1:
        raise KubeadmConfigError(f"has {name} {len(places)} times in apiServer.extraArgs; remove all but one")
    return ("apiServer", "extraArgs", places[0], "value")


def _remove_flag(text: str, name: str) -> str:
    document = _load(text)
    if name not in extra_args(text):
        return text
    if _is_map(document):
        return yaml_edit.remove(text, ("apiServer", "extraArgs", name))
    return yaml_edit.remove(text, ("apiServer", "extraArgs", _places(document, name)[0]))


def _places(document: Any, name: str) -> list[int]:
    """Where in the list this argument stands without a ``mergeMethod``."""
    merges = _has_merge_methods(document)
    return [
        index
        for index, item in enumerate(_extra(document))
        if str(item["name"]) == name and not (merges and item.get("mergeMethod"))
    ]


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
    extra = api_server.get("extraArgs") or []
    arguments = list(_pairs(extra, merges=False)) if isinstance(extra, dict) else [(str(x["name"]), x) for x in extra]
    api_server["extraArgs"] = [argument for argument in arguments if argument[0] not in flags]
    api_server["extraVolumes"] = [item for item in volumes if item.get("name") not in mounts]
    document["apiServer"] = api_server
    return document
