"""The settings of alerts: which detections, their thresholds, and where the rules go."""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Events
from auditlog.detections.promql import SELECTORS as SELECTOR_NAMES
from auditlog.settings.dashboards import MATCHERS, NAMESPACE_THAT_EXISTS, is_label_key, is_label_value
from auditlog.settings.kinds import Choice, Number, Text
from auditlog.settings.kinds_of_many import Entries, Labels, Names, Texts
from auditlog.settings.model import AlertSettings, LokiRules, PrometheusRules
from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import defaulted, optional

_DAY = 86400
_TENANT = r"[A-Za-z0-9!_.*'()\-]{1,150}"
"""What Loki allows in a tenant's name (dskit, tenant.ValidTenantID)."""

_SHOWN = "an id that `auditlog detections` shows for this"
_IDS = Names(tuple(each.id for each in DETECTIONS), _SHOWN)
_WITH_USERS = Names(tuple(each.id for each in DETECTIONS if isinstance(each.source, Events)), _SHOWN)
_DEFAULT = AlertSettings()


def _is_user(value: str) -> bool:
    return bool(value) and value.isprintable()


LOKI = defaulted(
    "loki",
    Choice(LokiRules),
    _DEFAULT.loki,
    "How rules on events get to Loki's ruler. All but `off` require a kubeconfig.",
)
PROMETHEUS = defaulted(
    "prometheus",
    Choice(PrometheusRules),
    _DEFAULT.prometheus,
    "How rules on metrics get to Prometheus. All but `off` require a kubeconfig.",
)
NAMESPACE = defaulted("namespace", NAMESPACE_THAT_EXISTS, _DEFAULT.namespace, "The namespace; it must exist.")
DISABLE = defaulted("disable", _IDS, _DEFAULT.disable, "Detections that get no rule.")
THRESHOLDS = defaulted(
    "thresholds",
    Entries(_IDS, Number(zero=True)),
    _DEFAULT.thresholds,
    "Thresholds by detection id; they replace the detection's own.",
)
IGNORE_USERS = defaulted(
    "ignoreUsers",
    Entries(_WITH_USERS, Texts("a list of user names", _is_user, least=1)),
    _DEFAULT.ignore_users,
    "Users that a detection ignores, by its id. Names must match in full.",
)
SELECTORS = defaulted(
    "selectors",
    Entries(Names(SELECTOR_NAMES, ""), MATCHERS),
    _DEFAULT.selectors,
    "PromQL matchers, if your job names are unusual.",
)
LABELS = defaulted(
    "labels",
    Labels(is_label_key, is_label_value),
    _DEFAULT.labels,
    "Labels of the Kubernetes objects, such as for the `ruleSelector` of a Prometheus operator.",
)
LOKI_FOLDER = defaulted(
    "lokiFolder",
    Text("the name of a Loki tenant", _TENANT),
    _DEFAULT.loki_folder,
    "The tenant's folder in the ruler; `fake` for a Loki without tenants.",
)
RUNBOOKS = optional(
    "runbooks",
    Text("a URL", r"https?://[\s\S]*"),
    "Where your readers find `docs/runbooks`: the part of an alert's `runbook_url` before `DETECTION.md`.",
    otherwise="no `runbook_url`",
)
ALERTS = Group(
    (
        LOKI,
        PROMETHEUS,
        NAMESPACE,
        DISABLE,
        THRESHOLDS,
        IGNORE_USERS,
        SELECTORS,
        LABELS,
        LOKI_FOLDER,
        RUNBOOKS,
    )
)


def parse_alerts(reader: Reader | None) -> AlertSettings:
    if reader is None:
        return AlertSettings()
    thresholds = reader.read(THRESHOLDS)
    _refuse_bytes(reader, thresholds)
    return AlertSettings(
        loki=reader.read(LOKI),
        prometheus=reader.read(PROMETHEUS),
        namespace=reader.read(NAMESPACE),
        disable=reader.read(DISABLE),
        thresholds=thresholds,
        ignore_users=reader.read(IGNORE_USERS),
        selectors=reader.read(SELECTORS),
        labels=reader.read(LABELS),
        loki_folder=reader.read(LOKI_FOLDER),
        runbooks=reader.read(RUNBOOKS),
    )


def _refuse_bytes(reader: Reader, thresholds: Mapping[str, float]) -> None:
    """Until Alloy read files by their content this threshold was in bytes, as which it would never ring again."""
    behind = thresholds.get("shipper-behind", 0)
    if behind > _DAY:
        reader.problem(
            THRESHOLDS,
            f"is {behind:.0f}, as if in bytes",
            f"seconds, at most {_DAY}: it says how old the newest event may be that Alloy has read",
            below=".shipper-behind",
        )
