"""Reads the stack's configuration from Pulumi and hands it to ``auditlog.settings``."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.config import is_config_secret

from auditlog.apiserver.read_nodes import Account
from auditlog.policy.presets import preset_names
from auditlog.settings import KEYS, SECRET_KEYS, Settings, SettingsError, parse_settings

PLAN_DIGEST_VARIABLE = "KUBERNETES_AUDIT_PLAN_DIGEST"
_TEXT_KEYS = ("cluster", "liveRead", "restart")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The checked settings and the keys that open the nodes, plain: the program itself dials with them.

    ``private_key`` is None where the SSH agent holds the key; ``reading_key`` None where previews read with the same
    account that changes the nodes. ``kubeconfig`` is None where nothing is kept in the cluster.
    """

    settings: Settings
    private_key: str | None
    reading_key: str | None
    kubeconfig: str | None

    @property
    def plan_digest(self) -> str | None:
        """The digest that a preview printed, when this run is to apply just what that preview showed."""
        return os.environ.get(PLAN_DIGEST_VARIABLE) or None

    @property
    def account(self) -> Account:
        """Who reads the nodes in this run: in previews the account that can do nothing else, where there is one."""
        if pulumi.runtime.is_dry_run() and self.settings.reading_user is not None:
            return Account(self.reading_key, self.settings.reading_user)
        return Account(self.private_key)


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
    settings: Settings | None = None
    try:
        settings = parse_settings(values, preset_names())
    except SettingsError as error:
        problems.extend(error.problems)
    secrets = {key: pulumi.runtime.get_config(f"{project}:{key}") or None for key in SECRET_KEYS}
    problems.extend(
        f"{key}: is kept in clear; allowed: a secret, set with pulumi config set --secret {key} <FILE"
        for key, value in secrets.items()
        if value is not None and not is_config_secret(f"{project}:{key}")
    )
    private_key, reading_key = secrets["sshPrivateKey"], secrets["sshReadingPrivateKey"]
    kubeconfig = secrets["kubeconfig"]
    if settings is not None:
        problems.extend(_missing_keys(settings, private_key, reading_key))
        if settings.loki is not None and settings.loki.password and not is_config_secret(f"{project}:loki"):
            problems.append(
                "loki.password: is kept in clear; allowed: a secret, set with "
                "pulumi config set --secret --path loki.password <FILE"
            )
        if kubeconfig is None:
            problems.extend(
                f"kubeconfig: is missing, and {key} is {value!r}; allowed: the text of a kubeconfig for the cluster, "
                "set with pulumi config set --secret kubeconfig <~/.kube/config"
                for key, value in settings.in_cluster.items()
            )
    if problems or settings is None:
        raise SettingsError(problems)
    return Configuration(settings, private_key, reading_key, kubeconfig)


def _missing_keys(settings: Settings, private_key: str | None, reading_key: str | None) -> list[str]:
    preview = pulumi.runtime.is_dry_run()
    if preview and not settings.live_read:
        return []
    if settings.reading_user is not None and reading_key is None:
        return [
            f"sshReadingPrivateKey: is missing; allowed: the private key of {settings.reading_user!r} (reading.user), "
            "set with pulumi config set --secret sshReadingPrivateKey <FILE"
        ]
    if private_key is not None or os.environ.get("SSH_AUTH_SOCK") or (preview and settings.reading_user is not None):
        return []
    return [
        "sshPrivateKey: is missing; allowed: a private key, set with "
        "pulumi config set --secret sshPrivateKey <~/.ssh/id_ed25519, or an SSH agent that holds one (SSH_AUTH_SOCK)"
    ]
