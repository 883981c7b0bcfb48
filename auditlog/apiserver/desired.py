"""What audit logging asks of an API server: its flags, and the files of the node that it must see.

Flag names and defaults: k8s.io/apiserver pkg/server/options/audit.go. Paths, rotation and volume names: seed
000_05e3394e1aae7e61.txt.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from auditlog.settings import LogSettings, PolicySettings

POLICY_ANNOTATION = "kubernetes-audit/policy-sha256"


@dataclass(frozen=True, slots=True)
class Flag:
    """One ``--name=value`` of kube-apiserver; ``name`` without the dashes."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"--{self.name}={self.value}"


@dataclass(frozen=True, slots=True)
class HostMount:
    """A file or folder of the node, mounted at the same path into the API server's container.

    ``path_type`` is a hostPath type. The log is mounted as its folder, never as the file: rotation renames it, and a
    file that is mounted by itself cannot be renamed.
    """

    name: str
    path: str
    read_only: bool
    path_type: str


@dataclass(frozen=True, slots=True)
class AuditConfiguration:
    """Everything of audit logging that the manifest and kubeadm-config hold."""

    flags: tuple[Flag, ...]
    mounts: tuple[HostMount, ...]


def audit_configuration(policy: PolicySettings, log: LogSettings) -> AuditConfiguration:
    """The flags and mounts that these settings ask for."""
    return AuditConfiguration(
        flags=(
            Flag("audit-policy-file", policy.path),
            Flag("audit-log-path", log.path),
            Flag("audit-log-maxage", str(log.max_age)),
            Flag("audit-log-maxbackup", str(log.max_backup)),
            Flag("audit-log-maxsize", str(log.max_size)),
        ),
        mounts=(
            HostMount("audit-policy", policy.path, read_only=True, path_type="File"),
            HostMount(
                "audit-logs",
                str(PurePosixPath(log.path).parent),
                read_only=False,
                path_type="DirectoryOrCreate",
            ),
        ),
    )


def sha256(text: str) -> str:
    """The hash that ``sha256sum`` prints for a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()
