"""From the decoded configuration to Settings: every mistake of every key at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from auditlog.settings.alerts import parse_alerts
from auditlog.settings.dashboards import parse_dashboards
from auditlog.settings.hosts import is_name, parse_bastion, parse_node, parse_reading_user
from auditlog.settings.log import parse_log
from auditlog.settings.model import LogFormat, Settings
from auditlog.settings.policy import parse_policy
from auditlog.settings.reader import Reader, SettingsError
from auditlog.settings.restart import parse_restart
from auditlog.settings.shipping import AlloyMode, parse_alloy, parse_loki
from auditlog.settings.webhook import parse_webhook

KEYS = (
    "cluster",
    "nodes",
    "bastion",
    "policy",
    "auditLog",
    "loki",
    "alloy",
    "webhook",
    "dashboards",
    "alerts",
    "healthTimeoutSeconds",
    "quarantineStrayManifests",
    "restart",
    "rehearsal",
    "acceptLostEvents",
    "enabled",
    "liveRead",
    "reading",
)
SECRET_KEYS = ("sshPrivateKey", "sshReadingPrivateKey", "kubeconfig")


def parse_settings(values: Mapping[str, Any], presets: tuple[str, ...]) -> Settings:
    """Checks the decoded configuration and returns it as Settings.

    ``values`` maps a key without the project's prefix to its decoded value. ``presets`` are the policy presets there
    are. Raises SettingsError with every problem found. The keys in ``SECRET_KEYS`` stay with the program.
    """
    problems: list[str] = []
    top = Reader(values, "", problems)
    top.allow_only(*KEYS, *SECRET_KEYS)
    cluster = top.text("cluster", is_name, "a name of lower-case letters, digits, '-' and '.'", required=True)
    loki = parse_loki(top.object("loki"))
    settings = Settings(
        cluster=cluster or "",
        nodes=tuple(parse_node(reader) for reader in top.objects("nodes")),
        bastion=parse_bastion(top.object("bastion")),
        policy=parse_policy(top.object("policy"), presets),
        log=parse_log(top.object("auditLog")),
        dashboards=parse_dashboards(top.object("dashboards")),
        alerts=parse_alerts(top.object("alerts")),
        health_timeout=top.integer("healthTimeoutSeconds", 30, 3600, 300),
        restart=parse_restart(top),
        enabled=top.boolean("enabled") is not False,
        live_read=top.switch("liveRead", default=True),
        reading_user=parse_reading_user(top.object("reading")),
        loki=loki,
        alloy=parse_alloy(top.object("alloy"), loki=loki is not None),
        webhook=parse_webhook(top.object("webhook")),
        quarantine_strays=top.boolean("quarantineStrayManifests") or False,
    )
    _check_together(settings, problems)
    if problems:
        raise SettingsError(problems)
    return settings


def _check_together(settings: Settings, problems: list[str]) -> None:
    if settings.nodes and not settings.nodes_with_manifest:
        problems.append("nodes: every one is gone or joining; allowed: at least one control-plane node that is there")
    for attribute in ("name", "host"):
        seen: set[tuple[str, int]] = set()
        for node in settings.nodes:
            value = getattr(node, attribute)
            identity = (value, node.port if attribute == "host" else 0)
            if value and identity in seen:
                problems.append(f"nodes: {attribute} {value!r} stands twice; allowed: every node once")
            seen.add(identity)
    if settings.log is None and settings.webhook is None:
        problems.append("auditLog.enabled: is false and there is no webhook; allowed: at least one of the two")
    if (
        settings.log is not None
        and settings.log.format is LogFormat.LEGACY
        and settings.alloy.mode is not AlloyMode.OFF
    ):
        problems.append(
            f"auditLog.format: is 'legacy' and alloy.mode is {settings.alloy.mode.value!r}; allowed: json, "
            "because the fields of an event are read from it"
        )
    if settings.log is None and settings.alloy.mode is not AlloyMode.OFF:
        problems.append(
            f"alloy.mode: is {settings.alloy.mode.value!r} and auditLog.enabled is false; allowed: off, "
            "because there is no log to ship"
        )
    _check_paths(settings, problems)


def _check_paths(settings: Settings, problems: list[str]) -> None:
    paths = {"policy.path": settings.policy.path}
    if settings.webhook is not None:
        paths["webhook.path"] = settings.webhook.path
    if settings.log_file is not None:
        paths["auditLog.path"] = settings.log_file
    manifests = PurePosixPath("/etc/kubernetes/manifests")
    seen: dict[str, str] = {}
    for key, path in paths.items():
        if manifests in PurePosixPath(path).parents:
            problems.append(
                f"{key}: {path!r} is inside {manifests}; allowed: any other folder, "
                "because kubelet runs every file in there as a static pod"
            )
        if path in seen:
            problems.append(f"{key}: {path!r} is also {seen[path]}; allowed: different files")
        seen[path] = key
