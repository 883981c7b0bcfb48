"""Whether the API server's container sees the files that its audit flags name, and can write its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from auditlog.checks.api_server import ApiServer
from auditlog.checks.finding import Finding, Severity
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import FILE_FLAGS, LOG_FLAG, POLICY_FLAG


def mount_findings(server: ApiServer) -> Iterator[Finding]:
    """What is wrong with the mounts of the policy, the log and the webhook's kubeconfig."""
    for name in FILE_FLAGS:
        path = server.flags.get(name, "")
        if not path.startswith("/"):
            continue
        mounted = manifest.innermost_mount(server.text, path)
        if mounted is None:
            yield _not_mounted(name, path)
        elif name == LOG_FLAG:
            yield from _log(path, mounted)
    yield from _read_only_file_system(server)


def missing_policy(server: ApiServer) -> Iterator[Finding]:
    """The policy that the flags name is not on the node."""
    if server.flags.get(POLICY_FLAG) and server.facts.policy is None:
        yield Finding(
            "policy-file-missing",
            f"the policy file {server.facts.policy_path or server.flags[POLICY_FLAG]} is not there",
            "the API server does not start again after a restart",
        )


def _not_mounted(name: str, path: str) -> Finding:
    consequence = (
        "events are written inside the container and are gone when it restarts"
        if name == LOG_FLAG
        else "the container cannot see the file, and the API server does not start"
    )
    return Finding(
        "not-mounted",
        f"--{name}: the manifest mounts nothing of the node at {path}",
        consequence,
        Severity.ERROR,
        "mount its folder with a hostPath volume",
    )


def _log(path: str, mounted: manifest.Mount) -> Iterator[Finding]:
    if mounted.read_only:
        yield Finding(
            "log-read-only",
            f"the manifest mounts {path} read-only",
            "the API server cannot write its log there",
            Severity.ERROR,
            f"remove readOnly from the mount of {mounted.mount_path}, or write the log elsewhere",
        )
    if PurePosixPath(mounted.mount_path) == PurePosixPath(path):
        yield Finding(
            "log-mounted-as-file",
            f"the manifest mounts the log file {path} itself instead of its folder",
            "rotation renames the file, which a mount does not allow (device or resource busy): the log is not rotated",
            Severity.ERROR,
            f"mount {PurePosixPath(path).parent} instead",
        )


def _read_only_file_system(server: ApiServer) -> Iterator[Finding]:
    if server.facts.log_read_only is not None and server.flags.get(LOG_FLAG, "").startswith("/"):
        yield Finding(
            "log-file-system-read-only",
            f"{server.facts.log_read_only} on the node is on a file system that is mounted read-only",
            "the API server cannot write its log there and does not start",
            Severity.ERROR,
            "remount it (mount -o remount,rw), or write the log elsewhere",
        )
