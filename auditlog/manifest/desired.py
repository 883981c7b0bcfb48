"""What audit logging asks of an API server: its flags, and the files of the node that it must see.

The flags are the rows of ``auditlog.manifest.audit_flags``. Paths, rotation and volume names come
from the single-node runbook that the project began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.audit_flags import AUDIT_FLAGS, AuditSettings
from auditlog.manifest.flag_values import written
from auditlog.settings import LogSettings, PolicySettings, WebhookSettings

POLICY_ANNOTATION = "kubernetes-audit/policy-sha256"
WEBHOOK_ANNOTATION = "kubernetes-audit/webhook-sha256"
ADMISSION_ANNOTATION = "kubernetes-audit/admission-sha256"

POLICY_MOUNT, LOG_MOUNT, WEBHOOK_MOUNT = "audit-policy", "audit-logs", "audit-webhook"
"""Names of the volumes."""


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


def audit_configuration(
    policy: PolicySettings,
    log: LogSettings | None,
    webhook: WebhookSettings | None = None,
    annotations_folder: str | None = None,
) -> AuditConfiguration:
    """The flags and mounts that these settings ask for, and no flag that they do not name.

    A log file's path and rotation are always named. ``annotations_folder`` is where the nodes have the admission
    policies of audit annotations; None where files deliver none.
    """
    settings = AuditSettings(policy, log, webhook)
    values = ((flag.name, flag.setting(settings)) for flag in AUDIT_FLAGS)
    flags = tuple(Flag(name, written(value)) for name, value in values if value is not None)
    mounts = tuple(_mounts(settings))
    if annotations_folder is None:
        return AuditConfiguration(flags, mounts)
    # The folder, and not the file: a file that is replaced by another one would not be seen any more.
    folder = HostMount("audit-annotations", annotations_folder, read_only=True, path_type="DirectoryOrCreate")
    return AuditConfiguration(
        (*flags, Flag(ADMISSION_FLAG, ADMISSION_PATH)),
        (*mounts, _file_mount("audit-admission", ADMISSION_PATH), folder),
    )


def sha256(text: str) -> str:
    """The hash that ``sha256sum`` prints for a file with this text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mounts(settings: AuditSettings) -> Iterator[HostMount]:
    yield _file_mount(POLICY_MOUNT, settings.policy.path)
    if settings.log is not None and settings.log.is_file:
        folder = str(PurePosixPath(settings.log.path).parent)
        yield HostMount(LOG_MOUNT, folder, read_only=False, path_type="DirectoryOrCreate")
    if settings.webhook is not None:
        yield _file_mount(WEBHOOK_MOUNT, settings.webhook.path)


def _file_mount(name: str, path: str) -> HostMount:
    return HostMount(name, path, read_only=True, path_type="File")
