"""From the decoded configuration to Settings: every mistake of every key at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from auditlog.settings.alerts import ALERTS, parse_alerts
from auditlog.settings.dashboards import DASHBOARDS, parse_dashboards
from auditlog.settings.hosts import BASTION, NAME, NODE, READING, parse_bastion, parse_node, parse_reading_user
from auditlog.settings.kinds import Boolean, Integer, Switch, Text
from auditlog.settings.log import LOG, parse_log
from auditlog.settings.mistake import Mistake, Place, SettingsError
from auditlog.settings.model import LogFormat, Settings
from auditlog.settings.policy import POLICY, parse_policy
from auditlog.settings.proof import PROOF, parse_proof
from auditlog.settings.reader import Group, Groups
from auditlog.settings.restart import ACCEPT_LOST_EVENTS, REHEARSAL, RESTART, parse_restart
from auditlog.settings.setting import Setting, defaulted, optional, required
from auditlog.settings.shipping import ALLOY, LOKI, AlloyMode, parse_alloy, parse_loki
from auditlog.settings.webhook import WEBHOOK, parse_webhook

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
    "Whether `up` archives other files in `/etc/kubernetes/manifests` that define kube-apiserver. Otherwise they "
    "are an error.",
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
STACK = Group(
    (
        _CLUSTER,
        _NODES,
        _BASTION,
        _POLICY,
        _LOG,
        _LOKI,
        _ALLOY,
        _WEBHOOK,
        _DASHBOARDS,
        _ALERTS,
        _PROOF,
        _HEALTH_TIMEOUT,
        _QUARANTINE,
        _TAKE_OVER,
        RESTART,
        REHEARSAL,
        ACCEPT_LOST_EVENTS,
        _ENABLED,
        _LIVE_READ,
        _READING,
        _KUBECONFIG_FILE,
    )
)
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

    ``values`` maps a key without the project's prefix to its decoded value. ``presets`` are the policy presets there
    are. Raises SettingsError with every mistake found. The keys in ``SECRET_KEYS`` stay with the program.
    """
    mistakes: list[Mistake] = []
    top = Group((*STACK.settings, *SECRETS)).reader(values, Place("", mistakes))
    loki = parse_loki(top.read(_LOKI))
    settings = Settings(
        cluster=top.read(_CLUSTER) or "",
        nodes=tuple(parse_node(reader) for reader in top.read(_NODES) or ()),
        bastion=parse_bastion(top.read(_BASTION)),
        policy=parse_policy(top.read(_POLICY), presets),
        log=parse_log(top.read(_LOG)),
        dashboards=parse_dashboards(top.read(_DASHBOARDS)),
        alerts=parse_alerts(top.read(_ALERTS)),
        health_timeout=top.read(_HEALTH_TIMEOUT),
        restart=parse_restart(top),
        enabled=top.read(_ENABLED),
        live_read=top.read(_LIVE_READ),
        reading_user=parse_reading_user(top.read(_READING)),
        kubeconfig_file=top.read(_KUBECONFIG_FILE) or None,
        loki=loki,
        alloy=parse_alloy(top.read(_ALLOY), loki=loki is not None or top.is_encrypted(_LOKI)),
        webhook=parse_webhook(top.read(_WEBHOOK)),
        quarantine_strays=top.read(_QUARANTINE),
        take_over=top.read(_TAKE_OVER) or None,
        proof=parse_proof(top.read(_PROOF)),
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
    manifests = PurePosixPath("/etc/kubernetes/manifests")
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
