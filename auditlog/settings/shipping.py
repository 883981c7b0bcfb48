"""How events travel from the nodes to Loki: what ships them, and where Loki is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from auditlog.settings.reader import Reader, is_header_value, plain_url

DEFAULT_IMAGE = "grafana/alloy:v1.11.3"
DEFAULT_NAMESPACE = "kubernetes-audit"
CONTROL_PLANE: Mapping[str, str] = MappingProxyType({"node-role.kubernetes.io/control-plane": ""})
LOKI_MAX_LINE_SIZE = 256 * 1024
"""Bytes; Loki refuses longer lines unless its ``limits_config.max_line_size`` says otherwise."""


class AlloyMode(StrEnum):
    """Who ships events: Alloy of the stack's own, an Alloy that is there already, or nobody."""

    DAEMONSET = "daemonset"
    SNIPPET = "snippet"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one Alloy asks for and may use, as Kubernetes quantities. No processor limit: it would only add delay."""

    cpu: str = "50m"
    memory: str = "128Mi"
    memory_limit: str = "512Mi"


@dataclass(frozen=True, slots=True)
class AlloySettings:
    """Alloy on the control-plane nodes.

    ``catch_up_minutes`` is how far back, when Alloy starts, events in rotated files are sent again in case they were
    missed; see ``auditlog.observe.alloy``. ``forward_to`` is for a snippet only: the receiver in the Alloy that it is
    for, as ``loki.write.default.receiver``; without it the snippet has a ``loki.write`` of its own.
    """

    mode: AlloyMode = AlloyMode.OFF
    namespace: str = DEFAULT_NAMESPACE
    image: str = DEFAULT_IMAGE
    node_selector: Mapping[str, str] = field(default_factory=lambda: CONTROL_PLANE)
    host_network: bool = False
    resources: Resources = field(default_factory=Resources)
    catch_up_minutes: int = 15
    forward_to: str | None = None


@dataclass(frozen=True, slots=True)
class LokiSettings:
    """Where Loki is: ``url`` without the path of its API, as ``https://loki.example.com``.

    ``tenant`` is Loki's X-Scope-OrgID. ``username`` and ``password`` are for basic authentication and stand together.
    ``certificate_authority`` is a PEM text. ``max_line_size`` is Loki's own limit in bytes.
    """

    url: str
    tenant: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate_authority: str | None = None
    max_line_size: int = LOKI_MAX_LINE_SIZE

    @property
    def push_url(self) -> str:
        return f"{self.url.rstrip('/')}/loki/api/v1/push"


_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# A name with a tag, a digest or both: what runs on the control plane must not change behind a name.
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?")
_RECEIVER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\.receiver")
_KEYS = ("mode", "namespace", "image", "nodeSelector", "hostNetwork", "resources", "catchUpMinutes", "forwardTo")


def parse_loki(reader: Reader | None) -> LokiSettings | None:
    """None where no Loki is configured."""
    if reader is None:
        return None
    reader.allow_only("url", "tenant", "username", "password", "certificateAuthority", "maxLineSize")
    if reader.has("username") != reader.has("password"):
        missing = "password" if reader.has("username") else "username"
        reader.problem(missing, "is missing", "username and password together")
    return LokiSettings(
        url=reader.text("url", _is_url, "Loki's https:// or http:// URL, without user and /loki/api", required=True)
        or "",
        tenant=reader.text("tenant", is_header_value, "the X-Scope-OrgID that Loki expects"),
        username=reader.text("username", is_header_value, "a user name"),
        password=reader.secret("password", bool, "a text, set with pulumi config set --secret --path loki.password"),
        certificate_authority=reader.text("certificateAuthority", _is_certificate, "PEM certificates"),
        max_line_size=reader.integer("maxLineSize", 1024, 1 << 30, LOKI_MAX_LINE_SIZE),
    )


def parse_alloy(reader: Reader | None, *, loki: bool) -> AlloySettings:
    """Without a word on it, Alloy runs as a DaemonSet where ``loki`` is configured and not at all elsewhere."""
    default = AlloyMode.DAEMONSET if loki else AlloyMode.OFF
    if reader is None:
        return AlloySettings(mode=default)
    reader.allow_only(*_KEYS)
    settings = AlloySettings(
        mode=(reader.choice("mode", AlloyMode) if reader.has("mode") else None) or default,
        namespace=reader.text("namespace", is_namespace, "the name of a namespace that the stack makes")
        or DEFAULT_NAMESPACE,
        image=reader.text("image", _is_image, "an image with its tag or digest, as grafana/alloy:v1.0.0")
        or DEFAULT_IMAGE,
        node_selector=reader.labels("nodeSelector", bool, lambda _: True) or CONTROL_PLANE,
        host_network=reader.boolean("hostNetwork") or False,
        resources=_resources(reader.object("resources")),
        catch_up_minutes=reader.integer("catchUpMinutes", 1, 60 * 24 * 7, 15),
        forward_to=reader.text("forwardTo", _is_receiver, "a receiver, as loki.write.default.receiver"),
    )
    if settings.forward_to is not None and settings.mode is not AlloyMode.SNIPPET:
        reader.problem("forwardTo", f"is given with mode {settings.mode}", "only with mode snippet")
    if settings.mode is not AlloyMode.OFF and settings.forward_to is None and not loki:
        reader.problem("mode", f"is {settings.mode} and there is no loki.url", "off, or the key loki beside it")
    return settings


def is_namespace(value: str) -> bool:
    """Whether a namespace can be called this."""
    return bool(_NAMESPACE.fullmatch(value))


def _resources(reader: Reader | None) -> Resources:
    if reader is None:
        return Resources()
    reader.allow_only("cpu", "memory", "memoryLimit")
    default = Resources()
    return Resources(
        cpu=reader.text("cpu", _is_quantity, "a quantity, as 50m") or default.cpu,
        memory=reader.text("memory", _is_quantity, "a quantity, as 128Mi") or default.memory,
        memory_limit=reader.text("memoryLimit", _is_quantity, "a quantity, as 512Mi") or default.memory_limit,
    )


def _is_url(value: str) -> bool:
    parts = plain_url(value)
    return parts is not None and not parts.query and "/loki/api" not in parts.path and is_header_value(value)


def _is_certificate(value: str) -> bool:
    return value.strip().startswith("-----BEGIN CERTIFICATE-----")


def _is_image(value: str) -> bool:
    return bool(_IMAGE.fullmatch(value))


def _is_quantity(value: str) -> bool:
    return bool(_QUANTITY.fullmatch(value))


def _is_receiver(value: str) -> bool:
    return bool(_RECEIVER.fullmatch(value))
