"""The arguments of the node's transaction for one manifest, beside the manifest itself: ``node/transaction.sh``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditlog.manifest import manifest
from auditlog.manifest.admission_configuration import ADMISSION_FLAG
from auditlog.manifest.audit_flags import POLICY_FLAG, WEBHOOK_FLAG
from auditlog.node_paths import RECORDS
from auditlog.plan.canary import Canary, CanaryError, canary
from auditlog.plan.restart import placed_first
from auditlog.settings.restart import RestartMode

_STAGED = f"{RECORDS}/staged"


@dataclass(frozen=True, slots=True)
class Staged:
    """What waits on the node for its manifest, as in ``canary``."""

    files: Mapping[str, str] = field(default_factory=dict)
    """The flags that name a file which changes together with the manifest, and where that file waits on the node."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """Folders of the container whose files change with it, and where their next content waits."""


def staged_files(*, webhook: bool, annotations_folder: str | None = None) -> Staged:
    """What waits for a manifest of the stack.

    ``webhook``: the stack brings a kubeconfig for one. A webhook that somebody made by hand has its own file.
    ``annotations_folder`` is as in ``audit_configuration``.
    """
    files = {POLICY_FLAG: f"{_STAGED}/audit-policy.yaml"}
    if webhook:
        files[WEBHOOK_FLAG] = f"{_STAGED}/audit-webhook.yaml"
    if annotations_folder is None:
        return Staged(files)
    files[ADMISSION_FLAG] = f"{_STAGED}/audit-admission.yaml"
    return Staged(files, {annotations_folder: f"{_STAGED}/static-policies"})


def transaction_arguments(text: str, mode: RestartMode, *, rehearsal: bool, staged: Staged) -> dict[str, str]:
    """The arguments of apply-manifest or restore-manifest for the restart with the manifest ``text``.

    ``staged`` as in ``canary``. They follow from the manifest and the settings alone. The stack's state holds those of
    a removal, which must not change while nothing else does.
    """
    arguments = manifest.arguments(text)
    told = {
        "mode": str(mode),
        "rehearsal": "yes" if rehearsal else "no",
        "address": manifest.flag_value(arguments, "advertise-address") or "",
        "images": " ".join(manifest.images(text)),
    }
    user = manifest.user(text) if staged.files else None
    if user is not None:
        told["runs_as"] = user
    if mode is RestartMode.QUICK:
        told["placed_first"] = placed_first(text)
    if rehearsal or mode is RestartMode.SEAMLESS:
        try:
            made = _canary(text, staged, mode)
        except CanaryError:
            return told
        told |= {"canary": made.edits, "canary_sha256": made.sha256, "canary_log": made.log or ""}
    return told


def no_canary(text: str, staged: Staged, wanted: RestartMode) -> str | None:
    """Why no canary can be made from the manifest for a restart in the ``wanted`` mode; None when one can."""
    try:
        _canary(text, staged, wanted)
    except CanaryError as error:
        return str(error)
    return None


def _canary(text: str, staged: Staged, mode: RestartMode) -> Canary:
    """One that only rehearses, unless it is to answer in the API server's place."""
    return canary(text, staged.files, loopback=mode is not RestartMode.SEAMLESS, folders=staged.folders)
