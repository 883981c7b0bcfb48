"""What of a text is the stack's own: the flags and mounts that it added to what it found.

The node keeps a record of it. So a setting that leaves the stack takes its flag and mount along, while flags that
people made by hand stay. The manifest and kubeadm-config have a record each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from auditlog.errors import AuditlogError
from auditlog.manifest.audit_flags import STANDARD_FLAGS, means_the_same
from auditlog.manifest.desired import LOG_MOUNT, POLICY_MOUNT, AuditConfiguration

_STANDARD_MOUNTS = (POLICY_MOUNT, LOG_MOUNT)


class OwnershipError(AuditlogError):
    """The record on the node is not one that this program wrote."""


@dataclass(frozen=True, slots=True)
class Present:
    """What a text has of audit logging: its flags with their values (None: without one), mounts by name with paths."""

    flags: Mapping[str, str | None]
    mounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Owned:
    """Names of flags, and of mounts with the path that each is for."""

    flags: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def record(self) -> str:
        """The line that the node keeps."""
        return json.dumps({"flags": self.flags, "mounts": dict(sorted(self.mounts.items()))})

    def beyond(self, now: Owned) -> Owned:
        """What the stack had and has no more ``now``.

        This includes a flag that is still set if the text from before the stack says the same again. It is then
        restored in its earlier words.
        """
        return Owned(
            tuple(name for name in self.flags if name not in now.flags),
            {name: path for name, path in self.mounts.items() if now.mounts.get(name) != path},
        )


def recorded(text: str | None, there: Present) -> Owned:
    """What the record says; without one, the standard flags and mounts, as far as they are ``there``.

    Stacks of before there was a record had only those. Raises OwnershipError.
    """
    if text is None:
        mounts = {name: there.mounts[name] for name in _STANDARD_MOUNTS if name in there.mounts}
        return Owned(tuple(sorted(STANDARD_FLAGS)), mounts)
    try:
        values = json.loads(text)
        return Owned(tuple(sorted(map(str, values["flags"]))), {str(k): str(v) for k, v in values["mounts"].items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OwnershipError(f"the record of what the stack owns cannot be read: {text[:80]!r}") from error


def owned_by(configuration: AuditConfiguration, before: Present) -> Owned:
    """What of the configuration is the stack's own, over what was there before it."""
    return Owned(
        tuple(
            sorted(
                flag.name
                for flag in configuration.flags
                if flag.name not in before.flags or not means_the_same(flag.name, before.flags[flag.name], flag.value)
            )
        ),
        {mount.name: mount.path for mount in configuration.mounts if mount.name not in before.mounts},
    )
