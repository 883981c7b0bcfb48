"""Edits of the manifest and of ClusterConfiguration, one YAML file a case.

A case is a few replacements in what kubeadm writes (``given``: from, to), keys of the stack's configuration
(``settings``), and either the lines that the edit adds and takes away (``diff``) or the ``error`` it ends with. Every
case without an error is also edited twice and reverted.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.manifest import kubeadm_config, manifest, manifest_edit
from auditlog.manifest.desired import AuditConfiguration, audit_configuration
from auditlog.manifest.kubeadm_config import KubeadmConfigError
from auditlog.manifest.manifest import ManifestError
from auditlog.manifest.ownership import owned_by
from auditlog.policy.presets import preset_names
from auditlog.settings import parse_settings
from tests.unit.manifest.kubeadm_files import CLUSTER_CONFIGURATION, MANIFEST

CASES = Path(__file__).parent / "cases"
NODES = [
    {
        "name": "cp1",
        "host": "cp1.example.com",
        "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
    }
]
KINDS = {"manifest": MANIFEST, "kubeadm_config": CLUSTER_CONFIGURATION}


def _cases() -> list[Any]:
    return [
        pytest.param(kind, yaml.safe_load(path.read_text()), id=f"{kind}: {path.stem.replace('_', ' ')}")
        for kind in KINDS
        for path in sorted((CASES / kind).glob("*.yaml"))
    ]


def _given(kind: str, case: dict[str, Any]) -> str:
    text = case.get("text", KINDS[kind])
    for replaced, replacement in case.get("given", []):
        assert replaced in text, f"the case replaces {replaced!r}, which is not in the text"
        text = text.replace(replaced, replacement)
    return str(text)


def _edit(kind: str, text: str, configuration: AuditConfiguration) -> str:
    if kind == "manifest":
        return manifest_edit.edit(text, configuration, "0123abcd")
    return kubeadm_config.edit(text, configuration)


def _revert(kind: str, text: str, before: str, configuration: AuditConfiguration) -> str:
    if kind == "manifest":
        return manifest_edit.revert(text, before, owned_by(configuration, manifest.present(before)))
    return kubeadm_config.revert(text, before, owned_by(configuration, kubeadm_config.present(before)))


@pytest.mark.parametrize(("kind", "case"), _cases())
def test_edit(kind: str, case: dict[str, Any]) -> None:
    settings = {"cluster": "test", "nodes": NODES, **case.get("settings", {})}
    parsed = parse_settings(settings, preset_names())
    configuration = audit_configuration(parsed.policy, parsed.log, parsed.webhook)
    before = _given(kind, case)
    if "error" in case:
        with pytest.raises((ManifestError, KubeadmConfigError)) as raised:
            _edit(kind, before, configuration)
        assert case["error"] in str(raised.value)
        return
    edited = _edit(kind, before, configuration)
    changes = [
        line
        for line in difflib.unified_diff(before.splitlines(), edited.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changes == case["diff"]
    assert _edit(kind, edited, configuration) == edited
    assert _revert(kind, edited, before, configuration) == before
