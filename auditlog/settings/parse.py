"""From the decoded configuration to Settings: all errors of all keys together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Any

from auditlog.node_paths import MANIFESTS
from auditlog.policy.settings import PolicySettings
from auditlog.settings.alerts import ALERTS, AlertSettings, LokiRules, parse_alerts
from auditlog.settings.annotations import ANNOTATIONS, AnnotationDelivery, AnnotationSettings, parse_annotations
from auditlog.settings.dashboards import DASHBOARDS, DashboardSettings, parse_dashboards
from auditlog.settings.hosts import BASTION, NAME, NODE, READING, Host, parse_bastion, parse_node, parse_reading_user
from auditlog.settings.kinds import Boolean, Integer, Switch, Text
from auditlog.settings.log import LOG, LogFormat, LogSettings, parse_log
from auditlog.settings.mistake import Mistake, Place, SettingsError
from auditlog.settings.policy import POLICY, parse_policy
from auditlog.settings.proof import PROOF, ProofSettings, parse_proof
from auditlog.settings.reader import Group, Groups
from auditlog.settings.record import Beside, filled, group_of
from auditlog.settings.restart import RestartSettings
from auditlog.settings.setting import Setting, defaulted, optional, required
from auditlog.settings.shipping import ALLOY, LOKI, AlloyMode, AlloySettings, LokiSettings, parse_alloy, parse_loki
from auditlog.settings.webhook import WEBHOOK, WebhookSettings, parse_webhook

_OWNER_OR_NONE = r"([-A-Za-z0-9_.]+/[-A-Za-z0-9_.]+(/[^\s/].*)?)?"
_CLUSTER = required(
    "cluster",
    Text("a name of lower-case letters, digits, '-' and '.'", NAME),
    "The cluster's name, for labels, dashboards and alerts.",
)
_NODES = required(
    "nodes",
    Groups(NODE, at_least_one=True),
    "The control-plane nodes, in the order in which they change.",
)
_BASTION = optional("bastion", BASTION, "A host through which to reach the nodes.", otherwise="connect directly")
_POLICY = optional("policy", POLICY, "The audit policy, and your changes to it.", otherwise="the preset `standard`")
_LOG = optional("auditLog", LOG, "The log on the nodes.", otherwise="a file with the rotation below")
_LOKI = optional("loki", LOKI, "The Loki to ship events to.", otherwise="no Loki")
_ALLOY = optional("alloy", ALLOY, "What ships events to Loki.", otherwise="a DaemonSet if `loki` is set")
_WEBHOOK = optional("webhook", WEBHOOK, "A server to which the API server posts events.", otherwise="no webhook")
_DASHBOARDS = optional("dashboards", DASHBOARDS, "The Grafana dashboards.", otherwise="none")
_ANNOTATIONS = optional("annotations", ANNOTATIONS, "What admission policies add to events.", otherwise="none")
_ALERTS = optional("alerts", ALERTS, "The alerting rules.", otherwise="none")
_PROOF = optional("proof", PROOF, "The proof at the end of `up` that events arrive.", otherwise="on")
_HEALTH_TIMEOUT = defaulted(
    "healthTimeoutSeconds",
    Integer(30, 3600),
    300,
    "How long a restarted API server may take to become healthy before the node rolls back.",
)
_QUARANTINE = defaulted(
    "quarantineStrayManifests",
    Boolean(),
    False,
    f"Whether `up` archives other files in `{MANIFESTS}` that define kube-apiserver. Otherwise they are an error.",
)
_TAKE_OVER = optional(
    "takeOver",
    Text(
        "an owner as a refusal names it: PROJECT/STACK, or PROJECT/STACK/COMPONENT",
        _OWNER_OR_NONE,
        valid=lambda _: True,
    ),
    "Takes over this owner's nodes as they are. Name the former owner after you rename or move a stack, project "
    "or component. No effect once the nodes are taken over.",
    otherwise="nodes of another owner are refused",
)
_ENABLED = defaulted(
    "enabled",
    Boolean(),
    True,
    "`false` restores the control plane as it was before audit logging, and removes the policy.",
)
_LIVE_READ = defaulted(
    "liveRead",
    Switch(),
    True,
    "`off`: previews do not read the nodes and say so; `up` refuses.",
    otherwise="on",
)
_READING = optional(
    "reading",
    READING,
    "The account with which previews read the nodes, if it is not the one that changes them.",
    otherwise="each node's own user",
)
_KUBECONFIG_FILE = optional(
    "kubeconfigFile",
    Text(
        "the path of a kubeconfig on the machine that runs Pulumi: absolute, or relative to the project",
        r"([^~\r\n]([^\r\n]*[^\r\n/])?)?",
        valid=lambda _: True,
    ),
    "Use it instead of the secret `kubeconfig`: the state holds this path and no credential. If previews run on "
    "another machine than `up`, put a kubeconfig that only reads at this path there.",
    otherwise="the secret `kubeconfig`",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack: one cluster and its control-plane nodes. At least one of `log` and `webhook` is set."""

    cluster: Annotated[str, _CLUSTER]
    """The cluster's name, which identifies it in Loki and among stacks."""
    nodes: Annotated[tuple[Host, ...], _NODES]
    """The control-plane nodes, in the order in which they are changed."""
    bastion: Annotated[Host | None, _BASTION] = None
    """The machine through which nodes are reached; None to connect directly."""
    policy: Annotated[PolicySettings, _POLICY] = field(default_factory=PolicySettings)
    """The audit policy."""
    log: Annotated[LogSettings | None, _LOG] = field(default_factory=LogSettings)
    """The log backend; None if there is only a webhook."""
    loki: Annotated[LokiSettings | None, _LOKI] = None
    """Where Loki is; None without one."""
    alloy: Annotated[AlloySettings, _ALLOY] = field(default_factory=AlloySettings)
    """What ships events to Loki."""
    webhook: Annotated[WebhookSettings | None, _WEBHOOK] = None
    """The webhook backend; None without one."""
    dashboards: Annotated[DashboardSettings, _DASHBOARDS] = field(default_factory=DashboardSettings)
    """The dashboards."""
    annotations: Annotated[AnnotationSettings, _ANNOTATIONS] = field(default_factory=AnnotationSettings)
    """The audit annotations."""
    alerts: Annotated[AlertSettings, _ALERTS] = field(default_factory=AlertSettings)
    """The alerting rules."""
    proof: Annotated[ProofSettings, _PROOF] = field(default_factory=ProofSettings)
    """Whether `up` proves that events arrive."""
    health_timeout: Annotated[int, _HEALTH_TIMEOUT] = _HEALTH_TIMEOUT.default
    """Seconds that a node may take to be healthy after a change."""
    quarantine_strays: Annotated[bool, _QUARANTINE] = _QUARANTINE.default
    """Whether a stray copy of the manifest is moved out of kubelet's folder."""
    take_over: Annotated[str | None, _TAKE_OVER] = None
    """The owner whose nodes this stack takes over; None for nobody."""
    restart: Annotated[RestartSettings, Beside(RestartSettings)] = field(default_factory=RestartSettings)
    """How an API server is restarted."""
    enabled: Annotated[bool, _ENABLED] = _ENABLED.default
    """Whether audit logging is on. If not, the control plane is restored as it was before."""
    live_read: Annotated[bool, _LIVE_READ] = _LIVE_READ.default
    """Whether previews read the nodes."""
    reading_user: Annotated[str | None, _READING] = None
    """The account that previews read with; None for each node's own `user`."""
    kubeconfig_file: Annotated[str | None, _KUBECONFIG_FILE] = None
    """The path of a kubeconfig on the machine that runs Pulumi; None if the stack's secret is one, or none is required.
    """

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
        """The nodes that can be contacted."""
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
            "annotations.delivery": self._annotations_in_cluster,
            "dashboards.mode": self.dashboards.mode,
            "alerts.loki": self.alerts.loki if self.alerts.loki is not LokiRules.RULER_API else LokiRules.OFF,
            "alerts.prometheus": self.alerts.prometheus,
        }
        return {key: mode.value for key, mode in modes.items() if mode.value != "off"}

    @property
    def _annotations_in_cluster(self) -> AnnotationDelivery:
        is_kept_there = self.enabled and not self.annotations.in_files
        return self.annotations.delivery if is_kept_there else AnnotationDelivery.OFF

    @property
    def ruler(self) -> LokiSettings | None:
        """The Loki whose ruler gets the rules through its API; None where it gets them otherwise, or none."""
        return self.loki if self.enabled and self.alerts.loki is LokiRules.RULER_API else None


STACK = group_of(Settings)
"""Every setting that Pulumi.yaml declares."""

SECRETS: tuple[Setting[str | None], ...] = (
    optional(
        "sshPrivateKey",
        Text("a private key"),
        "The private key for the nodes.",
        otherwise="the SSH agent's keys",
        secret=True,
    ),
    optional("sshReadingPrivateKey", Text("a private key"), "The private key of `reading.user`.", secret=True),
    optional(
        "kubeconfig",
        Text("the text of a kubeconfig for the cluster"),
        "For what the stack runs in the cluster: Alloy, dashboards, alerts.",
        secret=True,
    ),
)
"""They stay with the program. Pulumi.yaml does not declare them: the engine asks every stack for a declared secret."""

KEYS = tuple(setting.key for setting in STACK.settings)
SECRET_KEYS = tuple(setting.key for setting in SECRETS)


def parse_settings(values: Mapping[str, Any], presets: tuple[str, ...]) -> Settings:
    """Checks the decoded configuration and returns it as Settings.

    ``values`` maps a key without the project's prefix to its decoded value. ``presets`` are the policy presets. Raises
    SettingsError with all errors. The keys in ``SECRET_KEYS`` stay with the program.
    """
    mistakes: list[Mistake] = []
    top = Group((*STACK.settings, *SECRETS)).reader(values, Place("", mistakes))
    loki = parse_loki(top.read(_LOKI))
    settings = filled(
        Settings,
        top,
        {"loki": loki},
        cluster=lambda cluster: cluster or "",
        nodes=lambda nodes: tuple(map(parse_node, nodes or ())),
        bastion=parse_bastion,
        policy=lambda policy: parse_policy(policy, presets),
        log=parse_log,
        alloy=lambda alloy: parse_alloy(alloy, loki=loki is not None or top.is_encrypted(_LOKI)),
        webhook=parse_webhook,
        dashboards=parse_dashboards,
        annotations=parse_annotations,
        alerts=lambda alerts: parse_alerts(alerts, loki=loki is not None or top.is_encrypted(_LOKI)),
        proof=parse_proof,
        take_over=lambda owner: owner or None,
        reading_user=parse_reading_user,
        kubeconfig_file=lambda path: path or None,
    )
    if not any(map(top.is_encrypted, (_LOG, _WEBHOOK, _ALLOY, _POLICY))):
        _check_together(settings, mistakes)
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _check_together(settings: Settings, mistakes: list[Mistake]) -> None:
    if settings.nodes_to_read and not settings.nodes_with_manifest:
        mistakes.append(Mistake("nodes", "every one is joining", "at least one node that has joined already"))
    for attribute in ("name", "host"):
        seen: set[tuple[str, int]] = set()
        # A machine that was renamed stands under its old name too, as gone.
        for node in settings.nodes if attribute == "name" else settings.nodes_to_read:
            value = getattr(node, attribute)
            identity = (value, node.port if attribute == "host" else 0)
            if value and identity in seen:
                mistakes.append(Mistake("nodes", f"{attribute} {value!r} appears twice", "every node once"))
            seen.add(identity)
    if settings.log is None and settings.webhook is None:
        mistakes.append(Mistake("auditLog.enabled", "is false and there is no webhook", "at least one of the two"))
    shipping = settings.alloy.mode
    if settings.log is not None and settings.log.format is LogFormat.LEGACY and shipping is not AlloyMode.OFF:
        mistakes.append(
            Mistake(
                "auditLog.format",
                f"is 'legacy' and alloy.mode is {shipping.value!r}",
                "json, because the fields of an event are read from it",
            )
        )
    if settings.log is None and shipping is not AlloyMode.OFF:
        mistakes.append(
            Mistake(
                "alloy.mode",
                f"is {shipping.value!r} and auditLog.enabled is false",
                "off, because there is no log to ship",
            )
        )
    _check_paths(settings, mistakes)


def _check_paths(settings: Settings, mistakes: list[Mistake]) -> None:
    paths = {"policy.path": settings.policy.path}
    if settings.webhook is not None:
        paths["webhook.path"] = settings.webhook.path
    if settings.log_file is not None:
        paths["auditLog.path"] = settings.log_file
    if settings.annotations.in_files:
        paths["annotations.folder"] = settings.annotations.static_path
    manifests = PurePosixPath(MANIFESTS)
    seen: dict[str, str] = {}
    for key, path in paths.items():
        if manifests in PurePosixPath(path).parents:
            mistakes.append(
                Mistake(
                    key,
                    f"{path!r} is inside {manifests}",
                    "any other folder, because kubelet runs every file in there as a static pod",
                )
            )
        if path in seen:
            mistakes.append(Mistake(key, f"{path!r} is also {seen[path]}", "different files"))
        seen[path] = key
