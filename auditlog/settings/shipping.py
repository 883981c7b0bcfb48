"""How events travel from the nodes to Loki: what ships them, and where Loki is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from auditlog.settings.kinds import Boolean, Choice, Integer, Text
from auditlog.settings.kinds_of_many import Labels
from auditlog.settings.reader import Reader
from auditlog.settings.record import filled, group_of
from auditlog.settings.setting import defaulted, optional, required
from auditlog.settings.texts import HEADER_VALUE, plain_url

DEFAULT_IMAGE = "grafana/alloy:v1.18.1"
DEFAULT_NAMESPACE = "kubernetes-audit"
CONTROL_PLANE: Mapping[str, str] = MappingProxyType({"node-role.kubernetes.io/control-plane": ""})
LOKI_MAX_LINE_SIZE = 256 * 1024
"""Bytes; Loki refuses longer lines unless its ``limits_config.max_line_size`` says otherwise."""


class AlloyMode(StrEnum):
    """Who ships events: Alloy of the stack's own, an Alloy that exists already, or nobody."""

    DAEMONSET = "daemonset"
    SNIPPET = "snippet"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one Alloy asks for and may use, as Kubernetes quantities. A processor limit would only add delay."""

    cpu: Annotated[str, CPU] = "50m"
    """The processor time that is asked for."""
    memory: Annotated[str, MEMORY] = "128Mi"
    """The memory that is asked for."""
    memory_limit: Annotated[str, MEMORY_LIMIT] = "512Mi"
    """The memory that may be used."""


@dataclass(frozen=True, slots=True)
class AlloySettings:
    """Alloy on the control-plane nodes."""

    mode: Annotated[AlloyMode, MODE] = AlloyMode.OFF
    """What ships events."""
    namespace: Annotated[str, NAMESPACE] = DEFAULT_NAMESPACE
    """The namespace that the stack makes for it."""
    image: Annotated[str, IMAGE] = DEFAULT_IMAGE
    """Its image, with tag or digest."""
    node_selector: Annotated[Mapping[str, str], NODE_SELECTOR] = field(default_factory=lambda: CONTROL_PLANE)
    """Labels of the nodes that it runs on."""
    host_network: Annotated[bool, HOST_NETWORK] = False
    """Whether it uses the node's own network."""
    resources: Annotated[Resources, RESOURCES] = field(default_factory=Resources)
    """What it asks for and may use."""
    catch_up_minutes: Annotated[int, CATCH_UP_MINUTES] = 15
    """Minutes back from which events are sent at its first start on a node."""
    forward_to: Annotated[str | None, FORWARD_TO] = None
    """For a snippet: the receiver in the Alloy that it is for, such as `loki.write.default.receiver`. None for a
    `loki.write` in the snippet."""
    scraped_from: Annotated[str | None, SCRAPED_FROM] = None
    """The namespace of the only pods that may reach it; None if any may."""


@dataclass(frozen=True, slots=True)
class LokiSettings:
    """Where Loki is, and how it is asked."""

    url: Annotated[str, URL]
    """Its URL without the path of its API, such as `https://loki.example.com`."""
    tenant: Annotated[str | None, TENANT] = None
    """The X-Scope-OrgID; None without tenants."""
    username: Annotated[str | None, USERNAME] = None
    """The user of basic authentication; None without it."""
    password: Annotated[str | None, PASSWORD] = field(default=None, repr=False)
    """The password of `username`; None without it."""
    certificate_authority: Annotated[str | None, CERTIFICATE_AUTHORITY] = None
    """PEM certificates that Loki's is checked with; None for those in Alloy's image."""
    max_line_size: Annotated[int, MAX_LINE_SIZE] = LOKI_MAX_LINE_SIZE
    """Bytes of the longest line that Loki takes."""
    query_url: Annotated[str | None, QUERY_URL] = None
    """Where Loki answers questions; None for `url`."""
    query_through_nodes: Annotated[bool, QUERY_THROUGH_NODES] = True
    """Whether it is asked from the nodes, which reach it already, or from the machine that runs the program."""

    @property
    def push_url(self) -> str:
        return f"{self.url.rstrip('/')}/loki/api/v1/push"


_NAMESPACE = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
# A name with a tag, a digest or both: what runs on the control plane must not change behind a name.
_IMAGE = r"[a-z0-9][a-z0-9._/:\-]*(:[A-Za-z0-9_][A-Za-z0-9._\-]*|@sha256:[0-9a-f]{64})"
_ALLOY_BEFORE_1_18 = re.compile(r"(?:.*/)?alloy:v?1\.(?:\d|1[0-7])(?:[.\-@].*)?")
_QUANTITY = r"[0-9]+(\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?"
_RESOURCES = Resources()
_DEFAULT = AlloySettings()


def is_namespace(value: str) -> bool:
    """Whether a namespace can be called this."""
    return bool(re.fullmatch(_NAMESPACE, value))


def _is_url(value: str) -> bool:
    parts = plain_url(value)
    return parts is not None and not parts.query and "/loki/api" not in parts.path


LOKI_ADDRESS = Text("Loki's https:// or http:// URL, without user and /loki/api", f"https?://{HEADER_VALUE}", _is_url)
URL = required("url", LOKI_ADDRESS, "Loki's URL, without the path of its API.")
QUERY_URL = optional(
    "queryUrl",
    LOKI_ADDRESS,
    "Where Loki answers queries, if at another URL. `up` asks there for its proof.",
    otherwise="`url`",
)
QUERY_THROUGH_NODES = defaulted(
    "queryThroughNodes",
    Boolean(),
    True,
    "Whether `up` asks Loki through its SSH connections to the nodes, where a Service's name (`….svc`) works. "
    "`false`: from the machine that runs `up`.",
)
TENANT = optional(
    "tenant", Text("the X-Scope-OrgID that Loki expects", HEADER_VALUE), "Loki's tenant (`X-Scope-OrgID`)."
)
USERNAME = optional(
    "username", Text("a user name", HEADER_VALUE), "The user for basic authentication. Requires `password`."
)
PASSWORD = optional(
    "password",
    Text("a text, set with pulumi config set --secret --path loki.password", hidden=True),
    "The password of `username`.",
    secret=True,
)
CERTIFICATE_AUTHORITY = optional(
    "certificateAuthority",
    Text("PEM certificates", r"\s*-----BEGIN CERTIFICATE-----[\s\S]*"),
    "The certificate authority that signed Loki's certificate.",
    otherwise="the certificate authorities in Alloy's image",
)
MAX_LINE_SIZE = defaulted(
    "maxLineSize",
    Integer(1024, 1 << 30),
    LOKI_MAX_LINE_SIZE,
    "The longest line in bytes that Loki takes (its `limits_config.max_line_size`).",
)
LOKI = group_of(LokiSettings)

CPU = defaulted("cpu", Text("a quantity, as 50m", _QUANTITY), _RESOURCES.cpu, "The requested CPU.")
MEMORY = defaulted("memory", Text("a quantity, as 128Mi", _QUANTITY), _RESOURCES.memory, "The requested memory.")
MEMORY_LIMIT = defaulted(
    "memoryLimit", Text("a quantity, as 512Mi", _QUANTITY), _RESOURCES.memory_limit, "The memory limit."
)

MODE = optional(
    "mode",
    Choice(AlloyMode),
    "What ships events: one Alloy from the stack on every control-plane node (`daemonset`), or configuration for "
    "your own Alloy (`snippet`). Both require a kubeconfig.",
    otherwise="daemonset if `loki` is set, else off",
)
NAMESPACE = defaulted(
    "namespace",
    Text("the name of a namespace that the stack makes", _NAMESPACE),
    _DEFAULT.namespace,
    "The namespace; the stack creates it.",
)
IMAGE = defaulted(
    "image",
    Text("an image with its tag or digest, as grafana/alloy:v1.18.1", _IMAGE),
    _DEFAULT.image,
    "Alloy's image, with tag or digest.",
)
NODE_SELECTOR = defaulted(
    "nodeSelector", Labels(bool, lambda _: True), _DEFAULT.node_selector, "Labels of the nodes on which it runs."
)
HOST_NETWORK = defaulted("hostNetwork", Boolean(), _DEFAULT.host_network, "Whether it uses the node's network.")
RESOURCES = optional("resources", group_of(Resources), "What one Alloy requests and may use, as Kubernetes quantities.")
CATCH_UP_MINUTES = defaulted(
    "catchUpMinutes",
    Integer(1, 60 * 24 * 7),
    _DEFAULT.catch_up_minutes,
    "How far back to send events when Alloy first starts on a node.",
)
FORWARD_TO = optional(
    "forwardTo",
    Text("a receiver, as loki.write.default.receiver", r"[A-Za-z_][A-Za-z0-9_.]*\.receiver"),
    "With `snippet`: the receiver in your Alloy.",
    otherwise="the snippet's `loki.write`",
)
SCRAPED_FROM = optional(
    "scrapedFrom",
    Text("the name of a namespace", _NAMESPACE),
    "The namespace of the Prometheus that scrapes Alloy. A NetworkPolicy keeps all other pods out.",
    otherwise="no NetworkPolicy",
)
ALLOY = group_of(AlloySettings)


def parse_loki(reader: Reader | None) -> LokiSettings | None:
    """None where no Loki is configured."""
    if reader is None:
        return None
    if reader.has(USERNAME) != reader.has(PASSWORD):
        missing = PASSWORD if reader.has(USERNAME) else USERNAME
        reader.problem(missing, "is missing", "username and password together")
    return filled(LokiSettings, reader, url=lambda url: url or "")


def parse_alloy(reader: Reader | None, *, loki: bool) -> AlloySettings:
    """Default: Alloy runs as a DaemonSet if ``loki`` is configured, and otherwise not at all."""
    default = AlloyMode.DAEMONSET if loki else AlloyMode.OFF
    if reader is None:
        return AlloySettings(mode=default)
    settings = filled(AlloySettings, reader, mode=lambda mode: mode or default, resources=_resources)
    if settings.mode is AlloyMode.DAEMONSET and _ALLOY_BEFORE_1_18.fullmatch(settings.image):
        reader.problem(IMAGE, f"is {settings.image!r}", "Alloy 1.18 or later, which reads files by their content")
    if settings.scraped_from is not None and settings.host_network:
        reader.problem(SCRAPED_FROM, "is given with hostNetwork", "only for pods with their own network")
    if settings.scraped_from is not None and settings.mode is not AlloyMode.DAEMONSET:
        reader.problem(SCRAPED_FROM, f"is given with mode {settings.mode}", "only with mode daemonset")
    if settings.forward_to is not None and settings.mode is not AlloyMode.SNIPPET:
        reader.problem(FORWARD_TO, f"is given with mode {settings.mode}", "only with mode snippet")
    if settings.mode is not AlloyMode.OFF and settings.forward_to is None and not loki:
        reader.problem(MODE, f"is {settings.mode} and there is no loki.url", "off, or the key loki beside it")
    return settings


def _resources(reader: Reader | None) -> Resources:
    return Resources() if reader is None else filled(Resources, reader)
