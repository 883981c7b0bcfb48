"""What a stack may say about its policy: which one, and what of it changes. Values only; no key of a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from auditlog.policy.model import GroupResources, Level, PolicyRule, Stage

DEFAULT_POLICY_PATH = "/etc/kubernetes/audit-policy.yaml"


@dataclass(frozen=True, slots=True)
class Drops:
    """Requests that are not recorded: those that fit any one of these entries."""

    users: tuple[str, ...] = ()
    """User names, compared as a whole."""
    user_groups: tuple[str, ...] = ()
    """Groups of the user, compared as a whole."""
    namespaces: tuple[str, ...] = ()
    """Namespaces of the object."""
    resources: tuple[GroupResources, ...] = ()
    """Resources with their API groups, in every namespace."""
    non_resource_urls: tuple[str, ...] = ()
    """Paths that are no resource, such as `/metrics`; a `*` at the end stands for any text."""


@dataclass(frozen=True, slots=True)
class RaisedLevel:
    """At least this level for every request to one resource, also where the policy drops it."""

    level: Level
    """The least level. Above Metadata it is refused for CREDENTIAL_RESOURCES."""
    group: str
    """The API group; empty for the core group."""
    resource: str
    """A plural, or a plural and a subresource with a slash between; no wildcards."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """Which policy, what of it changes, and where it lies on the nodes.

    Exactly one of `preset`, `file` and `text` is set.
    """

    preset: str | None = "standard"
    """The preset's name; None if the policy comes from `file` or `text`."""
    file: str | None = None
    """The policy's path, relative to the project's folder; None if it comes from elsewhere."""
    path: str = DEFAULT_POLICY_PATH
    """The policy's absolute path on the nodes."""
    text: str | None = None
    """The policy itself, decoded; None if it comes from elsewhere."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The preset's parameters by name, with their values; empty for its own values."""
    rules_before: tuple[PolicyRule, ...] = ()
    """Rules in front of the policy's own."""
    rules_after: tuple[PolicyRule, ...] = ()
    """Rules behind the policy's own, in front of a last rule that matches everything."""
    drops: Drops = field(default_factory=Drops)
    """Requests that are not recorded."""
    raised_levels: tuple[RaisedLevel, ...] = ()
    """Resources that are recorded at this level at least."""
    omit_stages: tuple[Stage, ...] | None = None
    """Stages that no event is written for; None for the policy's own."""
    omit_managed_fields: bool | None = None
    """Whether bodies lack managedFields; None for the policy's own."""
