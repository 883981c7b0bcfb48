"""Which keys of a stack's configuration are this project's, and which only look as if they were another's.

The engine gives a program every key of its stack with its namespace. The SDK shows it only the keys of its own project,
so a setting with another prefix is neither used nor refused. Whoever reads a configuration, from a stack file or from
the engine, asks here first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auditlog.settings.fleet import FLEET
from auditlog.settings.hint import letters
from auditlog.settings.mistake import Mistake
from auditlog.settings.parse import KEYS, SECRET_KEYS

PROVIDERS = frozenset(
    (
        "archive",
        "auth0",
        "aws",
        "aws-native",
        "azure",
        "azure-native",
        "azuread",
        "cloudflare",
        "command",
        "consul",
        "datadog",
        "digitalocean",
        "docker",
        "docker-build",
        "esxi-native",
        "external",
        "gcp",
        "github",
        "gitlab",
        "google-native",
        "grafana",
        "harbor",
        "hcloud",
        "http",
        "keycloak",
        "kubernetes",
        "libvirt",
        "linode",
        "local",
        "minio",
        "nomad",
        "null",
        "oci",
        "okta",
        "openstack",
        "pagerduty",
        "postgresql",
        "proxmoxve",
        "pulumi",
        "rancher2",
        "random",
        "scaleway",
        "splunk",
        "tailscale",
        "talos",
        "time",
        "tls",
        "vault",
        "vsphere",
        "vultr",
    )
)
"""Namespaces that a stack file may hold beside the project's: Pulumi's own, and its registry's packages."""

_IN_USE = {"command": (), "kubernetes": ("cluster", "kubeconfig"), "pulumi": ()}
"""The providers of this project's resources, with their settings that share a name with a setting of this project."""

TWICE = "appears twice"
"""How an error begins after which nobody can know which of two values counts."""

_CLOSE = 0.85
"""How alike two namespaces are when one is a slip of the pen; ``kubernetes`` and ``kubernetes-audit`` are 0.8."""


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The project's keys among those of a configuration.

    ``written`` has each key in full by its name without namespace, keys with a wrong prefix included. Their values are
    read all the same, so one slip gives one message. ``mistakes`` are about the keys in full.
    """

    written: Mapping[str, str]
    mistakes: tuple[Mistake, ...]


def own_keys(keys: Iterable[str], project: str) -> OwnKeys:
    """The keys of the project with this name among ``keys``.

    Keys are ``NAMESPACE:NAME``, or ``NAMESPACE:config:NAME`` as before Pulumi 1.0; one without a namespace is the
    project's.
    """
    right: dict[str, str] = {}
    meant: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for key in keys:
        namespace, name = _parts(key)
        if namespace in ("", project):
            if name in right:
                mistakes.append(Mistake(key, f"{TWICE}, as {project}:{name} and {name}", "one of the two"))
            right.setdefault(name, key)
        elif ":" in namespace:
            mistakes.append(Mistake(key, "is no key", "NAMESPACE:NAME, and what is inside of a setting below it"))
        elif _is_near(namespace, project) or _is_for_a_setting(namespace, name):
            meant.setdefault(name, key)
            what = f"has the namespace {namespace!r}, did you mean '{project}:{name}'"
            mistakes.append(Mistake(key, what, f"{project} for the settings of this project"))
    return OwnKeys({**meant, **right}, tuple(mistakes))


def _parts(key: str) -> tuple[str, str]:
    *namespaces, name = key.split(":")
    if len(namespaces) == 2 and namespaces[1] == "config":
        del namespaces[1]
    return ":".join(namespaces), name


def _is_near(namespace: str, project: str) -> bool:
    if namespace in PROVIDERS:
        return False
    written, meant = letters(namespace), letters(project)
    return difflib.SequenceMatcher(None, written, meant).ratio() >= _CLOSE


def _is_for_a_setting(namespace: str, name: str) -> bool:
    if name not in (*KEYS, FLEET.key, *SECRET_KEYS):
        return False
    return name not in _IN_USE[namespace] if namespace in _IN_USE else namespace not in PROVIDERS
