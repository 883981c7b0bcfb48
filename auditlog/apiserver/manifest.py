"""The kube-apiserver static-pod manifest: what it says of audit logging, and the edits that change just that.

``edit`` upserts flags, mounts and the policy annotation; ``revert`` takes them out again and puts back the values
that stood there before. Everything else in the file, comments and order included, stays as it is; each result is
parsed again and compared, so that a file which cannot be edited safely ends in an error and not in a broken manifest.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from auditlog.apiserver import yaml_edit
from auditlog.apiserver.desired import POLICY_ANNOTATION, AuditConfiguration, Flag, HostMount
from auditlog.apiserver.yaml_edit import Path, YamlEditError

CONTAINER = "kube-apiserver"


class ManifestError(ValueError):
    """The manifest is not one that this program can edit; the message says where and why."""


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """Where a flag stands: the list's path, the item of the name, the item of the value (the same when joined)."""

    list_path: Path
    name_index: int
    value_index: int
    value: str | None


def arguments(text: str) -> tuple[str, ...]:
    """The process's whole argument list, as kubelet starts it from this manifest: command, then args."""
    document = _load(text)
    container = _at(document, _container_path(document))
    return tuple(str(item) for key in ("command", "args") for item in container.get(key) or [])


def flag_value(argument_list: Sequence[str], name: str) -> str | None:
    """The value of ``--name`` in an argument list; the last one counts, as in the API server's own flag parser.

    A flag without a value gives "". None when the flag is absent.
    """
    found = None
    for index, argument in enumerate(argument_list):
        if argument.startswith(f"--{name}="):
            found = argument.split("=", 1)[1]
        elif argument == f"--{name}":
            following = argument_list[index + 1] if index + 1 < len(argument_list) else "--"
            found = "" if following.startswith("--") else following
    return found


def policy_annotation(text: str) -> str | None:
    """The policy hash that the manifest names in its annotations, None when it names none."""
    annotations = (_load(text).get("metadata") or {}).get("annotations") or {}
    value = annotations.get(POLICY_ANNOTATION)
    return None if value is None else str(value)


def flag_values(argument_list: Sequence[str]) -> dict[str, str]:
    """Every ``--name`` of an argument list with the value that counts, as ``flag_value`` finds it."""
    names = dict.fromkeys(item[2:].split("=", 1)[0] for item in argument_list if item.startswith("--"))
    return {name: flag_value(argument_list, name) or "" for name in names}


def repeated_flags(argument_list: Sequence[str]) -> tuple[str, ...]:
    """The names that stand more than once in an argument list."""
    names = [item[2:].split("=", 1)[0] for item in argument_list if item.startswith("--")]
    return tuple(sorted({name for name in names if names.count(name) > 1}))


def node_path(text: str, path: str) -> str | None:
    """Where on the node the file is that the container sees at ``path``; None when it is the container's own.

    Kubespray, for one, mounts /var/log/kubernetes/audit as /var/log/audit. Raises ManifestError.
    """
    mounted = _innermost_mount(text, path)
    return None if mounted is None else mounted[0]


def is_read_only(text: str, path: str) -> bool:
    """Whether the container sees ``path`` through a read-only mount. Raises ManifestError."""
    mounted = _innermost_mount(text, path)
    return mounted is not None and mounted[1]


def image_version(text: str) -> str | None:
    """The tag of the API server's image without its "v", as in "1.36.3"; None where it has no such tag."""
    document = _load(text)
    image = str(_at(document, _container_path(document)).get("image", "")).split("@")[0]
    found = re.search(r":v(1\.\d+\.\d+\S*)$", image)
    return found.group(1) if found else None


def edit(text: str, configuration: AuditConfiguration, policy_sha256: str | None) -> str:
    """The manifest with these flags and mounts in it; the same text when it has them already.

    ``policy_sha256`` goes into the pod's annotations, so that a changed policy changes the pod and kubelet restarts
    it (design decision 8); None leaves the annotation as it is. Raises ManifestError.
    """
    try:
        edited = text
        for flag in configuration.flags:
            edited = _set_flag(edited, flag)
        for mount in configuration.mounts:
            edited = _add_mount(edited, mount)
        if policy_sha256 is not None:
            edited = _annotate(edited, policy_sha256)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    _check_untouched(text, edited, configuration)
    return edited


def revert(text: str, before: str, configuration: AuditConfiguration) -> str:
    """The manifest less what ``edit`` added to it, with the values that ``before`` has for what was there already.

    ``before`` is the manifest as it was before the stack's first change. Only audit logging is taken from it: an
    image or flag that somebody changed since stays as it is now. Raises ManifestError.
    """
    earlier = _load(before)
    try:
        reverted = text
        for flag in configuration.flags:
            reverted = _restore_flag(reverted, flag, flag_value(arguments(before), flag.name))
        for mount in configuration.mounts:
            reverted = _remove_mount(reverted, mount, earlier)
        reverted = _restore_annotation(reverted, earlier)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    _check_untouched(text, reverted, configuration)
    return reverted


def _load(text: str) -> Any:
    try:
        document = yaml_edit.load(text)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    if not isinstance(document, dict) or document.get("kind") != "Pod":
        raise ManifestError("is not a Pod manifest")
    return document


def _container_path(document: Any) -> Path:
    containers = (document.get("spec") or {}).get("containers") or []
    index = yaml_edit.find(containers, "name", CONTAINER)
    if index is None:
        raise ManifestError(f"has no container named {CONTAINER}")
    return ("spec", "containers", index)


def _at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _occurrence(text: str, name: str) -> _Occurrence | None:
    document = _load(text)
    container_path = _container_path(document)
    container = _at(document, container_path)
    found: list[_Occurrence] = []
    for key in ("command", "args"):
        items = [str(item) for item in container.get(key) or []]
        for index, item in enumerate(items):
            if item.startswith(f"--{name}="):
                found.append(_Occurrence((*container_path, key), index, index, item.split("=", 1)[1]))
            elif item == f"--{name}":
                separate = index + 1 < len(items) and not items[index + 1].startswith("--")
                value = items[index + 1] if separate else None
                found.append(_Occurrence((*container_path, key), index, index + separate, value))
    if len(found) > 1:
        raise ManifestError(
            f"has --{name} {len(found)} times ({', '.join(repr(one.value) for one in found)}); "
            "the API server takes the last one: remove the others"
        )
    return found[0] if found else None


def _set_flag(text: str, flag: Flag) -> str:
    there = _occurrence(text, flag.name)
    if there is None:
        document = _load(text)
        container_path = _container_path(document)
        key = "args" if _at(document, container_path).get("args") else "command"
        return yaml_edit.append_item(text, (*container_path, key), str(flag))
    if there.value == flag.value:
        return text
    written = flag.value if there.value_index != there.name_index else str(flag)
    return yaml_edit.set_scalar(text, (*there.list_path, there.value_index), written)


def _restore_flag(text: str, flag: Flag, earlier: str | None) -> str:
    there = _occurrence(text, flag.name)
    if earlier is not None:
        return _set_flag(text, Flag(flag.name, earlier)) if there else text
    if there is None:
        return text
    for index in sorted({there.name_index, there.value_index}, reverse=True):
        text = yaml_edit.remove(text, (*there.list_path, index))
    return text


def _add_mount(text: str, mount: HostMount) -> str:
    document = _load(text)
    container_path = _container_path(document)
    container = _at(document, container_path)
    volumes = document["spec"].get("volumes") or []
    mounts = container.get("volumeMounts") or []
    if _sees(mount, mounts, volumes):
        return text
    for items, where in (
        (mounts, f"{yaml_edit.show(container_path)}.volumeMounts"),
        (volumes, "spec.volumes"),
    ):
        if yaml_edit.find(items, "name", mount.name) is not None:
            raise ManifestError(f"has {mount.name!r} in {where} for something other than {mount.path}; rename that one")
    entry: dict[str, Any] = {"mountPath": mount.path, "name": mount.name}
    if mount.read_only:
        entry["readOnly"] = True
    volume = {"hostPath": {"path": mount.path, "type": mount.path_type}, "name": mount.name}
    text = _append(text, container_path, "volumeMounts", entry)
    return _append(text, ("spec",), "volumes", volume)


def _sees(mount: HostMount, mounts: list[Any], volumes: list[Any]) -> bool:
    """Whether the container sees the node's ``mount.path`` at that same path already; the innermost mount decides."""
    wanted = PurePosixPath(mount.path)
    covering = [entry for entry in mounts if wanted.is_relative_to(PurePosixPath(str(entry.get("mountPath"))))]
    if not covering:
        return False
    innermost = max(covering, key=lambda entry: len(PurePosixPath(str(entry["mountPath"])).parts))
    volume_index = yaml_edit.find(volumes, "name", innermost.get("name"))
    host_path = volumes[volume_index].get("hostPath") if volume_index is not None else None
    mounted_at = PurePosixPath(str(innermost["mountPath"]))
    if host_path and PurePosixPath(str(host_path.get("path"))) / wanted.relative_to(mounted_at) == wanted:
        if mount.read_only or not innermost.get("readOnly"):
            return True
        if mounted_at != wanted:
            return False
        raise ManifestError(
            f"mounts {wanted} read-only ({innermost.get('name')!r}); the API server must write its log there"
        )
    if mounted_at == wanted:
        raise ManifestError(
            f"mounts something else at {wanted} ({innermost.get('name')!r}); give the audit file another path"
        )
    return False


def _innermost_mount(text: str, path: str) -> tuple[str, bool] | None:
    """The node's path of what the container sees at ``path``, and whether it is read-only; None without a hostPath."""
    document = _load(text)
    wanted = PurePosixPath(path)
    mounts = _at(document, _container_path(document)).get("volumeMounts") or []
    covering = [entry for entry in mounts if wanted.is_relative_to(PurePosixPath(str(entry.get("mountPath"))))]
    if not covering:
        return None
    innermost = max(covering, key=lambda entry: len(PurePosixPath(str(entry["mountPath"])).parts))
    volumes = document["spec"].get("volumes") or []
    index = yaml_edit.find(volumes, "name", innermost.get("name"))
    host_path = (volumes[index].get("hostPath") or {}).get("path") if index is not None else None
    if host_path is None:
        return None
    relative = wanted.relative_to(PurePosixPath(str(innermost["mountPath"])))
    return str(PurePosixPath(str(host_path)) / relative), bool(innermost.get("readOnly"))


def _remove_mount(text: str, mount: HostMount, earlier: Any) -> str:
    document = _load(text)
    container_path = _container_path(document)
    earlier_container = _at(earlier, _container_path(earlier))
    for parent, key, had in (
        (container_path, "volumeMounts", earlier_container.get("volumeMounts")),
        (("spec",), "volumes", earlier["spec"].get("volumes")),
    ):
        items = _at(document, parent).get(key) or []
        index = yaml_edit.find(items, "name", mount.name)
        if index is None or yaml_edit.find(had or [], "name", mount.name) is not None:
            continue
        text = yaml_edit.remove(text, (*parent, key, index))
        if len(items) == 1 and had is None:
            text = yaml_edit.remove(text, (*parent, key))
    return text


def _annotate(text: str, policy_sha256: str) -> str:
    metadata = _load(text).get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if POLICY_ANNOTATION in annotations:
        if annotations[POLICY_ANNOTATION] == policy_sha256:
            return text
        return yaml_edit.set_scalar(text, ("metadata", "annotations", POLICY_ANNOTATION), policy_sha256)
    if "annotations" in metadata:
        return yaml_edit.add_key(text, ("metadata", "annotations"), POLICY_ANNOTATION, policy_sha256)
    return yaml_edit.add_key(text, ("metadata",), "annotations", {POLICY_ANNOTATION: policy_sha256})


def _restore_annotation(text: str, earlier: Any) -> str:
    annotations = (_load(text).get("metadata") or {}).get("annotations") or {}
    had = (earlier.get("metadata") or {}).get("annotations")
    if POLICY_ANNOTATION not in annotations:
        return text
    if had and POLICY_ANNOTATION in had:
        return yaml_edit.set_scalar(text, ("metadata", "annotations", POLICY_ANNOTATION), str(had[POLICY_ANNOTATION]))
    text = yaml_edit.remove(text, ("metadata", "annotations", POLICY_ANNOTATION))
    if len(annotations) == 1 and had is None:
        text = yaml_edit.remove(text, ("metadata", "annotations"))
    return text


def _append(text: str, parent: Path, key: str, value: object) -> str:
    if key in _at(_load(text), parent):
        return yaml_edit.append_item(text, (*parent, key), value)
    return yaml_edit.add_key(text, parent, key, [value])


def _check_untouched(before: str, after: str, configuration: AuditConfiguration) -> None:
    if _without_audit(before, configuration) != _without_audit(after, configuration):
        raise ManifestError("cannot be edited in place without changing something else; write it in plain block style")


def _without_audit(text: str, configuration: AuditConfiguration) -> Any:
    document = copy.deepcopy(_load(text))
    container = _at(document, _container_path(document))
    owned_flags = {flag.name for flag in configuration.flags}
    owned_mounts = {mount.name for mount in configuration.mounts}
    for key in ("command", "args"):
        container[key] = _without_flags([str(item) for item in container.get(key) or []], owned_flags)
    for holder, key in ((container, "volumeMounts"), (document["spec"], "volumes")):
        holder[key] = [item for item in holder.get(key) or [] if item.get("name") not in owned_mounts]
    metadata = document.setdefault("metadata", {})
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(POLICY_ANNOTATION, None)
    metadata["annotations"] = annotations
    return document


def _without_flags(items: list[str], names: set[str]) -> list[str]:
    kept: list[str] = []
    skip_value = False
    for item in items:
        if skip_value and not item.startswith("--"):
            skip_value = False
            continue
        skip_value = item.startswith("--") and item[2:] in names
        if not (item.startswith("--") and item[2:].split("=", 1)[0] in names):
            kept.append(item)
    return kept
