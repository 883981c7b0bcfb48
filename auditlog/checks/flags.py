"""The audit flags themselves: repeated, unknown to the version, refused by it, or without effect.

The rows of ``auditlog.manifest.audit_flags`` have names, values and what is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditlog.checks.api_server import ApiServer
from auditlog.checks.finding import Finding, Severity
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import (
    AUDIT,
    AUDIT_FLAGS,
    BY_NAME,
    LOG_FLAG,
    POLICY_FLAG,
    WEBHOOK_FLAG,
    is_looked_at,
)
from auditlog.policy.model import SUPPORTED_MINORS


def flag_findings(server: ApiServer) -> Iterator[Finding]:
    """What is wrong with the flags of this API server, whoever wrote them."""
    yield from without_effect(server.flags)
    yield from repeated(server.arguments)
    yield from unknown(server.flags, server.minor)
    yield from refused(server.flags)
    yield from deprecated(server.flags)


def without_effect(flags: Mapping[str, str]) -> Iterator[Finding]:
    """A policy without a backend, or a backend without a policy: the API server starts, and writes nothing."""
    policy = bool(flags.get(POLICY_FLAG))
    backend = bool(flags.get(LOG_FLAG) or flags.get(WEBHOOK_FLAG))
    if not policy and not backend:
        yield Finding(
            "audit-off", "the manifest has neither a policy nor a backend", "nobody can tell afterwards who did what"
        )
    elif not policy:
        yield Finding(
            "no-policy", f"the manifest has a backend, and no --{POLICY_FLAG}", "not a single event is written"
        )
    elif not backend:
        yield Finding(
            "no-backend",
            f"the manifest has a policy, and neither --{LOG_FLAG} nor --{WEBHOOK_FLAG}",
            "not a single event is written",
        )


def repeated(arguments: tuple[str, ...]) -> Iterator[Finding]:
    """Two audit flags of the same name."""
    for name in manifest.repeated_flags(arguments):
        if name.startswith(AUDIT):
            value = manifest.flag_value(arguments, name)
            yield Finding(
                "flag-twice",
                f"the manifest has --{name} more than once",
                f"the API server takes the last one, {value!r}, and the others mislead whoever reads the file",
                remedy="remove all but one",
            )


def unknown(flags: Mapping[str, str], minor: int) -> Iterator[Finding]:
    """Audit flags that no supported version has, such as --audit-dynamic-configuration, which went with 1.19."""
    if minor not in SUPPORTED_MINORS:
        yield Finding(
            "version-unknown",
            f"Kubernetes 1.{minor} is not among the supported versions, "
            f"1.{SUPPORTED_MINORS[0]} to 1.{SUPPORTED_MINORS[-1]}",
            "policy and flags are checked by the rules of the nearest one",
        )
    for name in flags:
        if name.startswith(AUDIT) and name not in BY_NAME:
            yield Finding(
                "flag-unknown",
                f"Kubernetes 1.{minor} has no flag --{name}",
                "the API server does not start with it",
                Severity.ERROR,
                "remove it",
            )


def refused(flags: Mapping[str, str]) -> Iterator[Finding]:
    """Values with which the API server does not start. It looks at those of a backend that is on only."""
    for flag in AUDIT_FLAGS:
        if flag.allowed is None or flag.name not in flags or flag.allowed.accepts(flags[flag.name]):
            continue
        if is_looked_at(flag, flags):
            yield Finding(
                "flag-refused",
                f"--{flag.name} is {flags[flag.name]!r}",
                "the API server does not start with it",
                Severity.ERROR,
                f"allowed: {flag.allowed.what}",
            )


def deprecated(flags: Mapping[str, str]) -> Iterator[Finding]:
    """Flags that will go."""
    for flag in AUDIT_FLAGS:
        if flag.successor is not None and flag.name in flags:
            yield Finding(
                "flag-deprecated",
                f"--{flag.name} is deprecated",
                "a later version does not start with it",
                remedy=f"write --{flag.successor}",
            )
