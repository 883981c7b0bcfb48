"""The files that the API server reads once, at its start: policy, webhook's kubeconfig, AdmissionConfiguration.

They change together with the manifest. A change in one of them alone needs a restart, and so the manifest names its
hash in the pod's annotations. A manifest without it, as kubeadm writes it, is in sync when the file
was there before the process.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.manifest.desired import sha256
from auditlog.nodes.answer import ABSENT
from auditlog.nodes.fact_types import HashedFile
from auditlog.nodes.facts import Facts
from auditlog.plan.webhook_kubeconfig import webhook_kubeconfig
from auditlog.settings import WebhookSettings

POLICY_FILE = "policy file"
WEBHOOK_KUBECONFIG = "webhook's kubeconfig"
ADMISSION_CONFIGURATION = "admission configuration"
STATIC_POLICIES = "file of admission policies"


@dataclass(frozen=True, slots=True)
class StartupFile:
    """One such file: what it is called, as it is (None: not there), as it shall be, and the hash in the manifest.

    ``written`` is the hash of what the stack wrote last, None where the node keeps no record of it.
    """

    what: str
    path: str
    live: HashedFile | None
    desired_sha256: str
    annotation: str | None
    written: str | None = None

    @property
    def token(self) -> str:
        """Names the live file at its time, for the comparison right before the write."""
        return self.live.token if self.live else ABSENT

    @property
    def in_sync(self) -> bool:
        return self.live is not None and self.live.sha256 == self.desired_sha256

    def reason(self) -> str | None:
        """Why the file is to be written; None when it is right."""
        if self.in_sync:
            return None
        if self.written is None:
            happened = "is not there" if self.live is None else "differs"
        elif self.live is None:
            happened = "was deleted since this stack wrote it"
        elif self.live.sha256 != self.written:
            happened = "was edited since this stack wrote it"
        else:
            happened = "is the one before this change"
        return f"the {self.what} {self.path} {happened}"

    def stamp(self, *, behind: bool) -> str | None:
        """The hash that the manifest has to name, None to leave it; ``behind``: the process must restart anyway."""
        needed = self.annotation is not None or behind or not self.in_sync
        return self.desired_sha256 if needed else None


def webhook_startup_file(webhook: WebhookSettings | None, facts: Facts, annotation: str | None) -> StartupFile | None:
    """The webhook's kubeconfig on a node whose manifest has this annotation; None without a webhook."""
    if webhook is None:
        return None
    return StartupFile(
        what=WEBHOOK_KUBECONFIG,
        path=webhook.path,
        live=facts.webhook,
        desired_sha256=sha256(webhook_kubeconfig(webhook)),
        annotation=annotation,
    )
