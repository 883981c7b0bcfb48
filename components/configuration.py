"""Reads the stack's configuration from Pulumi and hands it to ``auditlog.settings``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi

from auditlog.policy.presets import preset_names
from auditlog.settings import DashboardMode, Settings, SettingsError, parse_settings

KEYS = ("cluster", "nodes", "bastion", "policy", "auditLog", "dashboards", "healthTimeoutSeconds")
_TEXT_KEYS = ("cluster",)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The checked settings and two secrets, plain.

    ``private_key`` opens the nodes; the program itself dials with it. ``kubeconfig`` is empty where nothing is kept in
    the cluster.
    """

    settings: Settings
    private_key: str
    kubeconfig: str = ""


def read_configuration() -> Configuration:
    """The stack's configuration. Raises SettingsError with every mistake in it.

    ``kubeconfig`` is not declared in Pulumi.yaml: the engine asks every stack for a declared secret.
    """
    project = pulumi.get_project()
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key in KEYS:
        written = pulumi.runtime.get_config(f"{project}:{key}")
        if written is None:
            continue
        try:
            values[key] = written if key in _TEXT_KEYS else json.loads(written)
        except json.JSONDecodeError:
            problems.append(f"{key}: is {written!r}; allowed: YAML in Pulumi.{pulumi.get_stack()}.yaml")
    private_key = pulumi.runtime.get_config(f"{project}:sshPrivateKey")
    if not private_key:
        problems.append(
            "sshPrivateKey: is missing; allowed: a private key, set with "
            "pulumi config set --secret sshPrivateKey <~/.ssh/id_ed25519"
        )
    kubeconfig = pulumi.runtime.get_config(f"{project}:kubeconfig")
    try:
        settings = parse_settings(values, preset_names())
    except SettingsError as error:
        problems.extend(error.problems)
    else:
        if settings.dashboards.mode is not DashboardMode.OFF and not kubeconfig:
            problems.append(
                f"kubeconfig: is missing, and dashboards.mode is {settings.dashboards.mode.value!r}; allowed: the text "
                "of a kubeconfig for the cluster, set with pulumi config set --secret kubeconfig <~/.kube/config"
            )
    if problems:
        raise SettingsError(problems)
    return Configuration(settings, private_key or "", kubeconfig or "")
