"""The stack's rules that a ruler has now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from auditlog.events.loki import LokiClient, LokiError
from auditlog.events.loki.client import MissingError
from auditlog.observe.loki_access import access_with
from auditlog.observe.ruler import Group, groups_url, namespace_of, ruler_url
from auditlog.settings import LokiSettings, Settings

_NONE = "no rule groups found"


def read_ruler(settings: Settings, loki: LokiSettings) -> Mapping[str, Group]:
    """The groups of the stack's own namespace, by name. Raises LokiError if the ruler cannot be read."""
    namespace = namespace_of(settings.cluster)
    url = ruler_url(settings.alerts, loki)
    client = LokiClient(access_with(loki, url, "alerts.rulerUrl"))
    try:
        answer = client.text(groups_url(url, namespace))
    except MissingError as error:
        if _NONE in str(error):
            return {}
        raise LokiError(f"{error}; the ruler's API may be off (ruler.enable_api)") from error
    return _groups(url, answer, namespace)


def _groups(url: str, answer: bytes, namespace: str) -> Mapping[str, Group]:
    try:
        read: Any = yaml.safe_load(answer)
        return {group["name"]: group for group in (read or {}).get(namespace, ())}
    except (yaml.YAMLError, AttributeError, TypeError, KeyError) as problem:
        raise LokiError(f"{url} does not answer as a ruler does; allowed: the ruler's own address") from problem
