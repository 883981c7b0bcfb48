"""``Pulumi.yaml``: the project, and the typed configuration that is made from the settings' declarations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from auditlog.settings.description import with_keys
from auditlog.settings.kinds import Boolean, Integer
from auditlog.settings.parse import STACK
from auditlog.settings.reader import Group, Groups
from auditlog.settings.setting import Setting, plain

_HEAD = """\
# Made by `auditlog config project`; `make lint` fails when it is not what the program reads by.
name: kubernetes-audit
description: Kubernetes API-server audit logging on kubeadm clusters
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
# For pulumi new. It leaves this section out of the new project; what is for a stack of it is asked for as below.
template:
  displayName: Kubernetes audit logging
  description: Kubernetes API-server audit logging on a kubeadm cluster
  config:
    cluster:
      description: The cluster's name, of lower-case letters, digits, '-' and '.'
  quickstart: |
    Next: docs/quick-start.md, which has the node, its host key and the private key for the stack file, and a first
    preview that changes nothing. Pulumi.dev.yaml, Pulumi.staging.yaml and Pulumi.prod.yaml are examples.
config:
"""
_TAIL = """\
# The secrets sshPrivateKey, sshReadingPrivateKey and kubeconfig are not listed: what is listed here and secret would be
# required, and each of them can be done without. The program checks that they are kept encrypted.
"""
_TYPES = {Group: "object", Groups: "array", Boolean: "boolean", Integer: "integer"}
_EMPTY: dict[str, Any] = {"object": {}, "string": ""}


def project_file_text() -> str:
    """The file that is checked in."""
    return _HEAD + "".join(f"{line}\n" for setting in STACK.settings for line in _entry(setting)) + _TAIL


def project_defaults() -> Mapping[str, Any]:
    """What the engine hands over for each key that a stack does not set."""
    return {
        setting.key: _default(setting, _TYPES.get(type(setting.kind), "string"))
        for setting in STACK.settings
        if not setting.required
    }


def _entry(setting: Setting[Any]) -> Iterator[str]:
    kind = _TYPES.get(type(setting.kind), "string")
    yield f"  {setting.key}:"
    yield f"    type: {kind}"
    if kind == "array":
        yield "    items:"
        yield "      type: object"
    if not setting.required:
        yield f"    default: {json.dumps(_default(setting, kind))}"
    yield f"    description: {json.dumps(with_keys(setting), ensure_ascii=False)}"


def _default(setting: Setting[Any], kind: str) -> Any:
    default = plain(setting.default)
    if kind == "string" and isinstance(default, bool):
        return "on" if default else "off"
    return _EMPTY[kind] if default is None else default
