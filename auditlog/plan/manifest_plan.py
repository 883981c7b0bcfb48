"""What happens to the static-pod manifest of one node: the edit, what of it is the stack's own, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditlog.manifest import manifest, manifest_edit
from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.arguments import read_arguments
from auditlog.manifest.audit_flags import means_the_same
from auditlog.manifest.desired import AuditConfiguration, Flag
from auditlog.manifest.manifest import ManifestError
from auditlog.manifest.ownership import Owned, OwnershipError, Present, owned_by, recorded
from auditlog.node_paths import MANIFEST, RECORDS
from auditlog.nodes.fact_types import RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.plan.file_change import FileChange, given_back

_OWNED_PATH = f"{RECORDS}/owned"


@dataclass(frozen=True, slots=True)
class ManifestPlan:
    """The manifest's edit. ``reasons`` are those about flags and mounts that can be named one by one."""

    change: FileChange
    owned: Owned
    reasons: tuple[str, ...]


def plan_manifest(
    configuration: AuditConfiguration,
    live: RemoteFile,
    facts: Facts,
    policy_sha256: str | None,
    webhook_sha256: str | None = None,
    admission_sha256: str | None = None,
) -> ManifestPlan:
    """The edit of the live manifest; the hashes are those of ``manifest_edit.edit``. Raises ManifestError."""
    text = live.text
    set_since = admission_set_since(configuration, facts)
    earlier = facts.before_manifest.text if facts.changed_by_stack and facts.before_manifest else None
    if earlier is None and facts.owner is not None:
        # A machine that was prepared to join: kubeadm wrote audit logging into its first manifest already.
        earlier = manifest_edit.strip(text, owned_by(configuration, Present({}, {})))
    if earlier is not None and set_since is not None:
        earlier = manifest_edit.edit(earlier, set_since, None)
    before = text if earlier is None else earlier
    owned = owned_by(configuration, manifest.present(before))
    retired = Owned() if earlier is None else _owned_until_now(facts, text).beyond(owned)
    kept = manifest_edit.retire(text, before, retired)
    desired = manifest_edit.edit(kept, configuration, policy_sha256, webhook_sha256, admission_sha256)
    if earlier is not None:
        before = given_back(manifest_edit.revert(desired, earlier, owned), earlier)
    change = FileChange(MANIFEST, text, desired, before, live.token)
    reasons = (
        *_differing_flags(configuration, text),
        *_retired(retired, configuration, manifest.present(text), manifest.present(kept)),
    )
    if change.in_sync and facts.owned is not None and retired != Owned():
        reasons = (*reasons, f"{_OWNED_PATH} still names what the stack no longer sets; only that record changes")
    return ManifestPlan(change, owned, reasons)


def admission_set_since(configuration: AuditConfiguration, facts: Facts) -> AuditConfiguration | None:
    """The flag of an AdmissionConfiguration that is not the stack's, as an edit of the text that removal restores.

    Somebody may have set it after the stack's first change; the stack's own flag then replaces it. None where the stack
    sets no such flag.
    """
    source, live = facts.admission_source_path, facts.manifest
    if source is None or live is None:
        return None
    is_set = any(flag.name == ADMISSION_FLAG for flag in configuration.flags)
    is_set = is_set or manifest.flag_value(manifest.arguments(live.text), ADMISSION_FLAG) == ADMISSION_PATH
    return AuditConfiguration((Flag(ADMISSION_FLAG, source),), ()) if is_set else None


def _owned_until_now(facts: Facts, live: str) -> Owned:
    try:
        return recorded(facts.owned, manifest.present(live))
    except OwnershipError as error:
        raise ManifestError(f"cannot be compared with {_OWNED_PATH}: {error}") from error


def _differing_flags(configuration: AuditConfiguration, live: str) -> Iterator[str]:
    there = {argument.name: argument.value for argument in read_arguments(manifest.arguments(live))}
    for flag in configuration.flags:
        if flag.name not in there:
            yield f"the manifest lacks --{flag.name}"
        elif not means_the_same(flag.name, there[flag.name], flag.value):
            yield f"the manifest has --{flag.name}={there[flag.name] or ''}, not {flag.value}"


def _retired(retired: Owned, configuration: AuditConfiguration, live: Present, kept: Present) -> Iterator[str]:
    still_set = {flag.name for flag in configuration.flags}
    for name in retired.flags:
        if name not in still_set and name in live.flags and live.flags[name] != kept.flags.get(name):
            yield f"the manifest has --{name}, which the stack no longer sets"
    for name, path in sorted(retired.mounts.items()):
        if name in live.mounts and name not in kept.mounts:
            yield f"the manifest mounts {path}, which the stack no longer uses"
