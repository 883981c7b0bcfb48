"""The settings of alerts: which detections, their thresholds, and where the rules go."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from auditlog.observe.detections.catalogue import DETECTIONS
from auditlog.observe.detections.model import Events
from auditlog.observe.detections.promql import SELECTORS
from auditlog.settings.dashboards import is_label_key, is_label_value, is_matcher
from auditlog.settings.hosts import is_name
from auditlog.settings.model import AlertSettings, LokiRules, PrometheusRules
from auditlog.settings.reader import Reader

_FOLDER = re.compile(r"[A-Za-z0-9!_.*'()-]{1,150}")
"""What Loki allows in a tenant's name (dskit, tenant.ValidTenantID)."""

_IDS = tuple(each.id for each in DETECTIONS)
_WITH_USERS = tuple(each.id for each in DETECTIONS if isinstance(each.source, Events))
Kind = TypeVar("Kind", bound=StrEnum)


def parse_alerts(reader: Reader | None) -> AlertSettings:
    if reader is None:
        return AlertSettings()
    reader.allow_only(
        "loki",
        "prometheus",
        "namespace",
        "disable",
        "thresholds",
        "ignoreUsers",
        "selectors",
        "labels",
        "lokiFolder",
        "runbooks",
    )
    disable = reader.texts("disable")
    for each in disable:
        _check_id(reader, "disable", each, _IDS)
    return AlertSettings(
        loki=_choice(reader, "loki", LokiRules, LokiRules.OFF),
        prometheus=_choice(reader, "prometheus", PrometheusRules, PrometheusRules.OFF),
        namespace=reader.text("namespace", is_name, "the name of an existing namespace") or "monitoring",
        disable=disable,
        thresholds=_entries(reader, "thresholds", _IDS, _is_threshold, "a number of 0 or more"),
        ignore_users=MappingProxyType(
            {
                key: tuple(value)
                for key, value in _entries(
                    reader, "ignoreUsers", _WITH_USERS, _is_names, "a list of user names"
                ).items()
            }
        ),
        selectors=_entries(reader, "selectors", SELECTORS, _is_selector, 'PromQL matchers such as job="apiserver"'),
        labels=reader.labels("labels", is_label_key, is_label_value) or AlertSettings().labels,
        loki_folder=reader.text("lokiFolder", lambda value: bool(_FOLDER.fullmatch(value)), "the name of a Loki tenant")
        or "fake",
        runbooks=reader.text("runbooks", lambda value: value.startswith(("https://", "http://")), "a URL"),
    )


def _choice(reader: Reader, key: str, kinds: type[Kind], default: Kind) -> Kind:
    return (reader.choice(key, kinds) or default) if reader.has(key) else default


def _entries(
    reader: Reader, key: str, names: tuple[str, ...], valid: Callable[[Any], bool], allowed: str
) -> Mapping[str, Any]:
    """A mapping whose keys are among `names` and whose values are valid."""
    values = reader.mapping(key)
    for name, value in values.items():
        _check_id(reader, key, name, names)
        if not valid(value):
            reader.problem(f"{key}.{name}", f"is {value!r}", allowed)
    return MappingProxyType(dict(values))


def _check_id(reader: Reader, key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value in allowed:
        return
    close = difflib.get_close_matches(value, allowed, n=1)
    hint = f", did you mean {close[0]!r}" if close else ""
    listed = ", ".join(allowed) if len(allowed) < 10 else "an id that `python -m auditlog detections` shows for this"
    reader.problem(key, f"has {value!r}{hint}", listed)


def _is_threshold(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and math.isfinite(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_text(each) for each in value)


def _is_selector(value: Any) -> bool:
    return isinstance(value, str) and is_matcher(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()
