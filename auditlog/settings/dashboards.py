"""The settings of the Grafana dashboards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from auditlog.settings.hosts import NAME
from auditlog.settings.kinds import Choice, Text
from auditlog.settings.kinds_of_many import Labels
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted, optional

_LABEL_KEY = r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*(=|!=|=~|!~)"[^"\\{}$]*"'
MATCHERS = Text('PromQL matchers such as job="apiserver"', f"{_MATCHER}(, *{_MATCHER})*")
NAMESPACE_THAT_EXISTS = Text("the name of an existing namespace", NAME)


_GRAFANA: Mapping[str, str] = MappingProxyType({"dashboards": "grafana"})


class DashboardMode(StrEnum):
    """How dashboards get into Grafana."""

    OFF = "off"
    CONFIGMAP = "configmap"
    """ConfigMaps that the sidecar of the Grafana and kube-prometheus-stack charts finds by their label."""
    GRAFANA_OPERATOR = "grafana-operator"
    """GrafanaDashboard resources (grafana.integreatly.org/v1beta1)."""


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Whether, where and how the dashboards are deployed.

    They show every cluster: of the stacks whose clusters share a Grafana, one deploys them.
    """

    mode: Annotated[DashboardMode, MODE] = DashboardMode.OFF
    """How dashboards get into Grafana."""
    namespace: Annotated[str, NAMESPACE] = "monitoring"
    """The namespace of the objects that hold them."""
    folder: Annotated[str, FOLDER] = "Kubernetes audit"
    """The folder in Grafana."""
    folder_annotation: Annotated[str, FOLDER_ANNOTATION] = "grafana_folder"
    """The annotation that names the folder. The chart's `sidecar.dashboards.folderAnnotation` must be the same."""
    label: Annotated[str, LABEL] = "grafana_dashboard"
    """The label by which the Grafana chart's sidecar finds ConfigMaps."""
    label_value: Annotated[str, LABEL_VALUE] = "1"
    """The value of `label`."""
    instance_selector: Annotated[Mapping[str, str], INSTANCE_SELECTOR] = field(
        default_factory=lambda: MappingProxyType({"dashboards": "grafana"})
    )
    """Labels of the Grafana resource to which the operator gives the dashboards."""
    api_server_metrics: Annotated[str | None, API_SERVER_METRICS] = None
    """PromQL matchers of kube-apiserver's metrics; None for the usual job names."""


def is_label_key(value: str) -> bool:
    """Whether Kubernetes takes this for the name of a label or an annotation."""
    return re.fullmatch(_LABEL_KEY, value) is not None


def is_label_value(value: str) -> bool:
    """Whether Kubernetes takes this for a label's value; the empty one is not useful here."""
    return re.fullmatch(_LABEL_VALUE, value) is not None


_DEFAULT = DashboardSettings()

MODE = defaulted(
    "mode",
    Choice(DashboardMode),
    _DEFAULT.mode,
    "How dashboards get into Grafana: ConfigMaps for its chart's sidecar, or resources of its operator. Both "
    "require a kubeconfig.",
)
NAMESPACE = defaulted("namespace", NAMESPACE_THAT_EXISTS, _DEFAULT.namespace, "The namespace; it must exist.")
FOLDER = defaulted("folder", Text("the name of a folder in Grafana"), _DEFAULT.folder, "The folder in Grafana.")
FOLDER_ANNOTATION = defaulted(
    "folderAnnotation",
    Text("the name of an annotation", _LABEL_KEY),
    _DEFAULT.folder_annotation,
    "With `configmap`: the annotation that tells the sidecar the folder (`sidecar.dashboards.folderAnnotation`).",
)
LABEL = defaulted(
    "label",
    Text("the name of a label", _LABEL_KEY),
    _DEFAULT.label,
    "With `configmap`: the label by which the sidecar finds dashboards.",
)
LABEL_VALUE = defaulted(
    "labelValue",
    Text("the value of a label", _LABEL_VALUE),
    _DEFAULT.label_value,
    "With `configmap`: the label's value.",
)
INSTANCE_SELECTOR = defaulted(
    "instanceSelector",
    Labels(is_label_key, is_label_value),
    _DEFAULT.instance_selector,
    "With `grafana-operator`: the labels of the Grafana that gets the dashboards.",
)
API_SERVER_METRICS = optional(
    "apiServerMetrics",
    MATCHERS,
    "PromQL matchers for kube-apiserver's metrics.",
    otherwise="the usual job names",
)
DASHBOARDS = group_of(DashboardSettings)


def parse_dashboards(reader: Reader | None) -> DashboardSettings:
    return DashboardSettings() if reader is None else filled(DashboardSettings, reader)
