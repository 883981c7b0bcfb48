"""Rules for a ruler's API: each group's address, the command that sends it, and how the live group differs.

The API is Loki's, https://grafana.com/docs/loki/latest/reference/loki-http-api/#ruler-endpoints.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from auditlog.observe.rules import RuleFile, RuleScope
from auditlog.settings import AlertSettings, LokiSettings
from auditlog.units import seconds_of

Group = Mapping[str, Any]

_ESCAPED = {"\\": r"\\", '"': r"\"", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\v": r"\v"}


def ruler_url(alerts: AlertSettings, loki: LokiSettings) -> str:
    """The address of the ruler's API, without a path."""
    return (alerts.ruler_url or loki.query_url or loki.url).rstrip("/")


def namespace_of(cluster: str) -> str:
    """The namespace of rules that belongs to one stack alone."""
    return f"kubernetes-audit-{cluster}"


@dataclass(frozen=True, slots=True)
class DeliveredGroup:
    """One group, and what a command on this machine needs to send it to the ruler or to delete it there."""

    name: str
    """The group's name in the ruler."""
    short: str
    """The group's name within the stack."""
    text: str
    """The body of the request."""
    environment: Mapping[str, str]
    """The variables of ``ruler.sh``, without credentials."""
    secret_environment: Mapping[str, str]
    """The variables of ``ruler.sh`` with credentials."""
    identity: tuple[str, ...]
    """Identifies the group in a ruler. If it changes, the old group is deleted first."""


def delivered_groups(rules: RuleFile, scope: RuleScope, loki: LokiSettings) -> tuple[DeliveredGroup, ...]:
    """Every group of the file, for the ruler of the settings."""
    namespace = namespace_of(scope.cluster)
    access = _curl_options(loki)
    credentials = {"RULER_ACCESS": access} if access else {}
    return tuple(
        DeliveredGroup(
            name=group["name"],
            short=group["name"].removeprefix(f"{namespace}-"),
            text=yaml.safe_dump(group, sort_keys=False, width=10_000, allow_unicode=True),
            environment={
                "RULER_GROUPS": groups_url(ruler_url(scope.settings, loki), namespace),
                "RULER_GROUP": quote(group["name"], safe=""),
                **({"RULER_AUTHORITY": loki.certificate_authority} if loki.certificate_authority else {}),
            },
            secret_environment=credentials,
            identity=(loki.tenant or "", namespace, group["name"]),
        )
        for group in rules.groups
    )


def groups_url(url: str, namespace: str) -> str:
    """The URL of the groups of a namespace."""
    return f"{url}/loki/api/v1/rules/{quote(namespace, safe='')}"


def command(action: str, because: str = "") -> str:
    """What /bin/sh runs. ``action`` is apply or delete. ``because``: why it must run although nothing else changed."""
    reason = f"# {because}\n" if because else ""
    return f"{reason}set -- {action}\n{Path(__file__).with_name('ruler.sh').read_text()}"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a ruler's group differs from the stack's: ``reason`` in a few words, and ``diff`` from the live one or ""."""

    reason: str
    diff: str = ""


def drift_of(wanted: Group, live: Group | None) -> Drift | None:
    """How the live group differs; None if it does not. Spans of time are equal if they last equally long."""
    if live is None:
        return Drift("is not in the ruler")
    if _plain(wanted) == _plain(live):
        return None
    edit = difflib.unified_diff(_lines(live), _lines(wanted), "in the ruler", "wanted", n=1)
    return Drift("differs in the ruler", "".join(edit))


def _lines(group: Group) -> list[str]:
    return yaml.safe_dump(_plain(group), width=10_000, allow_unicode=True).splitlines(keepends=True)


def _plain(group: Group) -> dict[str, Any]:
    """The group without empty values, such as 0s or an empty map, which a ruler may add."""
    rules = [_spans({**rule, "expr": str(rule.get("expr", "")).strip()}) for rule in group.get("rules") or ()]
    return {**_spans({key: value for key, value in group.items() if key != "rules"}), "rules": rules}


def _spans(values: Mapping[str, Any]) -> dict[str, Any]:
    read = {key: _seconds(str(value)) if key in ("interval", "for") else value for key, value in values.items()}
    return {key: value for key, value in read.items() if value}


def _seconds(text: str) -> float | str:
    try:
        return seconds_of(text)
    except ValueError:
        return text


def _curl_options(loki: LokiSettings) -> str:
    """Tenant and credentials in the format of a curl configuration file (https://curl.se/docs/manpage.html#-K)."""
    lines = []
    if loki.tenant:
        lines.append(_option("header", f"X-Scope-OrgID: {loki.tenant}"))
    if loki.username:
        lines.append(_option("user", f"{loki.username}:{loki.password or ''}"))
    return "\n".join(lines)


def _option(name: str, value: str) -> str:
    return f'{name} = "{_escaped(value)}"'


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)
