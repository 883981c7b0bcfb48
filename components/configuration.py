"""Hands what Pulumi has of the configuration to ``auditlog.settings``: a stack's, or a component's arguments."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from auditlog.nodes.ssh import Account
from auditlog.settings import KEYS, SECRET_KEYS, Mistake, Settings, SettingsError
from auditlog.stack_file.configuration import check_configuration, decoded, missing_reading_key
from auditlog.stack_file.fleet import uses_fleet
from auditlog.stack_file.namespaces import own_keys
from auditlog.stack_file.own_file import file_of_run
from auditlog.stack_file.shared import with_shared


@dataclass(frozen=True, slots=True)
class Configuration:
    """The checked settings and the keys that open the nodes, plain: the program itself contacts with them.

    ``private_key`` is None where the SSH agent holds the key; ``reading_key`` None where previews read with the same
    account that changes the nodes. ``kubeconfig`` is a text, or the path that the settings name; None where nothing is
    kept in the cluster.
    """

    settings: Settings
    private_key: str | None
    reading_key: str | None
    kubeconfig: str | None

    @property
    def account(self) -> Account:
        """Who reads the nodes in this run: in previews the account that can do nothing else, if there is one."""
        if pulumi.runtime.is_dry_run() and self.settings.reading_user is not None:
            return Account(self.reading_key, self.settings.reading_user)
        return Account(self.private_key)


def read_configuration() -> Configuration:
    """The stack's configuration. Raises SettingsError with all errors in it, as ``config check`` finds them.

    ``kubeconfig`` is not declared in Pulumi.yaml: the engine asks every stack for a declared secret.
    """
    project, given = pulumi.get_project(), CONFIG.get()
    own = own_keys(given, project)
    file = file_of_run(Path(f"Pulumi.{pulumi.get_stack()}.yaml"), project, given)
    mistakes = dict.fromkeys((*own.mistakes, *(file.mistakes if file else ())))
    written = {key: own.written.get(key, f"{project}:{key}") for key in (*KEYS, *SECRET_KEYS, *own.written)}
    texts = {key: pulumi.runtime.get_config(name) for key, name in written.items()}
    values: Mapping[str, Any] = {key: decoded(key, text) for key, text in texts.items() if text is not None}
    if uses_fleet(values):
        values, shared = with_shared(values, file, Path.cwd(), project)
        mistakes |= dict.fromkeys(shared)
    try:
        configuration = configuration_of(values, lambda key: is_config_secret(written[key]))
    except SettingsError as error:
        raise SettingsError([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise SettingsError([*mistakes])
    return configuration


def configuration_of(values: Mapping[str, Any], is_secret: Callable[[str], bool]) -> Configuration:
    """The configuration that consists of these values by their keys at the top. Raises SettingsError likewise.

    ``is_secret`` takes a key at the top and returns whether its value is kept encrypted.
    """
    secrets = {key: values.get(key) or None for key in SECRET_KEYS}
    private_key, reading_key = secrets["sshPrivateKey"], secrets["sshReadingPrivateKey"]
    settings = check_configuration(
        values,
        lambda steps: is_secret(steps[0]),
        lambda settings: [
            *_missing_keys(settings, private_key, reading_key),
            *_unreadable_kubeconfig(settings),
            *_missing_curl(settings),
        ],
    )
    return Configuration(settings, private_key, reading_key, secrets["kubeconfig"] or settings.kubeconfig_file)


def _missing_keys(settings: Settings, private_key: str | None, reading_key: str | None) -> list[Mistake]:
    preview = pulumi.runtime.is_dry_run()
    if preview and not settings.live_read:
        return []
    if settings.reading_user is not None and reading_key is None:
        return [missing_reading_key(settings)]
    if private_key is not None or os.environ.get("SSH_AUTH_SOCK") or (preview and settings.reading_user is not None):
        return []
    return [
        Mistake(
            "sshPrivateKey",
            "is missing",
            "a private key, set with pulumi config set --secret sshPrivateKey <~/.ssh/id_ed25519, "
            "or an SSH agent that holds one (SSH_AUTH_SOCK)",
        )
    ]


def _unreadable_kubeconfig(settings: Settings) -> list[Mistake]:
    """The provider takes a path that leads nowhere for the text of a kubeconfig, and previews as if all were well."""
    if settings.kubeconfig_file is None or not settings.in_cluster:
        return []
    try:
        Path(settings.kubeconfig_file).read_bytes()
    except OSError as error:
        what = f"{settings.kubeconfig_file!r} cannot be read: {error.strerror}"
        return [Mistake("kubeconfigFile", what, "a kubeconfig at this path on every machine that previews or deploys")]
    return []


def _missing_curl(settings: Settings) -> list[Mistake]:
    if settings.ruler is None or shutil.which("curl"):
        return []
    return [Mistake("alerts.loki", "is 'ruler-api', and there is no curl", "curl on every machine that deploys")]
