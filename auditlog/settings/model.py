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
    """A machine that is reached over SSH: a control-plane node, or a bastion before it."""

    name: str
    """The node's own name in its cluster; `bastion` for a bastion."""
    host: str
    """Address or DNS name, without user and port."""
    host_key: str
    """The machine's public key, as in an authorized_keys line. Required: pulumi-command accepts any key if none is
    given, and a stranger could then receive the policy and the commands."""
    user: str = "root"
    """The account that changes the machine: root, or one with `sudo -n`."""
    port: int = 22
    """The TCP port of its sshd."""
    gone: bool = False
    """Whether the machine is gone for good. It is then forgotten without being contacted."""
    joining: bool = False
    """Whether the machine will become a control-plane node. It gets what `kubeadm join` requires: the policy file and
    the log's folder."""


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
    """How many batches a backend sends."""

    enabled: bool = True
    """Whether there is a limit."""
    qps: float | None = None
    """Batches a second, on average; None for the API server's default."""
    burst: int | None = None
    """Batches at once after a quiet time; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How events are gathered before they are sent."""

    buffer_size: int | None = None
    """Events that wait in memory; None for the API server's default."""
    max_size: int | None = None
    """Events in one batch; None for the API server's default."""
    max_wait: str | None = None
    """The longest wait for a batch, as a Go duration (`5s`); None for the API server's default."""
    throttle: Throttle | None = None
    """The limit of batches; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """What happens to large events and batches."""

    enabled: bool = True
    """Whether they are cut at all."""
    max_batch_size: int | None = None
    """Bytes above which a batch is split; None for the API server's default."""
    max_event_size: int | None = None
    """Bytes above which an event loses its bodies; None for the API server's default."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How events reach a backend."""

    mode: Mode | None = None
    """Whether requests wait for the backend; None for the API server's default."""
    version: str | None = None
    """The API version of events, such as audit.k8s.io/v1; None for the API server's default."""
    batch: Batch | None = None
    """How events are gathered, in mode batch; None for the API server's defaults."""
    truncate: Truncate | None = None
    """How large events are cut; None for the API server's defaults."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The API server's log backend: a file, or standard output."""

    path: str = DEFAULT_LOG_PATH
    """The log's absolute path on the nodes, or `-` for standard output."""
    max_age: int = 30
    """Days that rotated files are kept; 0 for no limit. Meaningless for standard output."""
    max_backup: int = 10
    """Rotated files that are kept; 0 for no limit. Meaningless for standard output."""
    max_size: int = 100
    """Megabytes at which the file is rotated. Meaningless for standard output."""
    compress: bool | None = None
    """Whether rotated files are compressed; None for the API server's default."""
    format: LogFormat | None = None
    """How a line is written; None for the API server's default, JSON."""
    delivery: Delivery = field(default_factory=Delivery)
    """How events reach the log."""

    @property
    def is_file(self) -> bool:
        return self.path != STDOUT


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The API server's webhook backend: a server that events are posted to, and what the API server shows it.

    At most one of `token` and the client certificate is set. Credentials stay out of what this prints as.
    """

    server: str
    """The URL that events are posted to."""
    certificate_authority: str | None = None
    """PEM certificates that the server's is checked with; None for the node's own authorities."""
    client_certificate: str | None = None
    """The API server's PEM certificate; None without one."""
    client_key: str | None = field(default=None, repr=False)
    """The PEM key of `client_certificate`; None without one."""
    token: str | None = field(default=None, repr=False)
    """The bearer token; None without one."""
    path: str = DEFAULT_WEBHOOK_PATH
    """The absolute path of the kubeconfig on the nodes that holds all this."""
    initial_backoff: str | None = None
    """The wait before the first retry, as a Go duration; None for the API server's default."""
    delivery: Delivery = field(default_factory=Delivery)
    """How events reach the webhook."""


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

    mode: DashboardMode = DashboardMode.OFF
    """How dashboards get into Grafana."""
    namespace: str = "monitoring"
    """The namespace of the objects that hold them."""
    folder: str = "Kubernetes audit"
    """The folder in Grafana."""
    folder_annotation: str = "grafana_folder"
    """The annotation that names the folder. The chart's `sidecar.dashboards.folderAnnotation` has to be the same."""
    label: str = "grafana_dashboard"
    """The label by which the Grafana chart's sidecar finds ConfigMaps."""
    label_value: str = "1"
    """The value of `label`."""
    instance_selector: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({"dashboards": "grafana"}))
    """Labels of the Grafana resource to which the operator gives the dashboards."""
    api_server_metrics: str | None = None
    """PromQL matchers of kube-apiserver's metrics; None for the usual job names."""


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
    """Which detections become rules, where the rules go, and what of them is this cluster's own."""

    loki: LokiRules = LokiRules.OFF
    """How rules on events reach Loki's ruler."""
    prometheus: PrometheusRules = PrometheusRules.OFF
    """How rules on metrics reach Prometheus."""
    namespace: str = "monitoring"
    """The namespace of the objects that hold the rules."""
    disable: tuple[str, ...] = ()
    """Ids of detections that become no rule."""
    thresholds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Numbers in place of a detection's own, by its id."""
    ignore_users: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Users that a detection leaves alone, by its id. Names are compared as a whole."""
    selectors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """PromQL matchers in place of the usual ones, by `apiServer`, `nodeExporter`, `alloy` and `loki`."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Labels of the objects in Kubernetes, such as those that a Prometheus operator's `ruleSelector` asks for."""
    loki_folder: str = "fake"
    """The ruler's folder, which is its tenant; `fake` for a Loki without tenants."""
    runbooks: str | None = None
    """What stands before `DETECTION.md` in an alert's `runbook_url`; None for no such link."""

    @property
    def are_on(self) -> bool:
        """Whether there are any rules."""
        return self.loki is not LokiRules.OFF or self.prometheus is not PrometheusRules.OFF


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack: one cluster and its control-plane nodes. At least one of `log` and `webhook` is set."""

    cluster: str
    """The cluster's name, which identifies it in Loki and among stacks."""
    nodes: tuple[Host, ...]
    "The control-plane nodes, in the order in which they change."
    bastion: Host | None = None
    """The machine through which nodes are reached; None to connect directly."""
    policy: PolicySettings = field(default_factory=PolicySettings)
    """The audit policy."""
    log: LogSettings | None = field(default_factory=LogSettings)
    """The log backend; None if there is only a webhook."""
    dashboards: DashboardSettings = field(default_factory=DashboardSettings)
    """The dashboards."""

    alerts: AlertSettings = field(default_factory=AlertSettings)
    """The alerting rules."""
    health_timeout: int = 300
    """Seconds that a node may take to be healthy after a change."""
    restart: RestartSettings = field(default_factory=RestartSettings)
    """How an API server is restarted."""
    enabled: bool = True
    """Whether audit logging is on. If not, the control plane is restored as it was before."""
    live_read: bool = True
    """Whether previews read the nodes."""
    reading_user: str | None = None
    """The account that previews read with; None for each node's own `user`."""
    kubeconfig_file: str | None = None
    """The path of a kubeconfig on the machine that runs Pulumi; None if the stack's secret is one, or none is required.
    """
    loki: LokiSettings | None = None
    """Where Loki is; None without one."""
    alloy: AlloySettings = field(default_factory=AlloySettings)
    """What ships events to Loki."""
    webhook: WebhookSettings | None = None
    """The webhook backend; None without one."""
    quarantine_strays: bool = False
    """Whether a stray copy of the manifest is moved out of kubelet's folder."""
    take_over: str | None = None
    """The owner whose nodes this stack takes over; None for nobody."""
    proof: ProofSettings = field(default_factory=ProofSettings)
    """Whether `up` proves that events arrive."""

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
