"""The settings of the Grafana dashboards."""

from __future__ import annotations

import re

from auditlog.settings.hosts import NAME
from auditlog.settings.kinds import Choice, Text
from auditlog.settings.kinds_of_many import Labels
from auditlog.settings.model import DashboardMode, DashboardSettings
from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import defaulted, optional

_LABEL_KEY = r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_VALUE = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_MATCHER = r'[A-Za-z_][A-Za-z0-9_]*(=|!=|=~|!~)"[^"\\{}$]*"'
MATCHERS = Text('PromQL matchers such as job="apiserver"', f"{_MATCHER}(, *{_MATCHER})*")
NAMESPACE_THAT_EXISTS = Text("the name of an existing namespace", NAME)


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
DASHBOARDS = Group(
    (MODE, NAMESPACE, FOLDER, FOLDER_ANNOTATION, LABEL, LABEL_VALUE, INSTANCE_SELECTOR, API_SERVER_METRICS)
)


def parse_dashboards(reader: Reader | None) -> DashboardSettings:
    if reader is None:
        return DashboardSettings()
    return DashboardSettings(
        mode=reader.read(MODE),
        namespace=reader.read(NAMESPACE),
        folder=reader.read(FOLDER),
        folder_annotation=reader.read(FOLDER_ANNOTATION),
        label=reader.read(LABEL),
        label_value=reader.read(LABEL_VALUE),
        instance_selector=reader.read(INSTANCE_SELECTOR),
        api_server_metrics=reader.read(API_SERVER_METRICS),
    )
