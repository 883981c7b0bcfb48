"""What the files of one node come to: the manifest as it shall be, the files read at the start, and who is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.checks.api_server import ApiServer
from auditlog.checks.catalogue import planned_findings
from auditlog.checks.finding import Finding, errors
from auditlog.checks.process import Lag, no_process, process_lag
from auditlog.manifest import manifest
from auditlog.manifest.desired import AuditConfiguration, sha256
from auditlog.manifest.manifest import ManifestError
from auditlog.node_paths import MANIFEST
from auditlog.nodes.answer import ABSENT
from auditlog.nodes.fact_types import RemoteFile
from auditlog.nodes.facts import Facts
from auditlog.nodes.kubernetes_version import kubernetes_version
from auditlog.plan.annotation_files import AnnotationFiles, plan_annotation_files
from auditlog.plan.manifest_plan import ManifestPlan, plan_manifest
from auditlog.plan.plan_error import PlanError
from auditlog.plan.startup_files import (
    ADMISSION_CONFIGURATION,
    POLICY_FILE,
    WEBHOOK_KUBECONFIG,
    StartupFile,
    webhook_startup_file,
)
from auditlog.policy.model import NEWEST_MINOR, SUPPORTED_MINORS, Policy, PolicyError
from auditlog.policy.presets import without_header
from auditlog.policy.selection import policy_source
from auditlog.policy.validate import load_policy
from auditlog.settings import Settings


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """The files of one node as they shall be."""

    server: ApiServer
    """The API server that the desired manifest leads to."""
    policy: Policy
    """The policy as this node's version reads it."""
    policy_file: StartupFile
    """The policy file."""
    webhook: StartupFile | None
    """The webhook's kubeconfig; None without a webhook."""
    annotations: AnnotationFiles | None
    """The files that annotate; None where none do."""
    manifest: ManifestPlan
    """The edit of the manifest."""
    lag: Lag | None
    """In what the running process is behind its files; None if it is not, or a file that is written brings a restart.
    """
    findings: tuple[Finding, ...]
    """What is wrong with them, or worth a warning."""

    @property
    def startup_files(self) -> tuple[StartupFile, ...]:
        admission = self.annotations.startup if self.annotations else None
        return tuple(file for file in (self.policy_file, self.webhook, admission) if file is not None)

    @property
    def in_sync(self) -> bool:
        """Whether every file that is read at the start is as it shall be, whatever runs."""
        return self.manifest.change.in_sync and all(file.in_sync for file in self.startup_files)

    def problems(self, facts: Facts) -> list[str]:
        """Why the node cannot be changed so."""
        found = errors(self.findings)
        found += [
            f"{MANIFEST} uses {argument!r}: arguments that kubelet expands cannot be verified"
            for argument in self.server.arguments
            if "$(" in argument
        ]
        if self.lag is Lag.NO_PROCESS and self.in_sync and not facts.unfinished_change:
            found.append(str(no_process(facts.pod_logs)))
        return found


def plan_files(
    settings: Settings,
    configuration: AuditConfiguration,
    policy_text: str,
    static_policies: str,
    facts: Facts,
    live: RemoteFile,
) -> NodeFiles:
    """The files of a node whose manifest is ``live``. Raises PlanError where one of them cannot be read or edited."""
    try:
        version = kubernetes_version(live.text, facts)
        known = None if version is None else int(version.split(".")[1])
        # The newest one that is known when nothing tells.
        minor = NEWEST_MINOR if known is None else known
        annotations = (
            plan_annotation_files(settings.annotations, static_policies, facts, live.text, known)
            if static_policies
            else None
        )
        policy = _policy_for(nearest_known(minor), policy_text, settings)
        policy_file = _policy_file(settings, live.text, policy_text, facts)
        webhook = webhook_startup_file(settings.webhook, facts, manifest.webhook_annotation(live.text))
        files = (policy_file, webhook, annotations.startup if annotations else None)
        lag = _lag(ApiServer.of(facts, live.text, minor), [file for file in files if file is not None])
        stamps = [None if file is None else file.stamp(behind=lag is not None) for file in files]
        edit = plan_manifest(configuration, live, facts, *stamps)
        server = ApiServer.of(facts, edit.change.desired, minor)
        line = settings.loki.max_line_size if settings.loki else None
        findings = planned_findings(
            server,
            policy,
            line,
            settings.log.budget if settings.log else None,
            admission_policies=static_policies,
            ships=settings.ships,
            changes_policy=not policy_file.in_sync,
        )
    except ManifestError as error:
        raise PlanError([f"{MANIFEST} {error}"]) from error
    return NodeFiles(server, policy, policy_file, webhook, annotations, edit, lag, findings)


def policy_text_for(settings: Settings, chosen: str, facts: Facts) -> str:
    """The policy this node gets: the live text, if it differs from the preset in its header alone."""
    live = facts.policy.text if facts.policy else None
    is_same_preset = settings.policy.preset is not None and live is not None
    return live if is_same_preset and live and without_header(live) == without_header(chosen) else chosen


def nearest_known(minor: int) -> int:
    """The minor version whose rules hold for this one."""
    return min(max(minor, SUPPORTED_MINORS[0]), SUPPORTED_MINORS[-1])


def _policy_file(settings: Settings, live: str, policy_text: str, facts: Facts) -> StartupFile:
    live_policy = facts.policy.hashed if facts.policy else None
    return StartupFile(
        what=POLICY_FILE,
        path=settings.policy.path,
        live=live_policy,
        desired_sha256=sha256(policy_text),
        annotation=manifest.policy_annotation(live),
        written=facts.last_written(facts.written.policy, live_policy.sha256 if live_policy else ABSENT),
    )


def _lag(live: ApiServer, files: Sequence[StartupFile]) -> Lag | None:
    """In what the process is behind. A file that is to be written anyway brings its own restart."""
    lag = process_lag(live)
    older_than = {
        Lag.OLDER_THAN_POLICY: POLICY_FILE,
        Lag.OLDER_THAN_WEBHOOK: WEBHOOK_KUBECONFIG,
        Lag.OLDER_THAN_ADMISSION: ADMISSION_CONFIGURATION,
    }
    if lag in older_than and not all(file.in_sync for file in files if file.what == older_than[lag]):
        return None
    return lag


def _policy_for(minor: int, policy_text: str, settings: Settings) -> Policy:
    try:
        return load_policy(policy_text, policy_source(settings.policy), minor)
    except PolicyError as error:
        raise PlanError([f"the policy is not valid on Kubernetes 1.{minor}: {error}"]) from error
