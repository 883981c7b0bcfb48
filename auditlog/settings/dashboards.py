"""The settings of the Grafana dashboards."""

from __future__ import annotations

import re

from auditlog.settings.hosts import is_name
from auditlog.settings.model import DashboardMode, DashboardSettings
from auditlog.settings.reader import Reader

_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_MATCHER = re.compile(r'[a-z_]\w*(=|!=|=~|!~)"[^"\\{}$]*"(, *[a-z_]\w*(=|!=|=~|!~)"[^"\\{}$]*")*', re.IGNORECASE)


def parse_dashboards(reader: Reader | None) -> DashboardSettings:
    if reader is None:
        return DashboardSettings()
    reader.allow_only(
        "mode", "namespace", "folder", "folderAnnotation", "label", "labelValue", "instanceSelector", "apiServerMetrics"
    )
    default = DashboardSettings()
    mode = reader.choice("mode", DashboardMode) if reader.has("mode") else default.mode
    return DashboardSettings(
        mode=mode or default.mode,
        namespace=reader.text("namespace", is_name, "the name of an existing namespace") or default.namespace,
        folder=reader.text("folder", bool, "the name of a folder in Grafana") or default.folder,
        folder_annotation=reader.text("folderAnnotation", is_label_key, "the name of an annotation")
        or default.folder_annotation,
        label=reader.text("label", is_label_key, "the name of a label") or default.label,
        label_value=reader.text("labelValue", is_label_value, "the value of a label") or default.label_value,
        instance_selector=reader.labels("instanceSelector", is_label_key, is_label_value) or default.instance_selector,
        api_server_metrics=reader.text("apiServerMetrics", is_matcher, 'PromQL matchers such as job="apiserver"')
        or default.api_server_metrics,
    )


def is_label_key(value: str) -> bool:
    """Whether Kubernetes takes this for the name of a label or an annotation."""
    return _LABEL_KEY.fullmatch(value) is not None


def is_label_value(value: str) -> bool:
    """Whether Kubernetes takes this for a label's value; the empty one is not useful here."""
    return _LABEL_VALUE.fullmatch(value) is not None


def is_matcher(value: str) -> bool:
    """Whether these are plain PromQL matchers, without braces."""
    return _MATCHER.fullmatch(value) is not None
