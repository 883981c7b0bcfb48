"""Why a node is to be changed, in sentences for a person.

What the node keeps of the stack's last writing tells an edit by hand from a change of the settings.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.node_state import forgotten
from auditlog.manifest import manifest
from auditlog.manifest.desired import AuditConfiguration, HostMount, sha256
from auditlog.node_paths import MANIFESTS
from auditlog.nodes.fact_types import StrayManifest
from auditlog.nodes.facts import Facts
from auditlog.plan.manifest_plan import ManifestPlan
from auditlog.plan.node_files import NodeFiles
from auditlog.plan.startup_files import StartupFile

RECORD_ONLY = "record only: nothing on the node changes; refreshes what removal will restore"
SCRIPTS_ANEW = "the node has scripts of another version, so they are installed again; nothing else changes"
KUBEADM_CONFIG_EDITS_BACK = (
    "record only: from now on, a removal makes the earlier kubeadm-config from the present one; nothing in the cluster "
    "changes"
)
KUBEADM_CONFIG_RECORD_ONLY = "record only: kubeadm-config does not change; refreshes what removal will restore"
TAKEN_OVER = "record only: this node was {former}'s and is {owner}'s from now on"
KUBEADM_CONFIG_TAKEN_OVER = "record only: kubeadm-config was {former}'s and is {owner}'s from now on"
PROOF_AGAIN = "the last proof that events arrive failed, so it runs again; nothing else happens on the node"
PROOF_OWED = (
    "an update ended before it proved that events arrive, so the proof runs now; nothing else happens on the node"
)


def node_reasons(
    entry: str,
    files: NodeFiles,
    configuration: AuditConfiguration,
    quarantined: tuple[StrayManifest, ...],
    facts: Facts,
) -> tuple[str, ...]:
    """Every reason to change the node that ``nodes`` calls ``entry``; empty when there is none."""
    reloaded = (files.annotations.reloaded,) if files.annotations else ()
    reasons = [
        *(reason for file in (*reloaded, *files.startup_files) if (reason := file.reason()) is not None),
        *_manifest(files.manifest, configuration, facts),
        *([str(files.lag)] if files.lag is not None else []),
        *(
            f"{stray.name} in {MANIFESTS} defines kube-apiserver too and is moved to the archive"
            for stray in quarantined
        ),
    ]
    change = files.manifest.change
    half_way = sha256(change.live or "") in facts.unfinished_sha256
    if not change.in_sync and not half_way and files.lag is None and all(file.in_sync for file in files.startup_files):
        reasons += [
            f"the manifest names the hash of another {file.what}"
            for file in files.startup_files
            if _names_another(file)
        ]
    if any(forgotten(facts)):
        reasons.append("the stack's record on the node is gone; from now on, removal restores what is there today")
    if facts.lost_owner is not None:
        reasons.append("record only: a power cut lost the record of the node's owner, so it is written again")
    if facts.entry not in (None, entry):
        reasons.append(f"record only: the node was {facts.entry} in this stack and is {entry} from now on")
    if facts.owner is not None and facts.entry is None and facts.node_name is not None:
        reasons.append(f"record only: the node notes that this stack calls it {entry}")
    if facts.unfinished_change:
        reasons.append("an earlier change of the node was cut off and is to be finished")
        if facts.kubeadm_config is not None and facts.kubeadm_config.stale:
            reasons.append("no API server answers; kubeadm-config is taken as it was when that change began")
    return tuple(reasons)


def _manifest(planned: ManifestPlan, configuration: AuditConfiguration, facts: Facts) -> Iterator[str]:
    live = planned.change.live or ""
    written = facts.last_written(facts.written.manifest, sha256(live))
    if not planned.change.in_sync and written is not None and written != sha256(live):
        arguments = manifest.arguments(live)
        if all(manifest.flag_value(arguments, flag.name) is None for flag in configuration.flags):
            yield (
                "the manifest was replaced by one without audit logging since this stack wrote it: by kubeadm from a "
                "kubeadm-config that lacks it, or by an earlier copy"
            )
            return
        yield "the manifest was edited since this stack wrote it"
    yield from planned.reasons
    for mount in configuration.mounts:
        if not _is_mounted(live, mount):
            yield f"the manifest does not mount {mount.path}" + ("" if mount.read_only else " to be written to")


def _is_mounted(text: str, mount: HostMount) -> bool:
    found = manifest.innermost_mount(text, mount.path)
    return found is not None and found.node_path == mount.path and (mount.read_only or not found.read_only)


def _names_another(file: StartupFile) -> bool:
    return file.annotation not in (None, file.desired_sha256)
