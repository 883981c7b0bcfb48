"""The files by which a node's API server annotates the audit log: its AdmissionConfiguration, and the policies.

The first is read at the start and changes together with the manifest. The second is read again whenever it changes
(k8s.io/apiserver pkg/admission/plugin/policy/manifest/source), so that a change of it alone needs no restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from auditlog.manifest import manifest
from auditlog.manifest.admission_configuration import (
    ADMISSION_FLAG,
    ADMISSION_PATH,
    FEATURE,
    FIRST_MINOR,
    PLUGIN,
    AdmissionConfigurationError,
    with_policies_of,
)
from auditlog.manifest.desired import sha256
from auditlog.nodes.answer import ABSENT
from auditlog.nodes.fact_types import RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.plan.file_change import FileChange
from auditlog.plan.plan_error import PlanError
from auditlog.plan.startup_files import ADMISSION_CONFIGURATION, STATIC_POLICIES, StartupFile
from auditlog.settings.annotations import AnnotationSettings


@dataclass(frozen=True, slots=True)
class AnnotationFiles:
    """Both files of one node."""

    admission: FileChange
    """The AdmissionConfiguration."""
    policies: FileChange
    """The admission policies and their bindings."""
    startup: StartupFile
    """The AdmissionConfiguration as a file that is read at the start."""
    reloaded: StartupFile
    """The policies in the same form; they are read again by themselves, and no manifest names their hash."""
    staged_admission_sha256: str | None
    """Of the AdmissionConfiguration that waits on the node for its manifest; None if none does."""
    staged_policies_sha256: str | None
    """The same of the policies."""

    @property
    def arguments(self) -> dict[str, str]:
        """What the node has to know of them to put them in place."""
        return {
            "admission": self.admission.path,
            "admission_live": self.admission.token,
            "admission_desired": self.startup.desired_sha256,
            "static_policies": self.policies.path,
            "static_policies_live": self.policies.token,
            "static_policies_desired": self.reloaded.desired_sha256,
        }

    @property
    def kept_from_view(self) -> AnnotationFiles:
        """The same with both texts secret."""
        return replace(
            self, admission=replace(self.admission, secret=True), policies=replace(self.policies, secret=True)
        )


def plan_annotation_files(
    settings: AnnotationSettings, policies_text: str, facts: Facts, live_manifest: str, minor: int | None
) -> AnnotationFiles:
    """The files of a node with this manifest, whose Kubernetes is 1.``minor``, None where nothing tells.

    ``policies_text`` are all policies. Raises PlanError.
    """
    problems = [
        *([] if minor is None else _too_old(minor)),
        *_switched_off(manifest.flag_values(manifest.arguments(live_manifest))),
    ]
    if problems:
        raise PlanError(problems)
    there = _source(facts, live_manifest)
    return _files(settings, policies_text, facts, there, facts.admission_source_path, live_manifest)


def prepare_annotation_files(
    settings: AnnotationSettings, policies_text: str, facts: Facts, members: Mapping[str, Facts]
) -> AnnotationFiles:
    """The files of a machine that is to join: the AdmissionConfiguration is made of what the first member has.

    Raises PlanError.
    """
    member = next((each for each in members.values() if each.manifest is not None), None)
    there, source = (member.admission_source, member.admission_source_path) if member else (None, None)
    return _files(settings, policies_text, facts, there, source, None)


def delivers_by_files(facts: Facts) -> bool:
    """Whether the node's manifest names the stack's AdmissionConfiguration now."""
    if facts.manifest is None:
        return False
    return manifest.flag_value(manifest.arguments(facts.manifest.text), ADMISSION_FLAG) == ADMISSION_PATH


def _files(
    settings: AnnotationSettings,
    policies_text: str,
    facts: Facts,
    there: RemoteFile | None,
    source: str | None,
    live_manifest: str | None,
) -> AnnotationFiles:
    try:
        text = with_policies_of(settings.folder, there.text if there else None, source)
    except AdmissionConfigurationError as error:
        raise PlanError([f"{source} (--{ADMISSION_FLAG}) {error}"]) from error
    admission = _change(ADMISSION_PATH, facts.admission, facts.admission_folder_changed, text)
    policies = _change(settings.static_path, facts.static_policies, facts.static_policies_folder_changed, policies_text)
    named = None if live_manifest is None else manifest.admission_annotation(live_manifest)
    return AnnotationFiles(
        admission,
        policies,
        _as_file(ADMISSION_CONFIGURATION, admission, facts.admission, facts.written.admission, named),
        _as_file(STATIC_POLICIES, policies, facts.static_policies, facts.written.static_policies, None),
        facts.staged_admission_sha256,
        facts.staged_static_policies_sha256,
    )


def _change(path: str, live: RemoteFile | None, folder_changed: int, desired: str) -> FileChange:
    token = live.token if live else f"{ABSENT}@{folder_changed}"
    return FileChange(path, live.text if live else None, desired, None, token)


def _as_file(
    what: str, change: FileChange, live: RemoteFile | None, written: str | None, named: str | None
) -> StartupFile:
    return StartupFile(what, change.path, live.hashed if live else None, sha256(change.desired), named, written)


def _too_old(minor: int) -> list[str]:
    if minor >= FIRST_MINOR:
        return []
    return [
        f"annotations.delivery is 'files', and this node runs Kubernetes 1.{minor}; "
        f"allowed before 1.{FIRST_MINOR}: annotations.delivery: api"
    ]


def _switched_off(flags: Mapping[str, str]) -> list[str]:
    gates = dict(each.partition("=")[::2] for each in flags.get("feature-gates", "").split(",") if each)
    found = []
    if gates.get(FEATURE, gates.get("AllBeta", "true")).strip().lower() in ("false", "f", "0"):
        found.append(
            f"annotations.delivery is 'files', and --feature-gates={flags['feature-gates']} switches {FEATURE} off; "
            f"allowed: {FEATURE}=true, or annotations.delivery: api"
        )
    disabled = [each.strip() for each in flags.get("disable-admission-plugins", "").split(",")]
    if PLUGIN in disabled:
        found.append(
            f"annotations.delivery is 'files', and --disable-admission-plugins={flags['disable-admission-plugins']} "
            f"has {PLUGIN}; allowed: a list without it"
        )
    return found


def _source(facts: Facts, live_manifest: str) -> RemoteFile | None:
    """The AdmissionConfiguration that the API server has without this stack; None where it has none."""
    path = facts.admission_source_path
    if path is None:
        given = manifest.flag_value(manifest.arguments(live_manifest), ADMISSION_FLAG)
        if given not in (None, "", ADMISSION_PATH):
            raise PlanError(
                [
                    f"annotations.delivery is 'files', and the node's scripts do not say what "
                    f"--{ADMISSION_FLAG}={given} holds; "
                    "allowed: a preview as a user that may change the node, or the scripts of this version on it"
                ]
            )
        return None
    on_node = manifest.node_path(live_manifest, path)
    if on_node != path:
        raise PlanError(
            [
                f"annotations.delivery is 'files', and the API server has {path} (--{ADMISSION_FLAG}) "
                f"from {on_node or 'its own image'}; "
                "allowed: a file that is mounted at its own path"
            ]
        )
    if facts.admission_source is None:
        raise PlanError(
            [
                f"annotations.delivery is 'files', and {path}, which the API server had before, is not there; "
                "allowed: that file"
            ]
        )
    return facts.admission_source
