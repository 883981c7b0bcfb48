"""Rules for the API of a ruler: each group's address, the command that gives it, and what differs there now.

The API is Loki's, https://grafana.com/docs/loki/latest/reference/loki-http-api/#ruler-endpoints.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from auditlog.observe.rules import RuleFile, RuleScope
from auditlog.settings import AlertSettings, LokiSettings

Group = Mapping[str, Any]

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PARTS = re.compile(r"(\d+)(ms|s|m|h|d|w|y)")
_ESCAPED = {"\\": r"\\", '"': r"\"", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\v": r"\v"}


def ruler_url(alerts: AlertSettings, loki: LokiSettings) -> str:
    """Where the ruler's API is, without its path."""
    return (alerts.ruler_url or loki.query_url or loki.url).rstrip("/")


def namespace_of(cluster: str) -> str:
    """The namespace of rules that a stack has for itself."""
    return f"kubernetes-audit-{cluster}"


@dataclass(frozen=True, slots=True)
class DeliveredGroup:
    """One group, and what a command on this machine needs to give it to the ruler or to take it away again.

    ``name`` is the group's own, ``short`` what it is called within the stack. ``text`` is the body of the request.
    ``environment`` has the variables of ``ruler.sh``, ``secret_environment`` those with credentials. ``identity`` tells
    groups of a ruler apart: with another one the old group is taken away first.
    """

    name: str
    short: str
    text: str
    environment: Mapping[str, str]
    secret_environment: Mapping[str, str]
    identity: tuple[str, ...]


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
    """Where the groups of a namespace are."""
    return f"{url}/loki/api/v1/rules/{quote(namespace, safe='')}"


def command(action: str, because: str = "") -> str:
    """What /bin/sh runs. ``action`` is apply or delete, ``because`` why it has to run although nothing else changed."""
    reason = f"# {because}\n" if because else ""
    return f"{reason}set -- {action}\n{Path(__file__).with_name('ruler.sh').read_text()}"


@dataclass(frozen=True, slots=True)
class Drift:
    """How a ruler's group differs from the stack's: ``reason`` in a few words, ``diff`` from the live one, or ""."""

    reason: str
    diff: str = ""


def drift_of(wanted: Group, live: Group | None) -> Drift | None:
    """None where the ruler has the group as it is wanted. Spans of time are equal if they last equally long."""
    if live is None:
        return Drift("is not in the ruler")
    if _plain(wanted) == _plain(live):
        return None
    edit = difflib.unified_diff(_lines(live), _lines(wanted), "in the ruler", "wanted", n=1)
    return Drift("differs in the ruler", "".join(edit))


def _lines(group: Group) -> list[str]:
    return yaml.safe_dump(_plain(group), width=10_000, allow_unicode=True).splitlines(keepends=True)


def _plain(group: Group) -> dict[str, Any]:
    """The group as far as it means something: what a ruler writes for nothing (0s, an empty map) is left out."""
    rules = [_spans({**rule, "expr": str(rule.get("expr", "")).strip()}) for rule in group.get("rules") or ()]
    return {**_spans({key: value for key, value in group.items() if key != "rules"}), "rules": rules}


def _spans(values: Mapping[str, Any]) -> dict[str, Any]:
    read = {key: _seconds(str(value)) if key in ("interval", "for") else value for key, value in values.items()}
    return {key: value for key, value in read.items() if value}


def _seconds(text: str) -> float | str:
    parts = _PARTS.findall(text)
    if "".join(map("".join, parts)) != text:
        return text
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _curl_options(loki: LokiSettings) -> str:
    """Tenant and credentials, as curl reads them from a file (https://curl.se/docs/manpage.html#-K)."""
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
