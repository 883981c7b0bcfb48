"""The Pulumi package schema of the component ``AuditLogging``: made from the declarations that the parser reads by.

From it the Pulumi CLI makes typed SDKs for programs in other languages. It has types, descriptions, what is required
and what is secret. Only descriptions hold defaults. An SDK would send a schema's default, and a setting that is given
is not the same as one that is not. The component checks what else is allowed when it is constructed, with the words of
``config check``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from auditlog import __version__
from auditlog.settings.description import description
from auditlog.settings.kinds import Boolean, Choice, Integer, Number, OneOf, Switch, Text
from auditlog.settings.kinds_of_many import Choices, Entries, Items, Labels, Names, TextOrMapping, Texts
from auditlog.settings.outputs import OUTPUTS, TYPES
from auditlog.settings.parse import SECRETS, STACK
from auditlog.settings.reader import FlagOrGroup, Group, Groups
from auditlog.settings.setting import JsonSchema, Kind, Setting

NAME = "kubernetes-audit"
"""The name of the project and of its package."""
COMPONENT = f"{NAME}:index:AuditLogging"

_LANGUAGES: Mapping[str, JsonSchema] = {
    "nodejs": {},
    "python": {"packageName": "pulumi_kubernetes_audit", "pyproject": {"enabled": True}},
    "go": {"importBasePath": f"example.com/pulumi-{NAME}/sdk/go/kubernetesaudit"},
    "csharp": {"namespaces": {NAME: "KubernetesAudit"}},
    "java": {},
}
"""What an SDK is called, where the generator would not call it so by itself."""
_DESCRIPTION = (
    "Kubernetes API-server audit logging on one kubeadm cluster: the audit policy, the kube-apiserver static pod of "
    "every control-plane node and the kubeadm-config ConfigMap. A preview reads the nodes and shows the exact edit of "
    "every file. An update changes one node at a time, waits until it is healthy, and otherwise rolls back."
)
_TEXT: JsonSchema = {"type": "string"}
_ANY: JsonSchema = {"$ref": "pulumi.json#/Any"}


def package_schema() -> JsonSchema:
    """The schema as Pulumi's metaschema wants it.

    It has no ``publisher``, ``repository``, ``homepage`` and ``license``: this project has none yet.
    https://github.com/pulumi/pulumi/blob/master/pkg/codegen/schema/pulumi.json
    """
    types = _Types({})
    settings = (*STACK.settings, *SECRETS)
    inputs = types.properties(Group(settings), "")
    outputs = {f"{NAME}:index:{name}": shape for name, shape in TYPES.items()}
    return {
        "name": NAME,
        "version": package_version(),
        "displayName": "Kubernetes API-server audit logging",
        "description": _DESCRIPTION,
        "keywords": ["pulumi", "kubernetes", "category/infrastructure", "kind/component"],
        "language": {language: {"respectSchemaVersion": True, **names} for language, names in _LANGUAGES.items()},
        "resources": {
            COMPONENT: {
                "isComponent": True,
                "description": _DESCRIPTION,
                "inputProperties": inputs,
                "requiredInputs": [setting.key for setting in settings if setting.required],
                "properties": {output.name: {"description": output.about, **output.shape} for output in OUTPUTS},
                "required": [output.name for output in OUTPUTS if output.always],
            }
        },
        "types": dict(sorted({**types.found, **outputs}.items())),
    }


def package_schema_text() -> str:
    """The schema as the file that is checked in."""
    return json.dumps(package_schema(), indent=2, ensure_ascii=False) + "\n"


def package_version() -> str:
    """The version of the package, which is the project's."""
    return __version__


class _Types:
    """Collects the named types that properties refer to. A type is called by the way that leads to it."""

    def __init__(self, found: dict[str, JsonSchema]) -> None:
        self.found = found

    def properties(self, group: Group, path: str) -> Mapping[str, JsonSchema]:
        return {setting.key: self._property(setting, path + _capitalized(setting.key)) for setting in group.settings}

    def _property(self, setting: Setting[Any], path: str) -> JsonSchema:
        secret = {"secret": True} if _holds_secret(setting) else {}
        return {
            "description": description(setting, on_and_off_as_booleans=True),
            **self._shape(setting.kind, path),
            **secret,
        }

    def _shape(self, kind: Kind[Any], path: str) -> JsonSchema:
        match kind:
            case Text() | OneOf():
                return _TEXT
            case Choice():
                return self._named(path, {"type": "string", "enum": [{"value": each.value} for each in kind.choices]})
            case Boolean() | Switch():
                return {"type": "boolean"}
            case Integer():
                return {"type": "integer"}
            case Number():
                return {"type": "number"}
            case Texts() | Choices() | Names():
                return {"type": "array", "items": _TEXT}
            case Items():
                return {"type": "array", "items": _ANY}
            case Labels():
                return {"type": "object", "additionalProperties": _TEXT}
            case Entries():
                return {"type": "object", "additionalProperties": self._shape(kind.kind, path)}
            case TextOrMapping():
                return _ANY
            case Group():
                return self._group(kind, path)
            case Groups():
                return {"type": "array", "items": self._group(kind.group, path.removesuffix("s"))}
            case FlagOrGroup():
                return {"oneOf": [{"type": "boolean"}, self._group(kind.group, path)]}
        raise TypeError(f"{path}: a package schema has no form yet for {type(kind).__name__}")

    def _group(self, group: Group, path: str) -> JsonSchema:
        return self._named(
            path,
            {
                "type": "object",
                "properties": self.properties(group, path),
                "required": [setting.key for setting in group.settings if setting.required],
            },
        )

    def _named(self, path: str, shape: JsonSchema) -> JsonSchema:
        token = f"{NAME}:index:{path}"
        self.found[token] = shape
        return {"$ref": f"#/types/{token}"}


def _holds_secret(setting: Setting[Any]) -> bool:
    """A mapping that holds a secret is one as a whole: an SDK wraps properties at the top only."""
    inner = setting.kind.settings if isinstance(setting.kind, Group) else ()
    return setting.secret or any(map(_holds_secret, inner))


def _capitalized(key: str) -> str:
    return key[:1].upper() + key[1:]
