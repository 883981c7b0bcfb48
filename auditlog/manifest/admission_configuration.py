"""The API server's AdmissionConfiguration, with the folder of admission policies that annotate the audit log.

Kubernetes 1.37 reads such policies from files of the node (k8s.io/apiserver pkg/admission/plugin/manifest,
ManifestBasedAdmissionControlConfig). An API server has one AdmissionConfiguration. The stack's is a file beside the
one that was there. That one stays as it is, and its flag comes back when the stack is removed.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from auditlog.errors import AuditlogError
from auditlog.manifest import yaml_edit
from auditlog.manifest.yaml_edit import YamlEditError

ADMISSION_FLAG = "admission-control-config-file"
ADMISSION_PATH = "/etc/kubernetes/audit-admission.yaml"
"""The stack's AdmissionConfiguration on the nodes; ``node/common.sh`` has it too."""
FIRST_MINOR = 37
"""The first minor version whose API server reads admission policies from files by default."""
FEATURE = "ManifestBasedAdmissionControlConfig"
"""The feature gate, which is on by default since then."""
PLUGIN = "ValidatingAdmissionPolicy"
"""The admission plugin that is given the folder."""

_API_VERSION = "apiserver.config.k8s.io/v1"
_KIND, _PLUGIN_KIND = "AdmissionConfiguration", f"{PLUGIN}Configuration"
_FOLDER = "staticManifestsDir"
_SOURCE = "# The API server's admission configuration: that of {source}, and the policies of audit annotations."
_ALONE = "# The API server's admission configuration: the policies of audit annotations."
_SOURCE_LINE = re.compile(r"# The API server's admission configuration: that of (?P<source>/.*), and the policies .*")


class AdmissionConfigurationError(AuditlogError):
    """The AdmissionConfiguration cannot be added to; the message says where, why and what is allowed."""


def with_policies_of(folder: str, there: str | None, source: str | None) -> str:
    """The AdmissionConfiguration whose validating policies come from ``folder``.

    ``there`` is the text of the present one, which the API server has from ``source``; None without one. Everything in
    it stays, and paths that count from its folder become absolute. Raises AdmissionConfigurationError.
    """
    if there is None or source is None:
        plugin = _rendered(_plugin(folder))
        return f"{_ALONE}\napiVersion: {_API_VERSION}\nkind: {_KIND}\nplugins:\n{plugin}"
    document = _document(there)
    plugins = document.get("plugins") or []
    try:
        text = _with_absolute_paths(there, plugins, PurePosixPath(source).parent)
        text = _with_folder(text, document, plugins, folder)
        if _rest(document, source) != _rest(_document(text), source):
            raise AdmissionConfigurationError("cannot be added to; write it in plain block style")
    except YamlEditError as error:
        raise AdmissionConfigurationError(f"cannot be added to: {error}") from error
    return f"{_SOURCE.format(source=source)}\n{text}"


def source_of(text: str) -> str | None:
    """Where the AdmissionConfiguration was that this text was made of by ``with_policies_of``; None if of none."""
    found = _SOURCE_LINE.match(text)
    return found["source"] if found else None


def _plugin(folder: str) -> dict[str, Any]:
    configuration = {"apiVersion": _API_VERSION, "kind": _PLUGIN_KIND, _FOLDER: folder}
    return {"name": PLUGIN, "configuration": configuration}


def _rendered(plugin: dict[str, Any]) -> str:
    lines = [f"- name: {plugin['name']}", "  configuration:"]
    return "".join(f"{line}\n" for line in (*lines, *(f"    {k}: {v}" for k, v in plugin["configuration"].items())))


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml_edit.load(text)
    except YamlEditError as error:
        raise AdmissionConfigurationError(f"is no YAML: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        found = document.get("kind") if isinstance(document, dict) else None
        raise AdmissionConfigurationError(f"has kind {found!r}; allowed: {_KIND}")
    return document


def _with_absolute_paths(text: str, plugins: list[Any], folder: PurePosixPath) -> str:
    for index, plugin in enumerate(plugins):
        path = str(plugin.get("path") or "")
        if path and not path.startswith("/"):
            text = yaml_edit.set_scalar(text, ("plugins", index, "path"), str(folder / path))
    return text


def _with_folder(text: str, document: dict[str, Any], plugins: list[Any], folder: str) -> str:
    index = yaml_edit.find(plugins, "name", PLUGIN)
    if index is None:
        if "plugins" in document:
            return yaml_edit.append_item(text, ("plugins",), _plugin(folder))
        return yaml_edit.add_key(text, (), "plugins", [_plugin(folder)])
    there = plugins[index]
    if there.get("path"):
        raise AdmissionConfigurationError(
            f"has the configuration of {PLUGIN} in {there['path']}; allowed: the same as `configuration` in this file"
        )
    configured = there.get("configuration")
    at = ("plugins", index)
    if not isinstance(configured, dict):
        kept = yaml_edit.remove(text, (*at, "configuration")) if "configuration" in there else text
        return yaml_edit.add_key(kept, at, "configuration", _plugin(folder)["configuration"])
    present = configured.get(_FOLDER)
    if present in (None, ""):
        kept = yaml_edit.remove(text, (*at, "configuration", _FOLDER)) if _FOLDER in configured else text
        return yaml_edit.add_key(kept, (*at, "configuration"), _FOLDER, folder)
    if PurePosixPath(str(present)) != PurePosixPath(folder):
        raise AdmissionConfigurationError(
            f"has {_FOLDER} {present} for {PLUGIN}, and an API server reads one folder; "
            f"allowed: annotations.folder: {present}"
        )
    return text


def _rest(document: dict[str, Any], source: str) -> Any:
    """All that is not the stack's own, which no edit may change."""
    folder = PurePosixPath(source).parent
    plugins = [
        {**each, "path": str(folder / str(each["path"]))} if each.get("path") else each
        for each in document.get("plugins") or []
        if each.get("name") != PLUGIN
    ]
    return {**document, "plugins": plugins}
