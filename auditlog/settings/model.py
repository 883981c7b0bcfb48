"""The stack's configuration as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from auditlog.policy.settings import PolicySettings
from auditlog.settings.proof import ProofSettings
from auditlog.settings.restart import RestartSettings
from auditlog.settings.shipping import AlloyMode, AlloySettings, LokiSettings

DEFAULT_LOG_PATH = "/var/log/kubernetes/audit/audit.log"
DEFAULT_WEBHOOK_PATH = "/etc/kubernetes/audit-webhook.yaml"
STDOUT = "-"
"""The path by which the API server writes events to its standard output."""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that is reached over SSH: a control-plane node or a bastion before it.

    ``host_key`` is the machine's public key as in an authorized_keys line. It is required: without it anybody on
    the way could answer in the node's place and receive the policy and the commands (reference: pulumi-command 1.2.1
    accepts any key when none is given).

    A node that is ``gone`` for good is forgotten without being dialled. One that is ``joining`` is no control-plane
    node yet and gets what ``kubeadm join`` will need there: the policy file and the log's folder.
    """

    name: str
    host: str
    host_key: str
    user: str = "root"
    port: int = 22
    gone: bool = False
    joining: bool = False


class Mode(StrEnum):
    """How a backend takes events (k8s.io/apiserver pkg/server/options/audit.go, AllowedModes)."""

    BATCH = "batch"
    BLOCKING = "blocking"
    BLOCKING_STRICT = "blocking-strict"


class LogFormat(StrEnum):
    """How a line of the log is written (k8s.io/apiserver plugin/pkg/audit/log/backend.go, AllowedFormats)."""

    JSON = "json"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many batches a backend sends: ``qps`` a second on average, ``burst`` at once after a quiet time."""

    enabled: bool = True
    qps: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """How events are gathered before they are sent: events in memory, events in a batch, the longest wait for one."""

    buffer_size: int | None = None
    max_size: int | None = None
    max_wait: str | None = None
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True)
class Truncate:
    """The sizes in bytes above which an event loses its bodies, and a batch is split."""

    enabled: bool = True
    max_batch_size: int | None = None
    max_event_size: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """How events reach a backend. None is what the API server does without being told."""

    mode: Mode | None = None
    version: str | None = None
    batch: Batch | None = None
    truncate: Truncate | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The API server's log backend: a file with days, number of files and megabytes, or standard output ("-").

    The three numbers are the stack's own defaults and mean a file only; None elsewhere is the API server's default.
    """

    path: str = DEFAULT_LOG_PATH
    max_age: int = 30
    max_backup: int = 10
    max_size: int = 100
    compress: bool | None = None
    format: LogFormat | None = None
    delivery: Delivery = field(default_factory=Delivery)

    @property
    def is_file(self) -> bool:
        return self.path != STDOUT


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The API server's webhook backend: a server that events are posted to, and what the API server shows it.

    Certificates and keys are PEM texts. At most one of ``token`` and client certificate with key is set. ``path`` is
    the kubeconfig on the nodes that holds all this. Credentials stay out of what this prints as.
    """

    server: str
    certificate_authority: str | None = None
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    path: str = DEFAULT_WEBHOOK_PATH
    initial_backoff: str | None = None
    delivery: Delivery = field(default_factory=Delivery)


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

    The defaults are those of the Grafana chart's sidecar; its ``sidecar.dashboards.folderAnnotation`` has to be set to
    ``folder_annotation`` for folders to work. ``instance_selector`` are the labels of the Grafana resource that the
    operator gives the dashboards to. ``api_server_metrics`` are the PromQL matchers of kube-apiserver's metrics; None
    takes the job names that are usual. One stack of those whose clusters share a Grafana deploys the dashboards: they
    show every cluster.
    """

    mode: DashboardMode = DashboardMode.OFF
    namespace: str = "monitoring"
    folder: str = "Kubernetes audit"
    folder_annotation: str = "grafana_folder"
    label: str = "grafana_dashboard"
    label_value: str = "1"
    instance_selector: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"dashboards": "grafana"}))
    api_server_metrics: str | None = None


class LokiRules(StrEnum):
    """How detections on events reach Loki's ruler."""

    CONFIGMAP = "configmap"
    OFF = "off"


class PrometheusRules(StrEnum):
    """How detections on metrics reach Prometheus: as a file, or as an object of its operator."""

    CONFIGMAP = "configmap"
    PROMETHEUS_RULE = "prometheusrule"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Which detections become rules, where the rules go, and what of them is this cluster's own.

    ``thresholds`` and ``ignore_users`` have the id of a detection as their key; users are compared as a whole.
    ``selectors`` replace those by which metrics are found: ``apiServer``, ``nodeExporter``, ``alloy`` and ``loki``.
    ``labels`` stand on the objects in Kubernetes, for the ``ruleSelector`` of a Prometheus operator for example.
    ``loki_folder`` is the ruler's folder of the tenant, ``runbooks`` what comes before ``DETECTION.md`` in an alert's
    ``runbook_url``.
    """

    loki: LokiRules = LokiRules.OFF
    prometheus: PrometheusRules = PrometheusRules.OFF
    namespace: str = "monitoring"
    disable: tuple[str, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    ignore_users: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    selectors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    loki_folder: str = "fake"
    runbooks: str | None = None

    @property
    def are_on(self) -> bool:
        """Whether there are any rules."""
        return self.loki is not LokiRules.OFF or self.prometheus is not PrometheusRules.OFF


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack: one cluster, its control-plane nodes in the order in which they are changed.

    At least one of ``log`` and ``webhook`` is there. With ``enabled`` off the control plane is given back as it was
    before. With ``live_read`` off previews do without the nodes. ``reading_user`` is the account that previews read
    with, None for each node's own ``user``. ``kubeconfig_file`` is the path of a kubeconfig on the machine that runs
    Pulumi, None where the stack's secret is one or none is needed. ``take_over`` is the owner whose nodes this stack
    takes over, None for none.
    """

    cluster: str
    nodes: tuple[Host, ...]
    bastion: Host | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    log: LogSettings | None = field(default_factory=LogSettings)
    dashboards: DashboardSettings = field(default_factory=DashboardSettings)

    alerts: AlertSettings = field(default_factory=AlertSettings)
    health_timeout: int = 300
    restart: RestartSettings = field(default_factory=RestartSettings)
    enabled: bool = True
    live_read: bool = True
    reading_user: str | None = None
    kubeconfig_file: str | None = None
    loki: LokiSettings | None = None
    alloy: AlloySettings = field(default_factory=AlloySettings)
    webhook: WebhookSettings | None = None
    quarantine_strays: bool = False
    take_over: str | None = None
    proof: ProofSettings = field(default_factory=ProofSettings)

    @property
    def log_file(self) -> str | None:
        """The log on the nodes; None where events go to standard output or to the webhook alone."""
        return self.log.path if self.log is not None and self.log.is_file else None

    @property
    def nodes_with_manifest(self) -> tuple[Host, ...]:
        """The nodes that are control-plane nodes already, as far as the configuration says."""
        return tuple(node for node in self.nodes if not node.gone and not node.joining)

    @property
    def nodes_to_read(self) -> tuple[Host, ...]:
        """The nodes that can be dialled."""
        return tuple(node for node in self.nodes if not node.gone)

    @property
    def ships(self) -> bool:
        """Whether the stack does something about bringing events to Loki."""
        return self.enabled and self.alloy.mode is not AlloyMode.OFF

    @property
    def in_cluster(self) -> dict[str, str]:
        """The settings that keep something in the cluster itself, with their values: they need a kubeconfig."""
        modes: dict[str, StrEnum] = {
            "alloy.mode": self.alloy.mode if self.enabled else AlloyMode.OFF,
            "dashboards.mode": self.dashboards.mode,
            "alerts.loki": self.alerts.loki,
            "alerts.prometheus": self.alerts.prometheus,
        }
        return {key: mode.value for key, mode in modes.items() if mode.value != "off"}
