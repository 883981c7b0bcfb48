"""The edits of the kube-apiserver static-pod manifest that change audit logging and nothing else.

``edit`` upserts flags, mounts and annotations. ``retire`` and ``revert`` take them out again and restore the earlier
values. Everything else in the file stays as it is, comments and order included. Each result is parsed again and
compared: a file that cannot be edited safely ends in an error, not in a broken manifest.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from auditlog.manifest import manifest, yaml_edit
from auditlog.manifest.admission_configuration import ADMISSION_FLAG
from auditlog.manifest.arguments import read_arguments
from auditlog.manifest.audit_flags import WEBHOOK_FLAG, means_the_same
from auditlog.manifest.desired import (
    ADMISSION_ANNOTATION,
    POLICY_ANNOTATION,
    WEBHOOK_ANNOTATION,
    AuditConfiguration,
    Flag,
    HostMount,
)
from auditlog.manifest.manifest import ManifestError
from auditlog.manifest.ownership import Owned
from auditlog.manifest.yaml_edit import Path, YamlEditError
from auditlog.node_paths import API_SERVER

_ANNOTATIONS = (POLICY_ANNOTATION, WEBHOOK_ANNOTATION, ADMISSION_ANNOTATION)
_OF_FLAG = {WEBHOOK_FLAG: WEBHOOK_ANNOTATION, ADMISSION_FLAG: ADMISSION_ANNOTATION}
"""Annotations that go with a flag."""
_BARE = f"kind: Pod\nspec: {{containers: [{{name: {API_SERVER}}}]}}\n"


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """Where a flag stands, and the item that its name is in.

    ``name_path`` and ``value_path`` are the same where the value is joined to the name, or there is none.
    """

    name_path: Path
    value_path: Path
    item: str
    value: str | None

    @property
    def is_split(self) -> bool:
        return self.name_path != self.value_path


def edit(
    text: str,
    configuration: AuditConfiguration,
    policy_sha256: str | None,
    webhook_sha256: str | None = None,
    admission_sha256: str | None = None,
) -> str:
    """The manifest with these flags and mounts in it; the same text when it has them already, however written.

    The hashes of files that are read at the start go into the pod's annotations. A changed file thus changes the pod,
    and kubelet restarts it. None leaves an annotation as it is. Raises ManifestError.
    """
    try:
        edited = text
        for flag in configuration.flags:
            edited = _set_flag(edited, flag)
        for mount in configuration.mounts:
            edited = _add_mount(edited, mount)
        for name, value in zip(_ANNOTATIONS, (policy_sha256, webhook_sha256, admission_sha256), strict=True):
            if value is not None:
                edited = _annotate(edited, name, value)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    flags = {flag.name for flag in configuration.flags}
    _check_untouched(text, edited, flags, {mount.name for mount in configuration.mounts})
    return edited


def retire(text: str, before: str, owned: Owned) -> str:
    """The manifest less the flags and mounts in ``owned``, with what ``before`` has for those that were there already.

    ``before`` is the manifest as it was before the stack's first change. Only audit logging is taken from it: an
    image or flag that somebody changed since stays as it is now. Raises ManifestError.
    """
    return _give_back(text, before, owned, [name for flag, name in _OF_FLAG.items() if flag in owned.flags])


def revert(text: str, before: str, owned: Owned) -> str:
    """The manifest without audit logging of the stack: ``retire`` of all it owns, and of its annotations."""
    return _give_back(text, before, owned, _ANNOTATIONS)


def strip(text: str, owned: Owned) -> str:
    """The manifest as if what is owned had never been in it, for a node that was made with it. Raises ManifestError."""
    return _give_back(text, _BARE, owned, _ANNOTATIONS)


def _give_back(text: str, before: str, owned: Owned, annotations: Collection[str]) -> str:
    earlier = manifest.load(before)
    try:
        edited = text
        for name in owned.flags:
            edited = _restore_flag(edited, name, _occurrence(before, name))
        for name, path in owned.mounts.items():
            edited = _remove_mount(edited, name, path, earlier)
        for name in annotations:
            edited = _restore_annotation(edited, name, earlier)
    except YamlEditError as error:
        raise ManifestError(str(error)) from error
    _check_untouched(text, edited, owned.flags, owned.mounts.keys())
    return edited


def _occurrence(text: str, name: str) -> _Occurrence | None:
    document = manifest.load(text)
    container_path = manifest.container_path(document)
    container = manifest.at(document, container_path)
    found: list[_Occurrence] = []
    for key in ("command", "args"):
        items = [str(item) for item in container.get(key) or []]
        path = (*container_path, key)
        found += [
            _Occurrence((*path, one.name_index), (*path, one.value_index), items[one.name_index], one.value)
            for one in read_arguments(items)
            if one.name == name
        ]
    if len(found) > 1:
        raise ManifestError(
            f"has --{name} {len(found)} times ({', '.join(repr(one.value) for one in found)}); "
            "the API server takes the last one: remove the others"
        )
    return found[0] if found else None


def _set_flag(text: str, flag: Flag) -> str:
    there = _occurrence(text, flag.name)
    if there is None:
        document = manifest.load(text)
        container_path = manifest.container_path(document)
        key = "args" if manifest.at(document, container_path).get("args") else "command"
        return yaml_edit.append_item(text, (*container_path, key), str(flag))
    if means_the_same(flag.name, there.value, flag.value):
        return text
    return yaml_edit.set_scalar(text, there.value_path, flag.value if there.is_split else str(flag))


def _restore_flag(text: str, name: str, earlier: _Occurrence | None) -> str:
    there = _occurrence(text, name)
    if there is None:
        return text
    if earlier is None:
        if there.is_split:
            text = yaml_edit.remove(text, there.value_path)
        return yaml_edit.remove(text, there.name_path)
    if there.is_split or earlier.is_split:
        value = earlier.value or ""
        return yaml_edit.set_scalar(text, there.value_path, value if there.is_split else str(Flag(name, value)))
    return yaml_edit.set_scalar(text, there.name_path, earlier.item)


def _add_mount(text: str, mount: HostMount) -> str:
    document = manifest.load(text)
    container_path = manifest.container_path(document)
    container = manifest.at(document, container_path)
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


def _remove_mount(text: str, name: str, path: str, earlier: Any) -> str:
    document = manifest.load(text)
    container_path = manifest.container_path(document)
    earlier_container = manifest.at(earlier, manifest.container_path(earlier))
    for parent, key, had in (
        (container_path, "volumeMounts", earlier_container.get("volumeMounts")),
        (("spec",), "volumes", earlier["spec"].get("volumes")),
    ):
        items = manifest.at(document, parent).get(key) or []
        index = yaml_edit.find(items, "name", name)
        if index is None or yaml_edit.find(had or [], "name", name) is not None:
            continue
        item = items[index]
        there = item.get("mountPath") if key == "volumeMounts" else (item.get("hostPath") or {}).get("path")
        if PurePosixPath(str(there)) != PurePosixPath(path):
            continue
        text = yaml_edit.remove(text, (*parent, key, index))
        if len(items) == 1 and had is None:
            text = yaml_edit.remove(text, (*parent, key))
    return text


def _annotate(text: str, name: str, value: str) -> str:
    metadata = manifest.load(text).get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if name in annotations:
        if annotations[name] == value:
            return text
        return yaml_edit.set_scalar(text, ("metadata", "annotations", name), value)
    if "annotations" in metadata:
        return yaml_edit.add_key(text, ("metadata", "annotations"), name, value)
    return yaml_edit.add_key(text, ("metadata",), "annotations", {name: value})


def _restore_annotation(text: str, name: str, earlier: Any) -> str:
    annotations = (manifest.load(text).get("metadata") or {}).get("annotations") or {}
    had = (earlier.get("metadata") or {}).get("annotations")
    if name not in annotations:
        return text
    if had and name in had:
        return yaml_edit.set_scalar(text, ("metadata", "annotations", name), str(had[name]))
    text = yaml_edit.remove(text, ("metadata", "annotations", name))
    if len(annotations) == 1 and had is None:
        text = yaml_edit.remove(text, ("metadata", "annotations"))
    return text


def _append(text: str, parent: Path, key: str, value: object) -> str:
    if key in manifest.at(manifest.load(text), parent):
        return yaml_edit.append_item(text, (*parent, key), value)
    return yaml_edit.add_key(text, parent, key, [value])


def _check_untouched(before: str, after: str, flags: Collection[str], mounts: Collection[str]) -> None:
    if _without_audit(before, flags, mounts) != _without_audit(after, flags, mounts):
        raise ManifestError("cannot be edited in place without changing something else; write it in plain block style")


def _without_audit(text: str, flags: Collection[str], mounts: Collection[str]) -> Any:
    document = copy.deepcopy(manifest.load(text))
    container = manifest.at(document, manifest.container_path(document))
    for key in ("command", "args"):
        items = [str(item) for item in container.get(key) or []]
        audit = {
            index for one in read_arguments(items) if one.name in flags for index in (one.name_index, one.value_index)
        }
        container[key] = [item for index, item in enumerate(items) if index not in audit]
    for holder, key in ((container, "volumeMounts"), (document["spec"], "volumes")):
        holder[key] = [item for item in holder.get(key) or [] if item.get("name") not in mounts]
    metadata = document.setdefault("metadata", {})
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {name: value for name, value in annotations.items() if name not in _ANNOTATIONS}
    return document
