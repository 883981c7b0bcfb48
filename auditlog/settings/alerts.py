"""The settings of alerts: which detections, their thresholds, and where the rules go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Events
from auditlog.detections.promql import SELECTORS as SELECTOR_NAMES
from auditlog.settings.dashboards import MATCHERS, NAMESPACE_THAT_EXISTS, is_label_key, is_label_value
from auditlog.settings.kinds import Choice, Number, Text
from auditlog.settings.kinds_of_many import Entries, Labels, Names, Texts
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted, optional
from auditlog.settings.shipping import LOKI_ADDRESS
from auditlog.units import DAY

_TENANT = r"[A-Za-z0-9!_.*'()\-]{1,150}"
"""What Loki allows in a tenant's name (dskit, tenant.ValidTenantID)."""

_SHOWN = "an id that `auditlog detections` shows for this"
_IDS = Names(tuple(each.id for each in DETECTIONS), _SHOWN)
_WITH_USERS = Names(tuple(each.id for each in DETECTIONS if isinstance(each.source, Events)), _SHOWN)


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


class LokiRules(StrEnum):
    """How detections on events reach Loki's ruler: as a file, as an object that Alloy gives to the ruler's API, or
    through that API."""

    CONFIGMAP = "configmap"
    PROMETHEUS_RULE = "prometheusrule"
    RULER_API = "ruler-api"
    OFF = "off"


class PrometheusRules(StrEnum):
    """How detections on metrics reach Prometheus: as a file, or as an object of its operator."""

    CONFIGMAP = "configmap"
    PROMETHEUS_RULE = "prometheusrule"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Which detections become rules, where the rules go, and what of them is this cluster's own."""

    loki: Annotated[LokiRules, LOKI] = LokiRules.OFF
    """How rules on events reach Loki's ruler."""
    prometheus: Annotated[PrometheusRules, PROMETHEUS] = PrometheusRules.OFF
    """How rules on metrics reach Prometheus."""
    namespace: Annotated[str, NAMESPACE] = "monitoring"
    """The namespace of the objects that hold the rules."""
    disable: Annotated[tuple[str, ...], DISABLE] = ()
    """Ids of detections that become no rule."""
    thresholds: Annotated[Mapping[str, float], THRESHOLDS] = field(default_factory=_nothing)
    """Numbers instead of a detection's own, by its id."""
    ignore_users: Annotated[Mapping[str, tuple[str, ...]], IGNORE_USERS] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Users that a detection leaves alone, by its id. Names are compared as a whole."""
    selectors: Annotated[Mapping[str, str], SELECTORS] = field(default_factory=_nothing)
    """PromQL matchers instead of the usual ones, by `apiServer`, `nodeExporter`, `alloy` and `loki`."""
    labels: Annotated[Mapping[str, str], LABELS] = field(default_factory=_nothing)
    """Labels of the objects in Kubernetes, such as those that a Prometheus operator's `ruleSelector` asks for."""
    loki_folder: Annotated[str | None, LOKI_FOLDER] = None
    """The ruler's folder, which is its tenant; None for that of the events."""
    ruler_url: Annotated[str | None, RULER_URL] = None
    """Where the ruler's API is; None for the address that answers queries."""
    runbooks: Annotated[str | None, RUNBOOKS] = None
    """What stands before `DETECTION.md` in an alert's `runbook_url`; None for no such link."""
    grafana: Annotated[str | None, GRAFANA] = None
    """Grafana's address, for links from alerts; None for no such links."""

    @property
    def are_on(self) -> bool:
        """Whether there are any rules."""
        return self.loki is not LokiRules.OFF or self.prometheus is not PrometheusRules.OFF


_DEFAULT = AlertSettings()


def _is_user(value: str) -> bool:
    return bool(value) and value.isprintable()


LOKI = defaulted(
    "loki",
    Choice(LokiRules),
    _DEFAULT.loki,
    "How rules on events get to Loki's ruler: a ConfigMap for its sidecar, a resource for Alloy's "
    "`loki.rules.kubernetes`, or through the ruler's API. The first two require a kubeconfig, the last one `loki`.",
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
LOKI_FOLDER = optional(
    "lokiFolder",
    Text("the name of a Loki tenant", _TENANT),
    "The tenant's folder in the ruler.",
    otherwise="`loki.tenant`; `fake`, the folder of a Loki without tenants, if that is not set",
)
RULER_URL = optional(
    "rulerUrl",
    LOKI_ADDRESS,
    "With `ruler-api`: where the ruler answers the machine that runs Pulumi.",
    otherwise="`loki.queryUrl`, or else `loki.url`",
)
RUNBOOKS = optional(
    "runbooks",
    Text("a URL", r"https?://[\s\S]*"),
    "Where your readers find `docs/runbooks`: the part of an alert's `runbook_url` before `DETECTION.md`.",
    otherwise="no `runbook_url`",
)
GRAFANA = optional(
    "grafana",
    Text("a URL", r"https?://[^\s{}]*"),
    "Grafana's address. An alert's `dashboard_url` then shows its events in *Who did it*.",
    otherwise="no `dashboard_url`",
)
ALERTS = group_of(AlertSettings)


def parse_alerts(reader: Reader | None, *, loki: bool) -> AlertSettings:
    """``loki`` says whether there is a Loki, whose credentials open the API of its ruler too."""
    if reader is None:
        return AlertSettings()
    settings = filled(AlertSettings, reader)
    _check_ruler(reader, settings, loki=loki)
    _refuse_bytes(reader, settings.thresholds)
    return settings


def _check_ruler(reader: Reader, settings: AlertSettings, *, loki: bool) -> None:
    through_api = settings.loki is LokiRules.RULER_API
    if through_api and not loki:
        reader.problem(LOKI, "is 'ruler-api' and there is no loki.url", "the key loki beside alerts, or another way")
    if settings.loki_folder is not None and through_api:
        reader.problem(LOKI_FOLDER, "is given with loki 'ruler-api'", "loki.tenant, which names the tenant there")
    if settings.ruler_url is not None and not through_api:
        reader.problem(RULER_URL, f"is given with loki {settings.loki.value!r}", "only with loki 'ruler-api'")


def _refuse_bytes(reader: Reader, thresholds: Mapping[str, float]) -> None:
    """Until Alloy read files by their content this threshold was in bytes, as which it would never ring again."""
    behind = thresholds.get("shipper-behind", 0)
    if behind > DAY:
        reader.problem(
            THRESHOLDS,
            f"is {behind:.0f}, as if in bytes",
            f"seconds, at most {DAY}: it says how old the newest event may be that Alloy has read",
            below=".shipper-behind",
        )
