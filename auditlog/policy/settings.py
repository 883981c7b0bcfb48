"""What a stack may say of its policy: which one, and what of it changes. Values only; no key of a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from auditlog.policy.model import GroupResources, Level, PolicyRule, Stage

DEFAULT_POLICY_PATH = "/etc/kubernetes/audit-policy.yaml"


@dataclass(frozen=True, slots=True)
class Drops:
    """Requests that are not recorded: by any of the users, or any of the groups, or in any of the namespaces,
    ...
    """

    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RaisedLevel:
    """At least `level` for every request to one resource, also where the base drops it.

    `resource` is a plural, or a plural and a subresource with a slash between; no wildcards. Levels above
    Metadata are refused for CREDENTIAL_RESOURCES.
    """

    level: Level
    group: str
    resource: str


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Which policy, what of it changes, and where it lies on the nodes.

    Exactly one of ``preset``, ``file`` and ``text`` is set; ``text`` is the policy itself, which the configuration
    holds inline or in base64. The other fields but ``path`` are those of ``auditlog.policy.overlay.Overlay``.
    """

    preset: str | None = "standard"
    file: str | None = None
    path: str = DEFAULT_POLICY_PATH
    text: str | None = None
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    rules_before: tuple[PolicyRule, ...] = ()
    rules_after: tuple[PolicyRule, ...] = ()
    drops: Drops = field(default_factory=Drops)
    raised_levels: tuple[RaisedLevel, ...] = ()
    omit_stages: tuple[Stage, ...] | None = None
    omit_managed_fields: bool | None = None
