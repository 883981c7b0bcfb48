"""The stack's configuration as typed values, checked in full before anything is dialled.

``parse_settings`` takes what ``Pulumi.<env>.yaml`` holds under the project's name, already decoded, and returns
``Settings``. All mistakes are collected, so that one run shows every one of them; each names the key, the value and
what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from auditlog.policy.model import GroupResources, Level, PolicyError, PolicyRule, Stage
from auditlog.policy.overlay import Drops, RaisedLevel
from auditlog.policy.presets import preset_parameters
from auditlog.policy.read import read_policy

DEFAULT_POLICY_PATH = "/etc/kubernetes/audit-policy.yaml"
DEFAULT_LOG_PATH = "/var/log/kubernetes/audit/audit.log"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
# No ssh-rsa: for it pulumi-command 1.2.1 asks for SHA-1 signatures, which OpenSSH 8.8 and later refuse.
_HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}( .*)?")


class SettingsError(ValueError):
    """The configuration is wrong. ``problems`` holds one message for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that is reached over SSH: a control-plane node or a bastion before it.

    ``host_key`` is the machine's public key as in an authorized_keys line. It is required: without it anybody on
    the way could answer in the node's place and receive the policy and the commands (reference: pulumi-command 1.2.1
    accepts any key when none is given).
    """

    name: str
    host: str
    host_key: str
    user: str = "root"
    port: int = 22


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Which policy, what of it changes, and where it lies on the nodes.

    Exactly one of ``preset`` and ``file`` is set. The other fields but ``path`` are those of
    ``auditlog.policy.overlay.Overlay``.
    """

    preset: str | None = "standard"
    file: str | None = None
    path: str = DEFAULT_POLICY_PATH
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    rules_before: tuple[PolicyRule, ...] = ()
    rules_after: tuple[PolicyRule, ...] = ()
    drops: Drops = field(default_factory=Drops)
    raised_levels: tuple[RaisedLevel, ...] = ()
    omit_stages: tuple[Stage, ...] | None = None
    omit_managed_fields: bool | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The log file of the API server's file backend: days, number of files, megabytes."""

    path: str = DEFAULT_LOG_PATH
    max_age: int = 30
    max_backup: int = 10
    max_size: int = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """One stack: one cluster, its control-plane nodes in the order in which they are changed."""

    cluster: str
    nodes: tuple[Host, ...]
    bastion: Host | None = None
    policy: PolicySettings = field(default_factory=PolicySettings)
    log: LogSettings = field(default_factory=LogSettings)
    health_timeout: int = 300


def parse_settings(values: Mapping[str, Any], presets: tuple[str, ...]) -> Settings:
    """Checks the decoded configuration and returns it as Settings.

    ``values`` maps a key without the project's prefix to its decoded value. ``presets`` are the policy presets there
    are. Raises SettingsError with every problem found. ``sshPrivateKey`` is a secret and stays with the program.
    """
    problems: list[str] = []
    top = _Reader(values, "", problems)
    top.allow_only("cluster", "nodes", "bastion", "policy", "auditLog", "healthTimeoutSeconds", "sshPrivateKey")
    cluster = top.text("cluster", is_name, "a name of lower-case letters, digits, '-' and '.'", required=True)
    nodes = tuple(_host(reader) for reader in top.objects("nodes"))
    bastion_reader = top.object("bastion")
    settings = Settings(
        cluster=cluster or "",
        nodes=nodes,
        bastion=_host(bastion_reader, name="bastion") if bastion_reader else None,
        policy=_policy(top.object("policy"), presets),
        log=_log(top.object("auditLog")),
        health_timeout=top.integer("healthTimeoutSeconds", 30, 3600, 300),
    )
    _check_together(settings, problems)
    if problems:
        raise SettingsError(problems)
    return settings


def _host(reader: _Reader, name: str | None = None) -> Host:
    reader.allow_only(*(("name",) if name is None else ()), "host", "user", "port", "hostKey")
    host = reader.text("host", bool, "a host name or an address", required=True) or ""
    host_key = reader.text("hostKey", is_host_key, _host_key_help(host))
    if host_key is None and not reader.has("hostKey"):
        reader.problem("hostKey", "is missing", _host_key_help(host))
    return Host(
        name=name or reader.text("name", is_name, "the node's name in the cluster", required=True) or "",
        host=host,
        host_key=(host_key or "").strip(),
        user=reader.text("user", lambda value: bool(re.fullmatch(r"[a-z_][-a-z0-9_.]*", value)), "a user name")
        or "root",
        port=reader.integer("port", 1, 65535, 22),
    )


def _host_key_help(host: str) -> str:
    return (
        "the host's public Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'; "
        "on the machine itself: cat /etc/ssh/ssh_host_ed25519_key.pub, or from here, to be compared with it: "
        f"ssh-keyscan -t ed25519 {host or 'HOST'}"
    )


def _policy(reader: _Reader | None, presets: tuple[str, ...]) -> PolicySettings:
    if reader is None:
        return PolicySettings()
    reader.allow_only(
        "preset",
        "file",
        "path",
        "parameters",
        "rulesBefore",
        "rulesAfter",
        "drop",
        "raise",
        "omitStages",
        "omitManagedFields",
    )
    preset = reader.text("preset", lambda value: value in presets, "one of " + ", ".join(presets))
    file = reader.text("file", bool, "the path of an audit.k8s.io/v1 Policy file, relative to the project")
    if reader.has("preset") and reader.has("file"):
        reader.problem("preset", "is given together with file", "either preset or file")
    path = reader.text("path", _is_absolute, "an absolute path on the nodes") or DEFAULT_POLICY_PATH
    drop = reader.object("drop")
    return PolicySettings(
        preset=None if file else preset or "standard",
        file=file,
        path=path,
        parameters=_parameters(reader.object("parameters"), preset),
        rules_before=_rules(reader, "rulesBefore"),
        rules_after=_rules(reader, "rulesAfter"),
        drops=_drops(drop) if drop else Drops(),
        raised_levels=tuple(_raised_level(each) for each in reader.objects("raise", required=False)),
        omit_stages=reader.choices("omitStages", Stage),
        omit_managed_fields=reader.boolean("omitManagedFields"),
    )


def _parameters(reader: _Reader | None, preset: str | None) -> Mapping[str, tuple[str, ...]]:
    if reader is None:
        return MappingProxyType({})
    names = preset_parameters(preset) if preset else ()
    reader.allow_only(*names)
    return MappingProxyType({name: reader.texts(name) for name in names if reader.has(name)})


def _rules(reader: _Reader, key: str) -> tuple[PolicyRule, ...]:
    """Rules written as in a policy file, read by the policy's own reader."""
    rules = reader.raw(key)
    if rules is None:
        return ()
    document = yaml.safe_dump({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules}, sort_keys=False)
    try:
        return read_policy(document, key).rules
    except PolicyError as error:
        for problem in error.problems:
            reader.problem(key + problem.path.removeprefix("rules"), problem.message, "rules as in an audit policy")
        return ()


def _drops(reader: _Reader) -> Drops:
    reader.allow_only("users", "userGroups", "namespaces", "resources", "nonResourceURLs")
    return Drops(
        users=reader.texts("users"),
        user_groups=reader.texts("userGroups"),
        namespaces=reader.texts("namespaces"),
        resources=tuple(_group_resources(each) for each in reader.objects("resources", required=False)),
        non_resource_urls=reader.texts("nonResourceURLs"),
    )


def _group_resources(reader: _Reader) -> GroupResources:
    reader.allow_only("group", "resources", "resourceNames")
    group = reader.text("group", lambda _: True, "an API group, '' for the core one") or ""
    return GroupResources(group, reader.texts("resources"), reader.texts("resourceNames"))


def _raised_level(reader: _Reader) -> RaisedLevel:
    reader.allow_only("level", "group", "resource")
    level = reader.choice("level", Level) or Level.METADATA
    group = reader.text("group", lambda _: True, "an API group, '' for the core one") or ""
    resource = reader.text("resource", bool, "a plural as in 'pods', or 'pods/exec'", required=True) or ""
    return RaisedLevel(level, group, resource)


def _log(reader: _Reader | None) -> LogSettings:
    if reader is None:
        return LogSettings()
    reader.allow_only("path", "maxAge", "maxBackup", "maxSize")
    return LogSettings(
        path=reader.text("path", _is_absolute, "an absolute path on the nodes") or DEFAULT_LOG_PATH,
        max_age=reader.integer("maxAge", 0, 36500, 30),
        max_backup=reader.integer("maxBackup", 0, 100000, 10),
        max_size=reader.integer("maxSize", 1, 1_000_000, 100),
    )


def _check_together(settings: Settings, problems: list[str]) -> None:
    for attribute in ("name", "host"):
        seen: set[tuple[str, int]] = set()
        for node in settings.nodes:
            value = getattr(node, attribute)
            identity = (value, node.port if attribute == "host" else 0)
            if value and identity in seen:
                problems.append(f"nodes: {attribute} {value!r} stands twice; allowed: every node once")
            seen.add(identity)
    manifests = PurePosixPath("/etc/kubernetes/manifests")
    for key, path in (("policy.path", settings.policy.path), ("auditLog.path", settings.log.path)):
        if manifests in PurePosixPath(path).parents:
            problems.append(
                f"{key}: {path!r} is inside {manifests}; allowed: any other folder, "
                "because kubelet runs every file in there as a static pod"
            )
    if settings.policy.path == settings.log.path:
        problems.append(f"auditLog.path: {settings.log.path!r} is also policy.path; allowed: two different files")


def is_name(value: str) -> bool:
    """Whether a cluster or a node can be called this."""
    return bool(_NAME.fullmatch(value))


def is_host_key(value: str) -> bool:
    """Whether this is the public key of a host as a stack needs it: Ed25519 or ECDSA, as in authorized_keys."""
    return bool(_HOST_KEY.fullmatch(value.strip()))


def _is_absolute(value: str) -> bool:
    path = PurePosixPath(value)
    return (
        value.startswith("/")
        and ".." not in path.parts
        and str(path) == value
        and len(path.parts) > 2
        and value.isprintable()
    )


Choice = TypeVar("Choice", bound=StrEnum)


class _Reader:
    """One mapping of the configuration, read key by key; problems name the key in full."""

    def __init__(self, values: Mapping[str, Any], prefix: str, problems: list[str]) -> None:
        self._values, self._prefix, self._problems = values, prefix, problems

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def problem(self, key: str, what: str, allowed: str) -> None:
        self._problems.append(f"{self._prefix}{key}: {what}; allowed: {allowed}")

    def allow_only(self, *keys: str) -> None:
        for key in self._values:
            if key not in keys:
                self.problem(key, "is not a key of the configuration", ", ".join(keys))

    def text(self, key: str, valid: Callable[[str], bool], allowed: str, *, required: bool = False) -> str | None:
        value = self._values.get(key)
        if value is None:
            if required:
                self.problem(key, "is missing", allowed)
            return None
        if not isinstance(value, str) or not valid(value):
            self.problem(key, f"is {value!r}", allowed)
            return None
        return value

    def integer(self, key: str, low: int, high: int, default: int) -> int:
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problem(key, f"is {value!r}", f"a whole number from {low} to {high}")
            return default
        return value

    def object(self, key: str) -> _Reader | None:
        value = self._values.get(key)
        if value is None or value == {}:
            return None
        if not isinstance(value, Mapping):
            self.problem(key, f"is {value!r}", "a mapping of keys")
            return None
        return _Reader(value, f"{self._prefix}{key}.", self._problems)

    def objects(self, key: str, *, required: bool = True) -> list[_Reader]:
        value = self._values.get(key)
        if value is None and not required:
            return []
        if not isinstance(value, list) or (required and not value):
            allowed = "a list with at least one entry" if required else "a list"
            self.problem(key, "is missing" if value is None else f"is {value!r}", allowed)
            return []
        readers = []
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                readers.append(_Reader(item, f"{self._prefix}{key}[{index}].", self._problems))
            else:
                self.problem(f"{key}[{index}]", f"is {item!r}", "a mapping of keys")
        return readers

    def raw(self, key: str) -> list[Any] | None:
        value = self._values.get(key)
        if value is None or isinstance(value, list):
            return value or None
        self.problem(key, f"is {value!r}", "a list")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(key, f"is {value!r}", "a list of texts")
            return ()
        return tuple(value)

    def choice(self, key: str, choices: type[Choice]) -> Choice | None:
        value = self._values.get(key)
        if value is None or value not in list(choices):
            what = "is missing" if value is None else f"is {value!r}"
            self.problem(key, what, "one of " + ", ".join(choices))
            return None
        return choices(value)

    def choices(self, key: str, choices: type[Choice]) -> tuple[Choice, ...] | None:
        if not self.has(key):
            return None
        values = self.texts(key)
        for value in values:
            if value not in list(choices):
                self.problem(key, f"has {value!r}", "of " + ", ".join(choices))
        return tuple(choices(value) for value in values if value in list(choices))

    def boolean(self, key: str) -> bool | None:
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.problem(key, f"is {value!r}", "true or false")
        return None
