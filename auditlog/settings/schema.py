"""JSON Schema (2020-12) of stack files, for editors: made from the declarations that the parser reads by.

It refuses nothing that the program takes. ``config check`` has what it cannot say. That is what holds between keys,
such as a batch with mode blocking, and what a text means, such as a certificate's content.
"""

from __future__ import annotations

import json

from auditlog.settings.fleet import STACK_FILE_ONLY
from auditlog.settings.kinds import Boolean, Integer, Text
from auditlog.settings.package_schema import NAME
from auditlog.settings.parse import SECRETS, STACK
from auditlog.settings.reader import setting_schema
from auditlog.settings.setting import JsonSchema, Setting

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def stack_file_schema() -> JsonSchema:
    """The schema of this project's stack files.

    A key may have the project's name before it. Keys of other namespaces are left alone.
    """
    settings = (*STACK.settings, *STACK_FILE_ONLY, *SECRETS)
    config: JsonSchema = {
        "type": "object",
        "properties": {
            name: {"$ref": f"#/$defs/{setting.key}"}
            for setting in settings
            for name in (f"{NAME}:{setting.key}", setting.key)
        },
        "patternProperties": {f"^(?!{NAME}:)[^:]+:": True},
        "additionalProperties": False,
        "allOf": [
            {"anyOf": [{"required": [f"{NAME}:{setting.key}"]}, {"required": [setting.key]}]}
            for setting in settings
            if setting.required
        ],
    }
    return {
        "$schema": _DIALECT,
        "title": f"Stack file of {NAME}",
        "description": "Made by `auditlog config schema`; `auditlog config check` checks more.",
        "type": "object",
        "properties": {
            "config": config,
            "environment": True,
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "encryptionsalt": {"type": "string"},
        },
        "additionalProperties": False,
        "required": ["config"],
        "$defs": {
            "encrypted": {
                "description": "An encrypted value, as pulumi config set --secret writes it.",
                "type": "object",
                "properties": {"secure": {"type": "string"}},
                "required": ["secure"],
                "additionalProperties": False,
            },
            **{setting.key: _top_schema(setting) for setting in settings},
        },
    }


def schema_text() -> str:
    """The schema as the file that is checked in."""
    return json.dumps(stack_file_schema(), indent=2, ensure_ascii=False) + "\n"


def _top_schema(setting: Setting[object]) -> JsonSchema:
    """At the top the CLI writes numbers and booleans as texts, and takes a bare number for a text."""
    if isinstance(setting.kind, Text):
        return setting_schema(setting, {"type": "null"} if setting.secret else {"type": ["number", "boolean"]})
    if isinstance(setting.kind, Integer):
        return setting_schema(setting, {"type": "string", "pattern": "^[0-9]+$"})
    if isinstance(setting.kind, Boolean):
        return setting_schema(setting, {"enum": ["true", "false"]})
    return setting_schema(setting)
