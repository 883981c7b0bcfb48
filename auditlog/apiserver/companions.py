"""The files that the API server reads once, at its start: the policy, and the kubeconfig of the webhook.

They change together with the manifest. A change in one of them alone needs a restart, and so the manifest names its
hash in the pod's annotations (design decision 8). A manifest without it, as kubeadm writes it, is in sync when the file
was there before the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.apiserver.desired import WEBHOOK_FLAG, sha256
from auditlog.apiserver.facts import Facts, HashedFile
from auditlog.apiserver.file_change import ABSENT
from auditlog.apiserver.webhook_kubeconfig import webhook_kubeconfig
from auditlog.settings import WebhookSettings


@dataclass(frozen=True, slots=True)
class Companion:
    """One such file: what it is called, as it is (None: not there), as it shall be, and the hash in the manifest.

    ``is_named`` says whether the manifest's flags name it already.
    """

    what: str
    path: str
    live: HashedFile | None
    desired_sha256: str
    annotation: str | None
    is_named: bool

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
        return f"the {self.what} {self.path} " + ("is not there" if self.live is None else "differs")

    def is_newer_than(self, started: int) -> bool:
        """Whether a process that started then has not read the file, although the file is right."""
        if self.live is None or not self.in_sync or not self.is_named:
            return False
        return started < self.live.modified and self.annotation != self.desired_sha256

    def stamp(self, *, behind: bool) -> str | None:
        """The hash that the manifest has to name, None to leave it; ``behind``: the process must restart anyway."""
        needed = self.annotation is not None or behind or not self.in_sync
        return self.desired_sha256 if needed else None


def webhook_companion(
    webhook: WebhookSettings | None, facts: Facts, flags: Mapping[str, str], annotation: str | None
) -> Companion | None:
    """The webhook's kubeconfig on a node whose manifest has these flags; None without a webhook."""
    if webhook is None:
        return None
    return Companion(
        what="webhook's kubeconfig",
        path=webhook.path,
        live=facts.webhook,
        desired_sha256=sha256(webhook_kubeconfig(webhook)),
        annotation=annotation,
        is_named=WEBHOOK_FLAG in flags,
    )
