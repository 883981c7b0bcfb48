"""The audit flags themselves: repeated, unknown to the version, refused by it, or without effect.

Names, values and what is refused: k8s.io/apiserver pkg/server/options/audit.go, 1.30 to 1.37, between which no flag
came or went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from auditlog.checks.api_server import AUDIT, ApiServer
from auditlog.checks.finding import Finding, Severity
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import KINDS, is_true
from auditlog.manifest.desired import LOG_FLAG, POLICY_FLAG, WEBHOOK_FLAG
from auditlog.policy.model import SUPPORTED_MINORS
from auditlog.settings import LogFormat, Mode
from auditlog.settings.delivery import VERSIONS

_DEPRECATED = {"audit-webhook-batch-initial-backoff": "audit-webhook-initial-backoff"}


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
            f"Kubernetes 1.{minor} is none of the versions whose audit logging is known here, "
            f"1.{SUPPORTED_MINORS[0]} to 1.{SUPPORTED_MINORS[-1]}",
            "policy and flags are checked by the rules of the nearest one",
        )
    for name in flags:
        if name.startswith(AUDIT) and name not in KINDS:
            yield Finding(
                "flag-unknown",
                f"Kubernetes 1.{minor} has no flag --{name}",
                "the API server does not start with it",
                Severity.ERROR,
                "remove it",
            )


def refused(flags: Mapping[str, str]) -> Iterator[Finding]:
    """Values with which the API server does not start. It looks at those of a backend that is on only."""
    for backend, path in (("log", LOG_FLAG), ("webhook", WEBHOOK_FLAG)):
        if not flags.get(path):
            continue
        prefix = f"audit-{backend}-"
        yield from _not(flags, prefix + "mode", list(Mode).__contains__, "one of " + ", ".join(Mode))
        yield from _not(flags, prefix + "version", VERSIONS.__contains__, " or ".join(VERSIONS))
        if backend == "log":
            yield from _not(flags, "audit-log-format", list(LogFormat).__contains__, " or ".join(LogFormat))
            for name in ("maxage", "maxbackup", "maxsize"):
                yield from _not(flags, prefix + name, str.isdecimal, "a whole number, 0 or more")
        if flags.get(prefix + "mode", "batch" if backend == "webhook" else "blocking") == "batch":
            yield from _refused_batch(flags, backend)
        yield from _not(flags, prefix + "truncate-max-event-size", _is_positive, "a number of bytes, 1 or more")


def _refused_batch(flags: Mapping[str, str], backend: str) -> Iterator[Finding]:
    prefix = f"audit-{backend}-batch-"
    names = ["buffer-size", "max-size"]
    if is_true(flags.get(prefix + "throttle-enable", "true" if backend == "webhook" else "false")):
        yield from _not(flags, prefix + "throttle-qps", _is_positive_number, "a number above 0")
        names.append("throttle-burst")
    for name in names:
        yield from _not(flags, prefix + name, _is_positive, "a whole number, 1 or more")


def deprecated(flags: Mapping[str, str]) -> Iterator[Finding]:
    """Flags that will go."""
    for name, successor in _DEPRECATED.items():
        if name in flags:
            yield Finding(
                "flag-deprecated",
                f"--{name} is deprecated",
                "a later version does not start with it",
                remedy=f"write --{successor}",
            )


def _not(flags: Mapping[str, str], name: str, accepts: Callable[[str], bool], allowed: str) -> Iterator[Finding]:
    if name in flags and not accepts(flags[name]):
        yield Finding(
            "flag-refused",
            f"--{name} is {flags[name]!r}",
            "the API server does not start with it",
            Severity.ERROR,
            f"allowed: {allowed}",
        )


def _is_positive(value: str) -> bool:
    return value.isdecimal() and int(value) > 0


def _is_positive_number(value: str) -> bool:
    try:
        return float(value) > 0
    except ValueError:
        return False
