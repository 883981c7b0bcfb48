"""What happens to one control-plane node: a pure function of the settings and of the node's facts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from auditlog.checks.api_server import ApiServer
from auditlog.checks.finding import Finding
from auditlog.checks.findings import errors, planned_findings, warnings
from auditlog.checks.node_name import name_findings
from auditlog.checks.node_state import obstacles
from auditlog.checks.process import Lag, no_process, process_lag
from auditlog.manifest import manifest
from auditlog.manifest.backends import log_backend
from auditlog.manifest.desired import AuditConfiguration, sha256
from auditlog.manifest.manifest import MANIFEST_PATH, ManifestError
from auditlog.manifest.ownership import Owned
from auditlog.nodes.answer import ABSENT
from auditlog.nodes.fact_types import Process, StrayManifest, Written
from auditlog.nodes.facts import Facts
from auditlog.nodes.kubernetes_version import kubernetes_version
from auditlog.plan.companions import POLICY_FILE, WEBHOOK_KUBECONFIG, Companion, webhook_companion
from auditlog.plan.file_change import FileChange
from auditlog.plan.identity import former_name, taken_over
from auditlog.plan.manifest_plan import plan_manifest
from auditlog.plan.marker import transaction_marker
from auditlog.plan.plan_error import PlanError
from auditlog.plan.reasons import TAKEN_OVER, node_reasons
from auditlog.plan.restart import Restart, RestartError, choose_restart
from auditlog.plan.transaction import no_canary, staged_files, transaction_arguments
from auditlog.policy.model import NEWEST_MINOR, SUPPORTED_MINORS, Policy, PolicyError
from auditlog.policy.presets import without_header
from auditlog.policy.selection import policy_source
from auditlog.policy.validate import load_policy
from auditlog.settings import Host, LogFormat, Settings


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What happens to one control-plane node."""

    node: Host
    """The machine."""
    kubernetes_minor: int
    """The minor version of its API server."""
    audit_log_mode: str | None
    """The mode of the log backend as it will be; None without one."""
    policy: FileChange
    """The policy file."""
    manifest: FileChange
    """The static pod's manifest."""
    arguments_sha256: str
    """Of `/proc/PID/cmdline` of the process that the desired manifest leads to."""
    arguments_live_sha256: str
    """The same of the live manifest."""
    arguments_before_sha256: str
    """The same of the manifest that removal restores."""
    endpoint: str
    """The URL at which the node's own API server answers."""
    marker_is_recorded: bool
    """Whether policy and backend let a marker event reach the log."""
    restart: tuple[Process, ...]
    """The processes that must end although both files are right."""
    quarantined: tuple[StrayManifest, ...]
    """Stray manifests that are moved out of kubelet's folder with the change."""
    scripts_sha256: str | None
    """Of the node's copy of the scripts; None if it has none."""
    scripts_token: str
    """Names that copy, or its absence at this time."""
    staged_policy_sha256: str | None
    """Of the policy that waits on the node for its manifest; None if none does."""
    owned: Owned
    """What of the desired manifest is the stack's own."""
    written: Written
    """What the stack wrote last."""
    restarts: bool
    """Whether the API server is restarted."""
    restarting: Restart
    """How it is restarted."""
    transaction: tuple[tuple[str, str], ...]
    """Names and values that the node's script gets for the change; empty without a restart."""
    removal: tuple[tuple[str, str], ...]
    """The same for the removal of audit logging."""
    reasons: tuple[str, ...]
    """Why the node changes; empty if it does not."""
    warnings: tuple[Finding, ...] = field(repr=False)
    """What people should know all the same."""
    webhook: Companion | None = None
    """The webhook's kubeconfig, without its text; None without a webhook."""
    staged_webhook_sha256: str | None = None
    """Of the kubeconfig that waits on the node for its manifest; None if none does."""
    former: str | None = None
    """The name under which the stack may have had the machine until now; None if it has not changed."""
    entry: str | None = None
    """The name that the node has on record; None if it has none."""
    edits_back_recorded: bool = False
    """As `edits_back` in the facts."""
    is_owned: bool = False
    """Whether this stack has changed the node before."""
    taken_over_from: str | None = None
    """The owner that the node has on record until now; None if that is this stack or nobody."""
    was_taken_over: bool = False
    """Whether the node has, or will have, a former owner on record."""

    @property
    def names_entry(self) -> bool:
        """Whether the node has, or will have, on record which entry of ``nodes`` it is."""
        return self.entry is not None or not self.in_sync

    @property
    def edits_back(self) -> bool:
        """Whether the node's scripts make the earlier texts by edits, or will once this change is made.

        Older ones need the whole text in the command line, and a node that is in sync keeps the scripts that it has.
        """
        return self.edits_back_recorded or not self.in_sync

    @property
    def in_sync(self) -> bool:
        return not self.reasons

    @property
    def is_record_only(self) -> bool:
        """Whether only the stack's record of the manifest changes: it is right, and somebody else wrote it."""
        return self.in_sync and self.written.manifest not in (None, sha256(self.manifest.desired))

    @property
    def policy_reasons(self) -> tuple[str, ...]:
        """The reasons that are about the policy file."""
        return tuple(reason for reason in self.reasons if self.policy.path in reason)


def plan_node(
    node: Host, settings: Settings, configuration: AuditConfiguration, policy_text: str, facts: Facts, owner: str
) -> NodePlan:
    facts, taken_over_from = taken_over(facts, owner, settings.take_over)
    name = tuple(name_findings(node.name, facts, owner))
    problems = errors((*name, *obstacles(facts, owner, quarantine=settings.quarantine_strays)))
    if problems or facts.manifest is None:
        raise PlanError(problems)
    live = facts.manifest.text
    policy_text = _policy_text(policy_text, settings, facts)
    try:
        minor = _minor(live, facts)
        policy = _policy_for(_nearest_known(minor), policy_text, settings)
        policy_file, webhook = _companions(settings, live, policy_text, facts)
        files = (policy_file, webhook) if webhook is not None else (policy_file,)
        lag = _lag(ApiServer.of(facts, live, minor), files)
        stamps = [file.stamp(behind=lag is not None) for file in files]
        edit = plan_manifest(configuration, facts.manifest, facts, *stamps)
        change = edit.change
        planned = ApiServer.of(facts, change.desired, minor)
        arguments = planned.arguments
        arguments_live, arguments_before = manifest.arguments(live), manifest.arguments(change.before or "")
        line = settings.loki.max_line_size if settings.loki else None
        findings = planned_findings(planned, policy, line, ships=settings.ships)
    except ManifestError as error:
        raise PlanError([f"{MANIFEST_PATH} {error}"]) from error
    problems = errors(findings)
    problems += [
        f"{MANIFEST_PATH} uses {argument!r}: arguments that kubelet expands cannot be verified"
        for argument in arguments
        if "$(" in argument
    ]
    quarantined = facts.stray_manifests if settings.quarantine_strays else ()
    reasons = node_reasons(node.name, files, edit, configuration, lag, quarantined, facts)
    if taken_over_from is not None:
        reasons = (*reasons, TAKEN_OVER.format(former=taken_over_from, owner=owner))
    files_in_sync = change.in_sync and all(file.in_sync for file in files)
    restarts = not files_in_sync or lag is not None or facts.unfinished_change or bool(quarantined)
    staged = staged_files(webhook=webhook is not None)
    try:
        # Making a canary takes as long as all the rest of a node's plan, and is for a restart only.
        lacking = no_canary(change.desired, staged, settings.restart.mode) if restarts else None
        restarting = choose_restart(settings.restart, facts, arguments, policy, lacking)
    except RestartError as error:
        raise PlanError([*problems, str(error)]) from error
    told = (
        transaction_arguments(change.desired, restarting.mode, rehearsal=restarting.rehearses, staged=staged)
        if restarts
        else {}
    )
    told_at_removal = transaction_arguments(
        change.before or "", settings.restart.mode, rehearsal=settings.restart.rehearsal, staged={}
    )
    policy_before = facts.before_policy if facts.changed_by_stack else facts.policy
    policy_change = FileChange(
        path=settings.policy.path,
        live=facts.policy.text if facts.policy else None,
        desired=policy_text,
        before=policy_before.text if policy_before else None,
        token=facts.policy_token,
    )
    if lag is Lag.NO_PROCESS and files_in_sync and not facts.unfinished_change:
        problems.append(str(no_process(facts.pod_logs)))
    if problems:
        raise PlanError(problems)
    log = log_backend(planned.flags, minor)
    return NodePlan(
        node=node,
        kubernetes_minor=_nearest_known(minor),
        audit_log_mode=log.mode if log else None,
        policy=policy_change,
        manifest=change,
        arguments_sha256=_arguments_sha256(arguments),
        arguments_live_sha256=_arguments_sha256(arguments_live),
        arguments_before_sha256=_arguments_sha256(arguments_before),
        endpoint=_endpoint(arguments),
        marker_is_recorded=transaction_marker(policy) is not None and _log_shows_names(settings),
        restart=facts.processes if lag is not None and files_in_sync else (),
        quarantined=quarantined,
        scripts_sha256=facts.scripts_sha256,
        scripts_token=facts.scripts_token,
        staged_policy_sha256=facts.staged_policy_sha256,
        owned=edit.owned,
        written=facts.written,
        restarts=restarts,
        restarting=restarting,
        transaction=tuple(told.items()),
        removal=tuple(told_at_removal.items()),
        reasons=reasons,
        warnings=warnings((*name, *findings)),
        webhook=webhook,
        staged_webhook_sha256=facts.staged_webhook_sha256,
        former=former_name(node, facts, owner, {each.name for each in settings.nodes}),
        entry=facts.entry,
        edits_back_recorded=facts.edits_back,
        is_owned=facts.owner is not None,
        taken_over_from=taken_over_from,
        was_taken_over=taken_over_from is not None or facts.former_owner is not None,
    )


def _companions(settings: Settings, live: str, policy_text: str, facts: Facts) -> tuple[Companion, Companion | None]:
    """The policy, and the webhook's kubeconfig where there is one."""
    live_policy = facts.policy.hashed if facts.policy else None
    policy = Companion(
        what=POLICY_FILE,
        path=settings.policy.path,
        live=live_policy,
        desired_sha256=sha256(policy_text),
        annotation=manifest.policy_annotation(live),
        written=facts.last_written(facts.written.policy, live_policy.sha256 if live_policy else ABSENT),
    )
    return policy, webhook_companion(settings.webhook, facts, manifest.webhook_annotation(live))


def _lag(live: ApiServer, files: tuple[Companion, ...]) -> Lag | None:
    """In what the process is behind. A file that is to be written anyway brings its own restart."""
    lag = process_lag(live)
    older_than = {Lag.OLDER_THAN_POLICY: POLICY_FILE, Lag.OLDER_THAN_WEBHOOK: WEBHOOK_KUBECONFIG}
    if lag in older_than and not all(file.in_sync for file in files if file.what == older_than[lag]):
        return None
    return lag


def _minor(manifest_text: str, facts: Facts) -> int:
    """The node's minor version; the newest one that is known when nothing tells."""
    version = kubernetes_version(manifest_text, facts)
    return NEWEST_MINOR if version is None else int(version.split(".")[1])


def _nearest_known(minor: int) -> int:
    return min(max(minor, SUPPORTED_MINORS[0]), SUPPORTED_MINORS[-1])


def _policy_text(chosen: str, settings: Settings, facts: Facts) -> str:
    """The policy this node gets: the live text, if it differs from the preset in its header alone."""
    live = facts.policy.text if facts.policy else None
    is_same_preset = settings.policy.preset is not None and live is not None
    return live if is_same_preset and live and without_header(live) == without_header(chosen) else chosen


def _policy_for(minor: int, policy_text: str, settings: Settings) -> Policy:
    try:
        return load_policy(policy_text, policy_source(settings.policy), minor)
    except PolicyError as error:
        raise PlanError([f"the policy is not valid on Kubernetes 1.{minor}: {error}"]) from error


def _log_shows_names(settings: Settings) -> bool:
    """Whether the log's lines hold the marker's name, which the legacy format leaves out."""
    return settings.log is not None and settings.log.format != LogFormat.LEGACY


def _arguments_sha256(argument_list: tuple[str, ...]) -> str:
    return hashlib.sha256("".join(f"{argument}\0" for argument in argument_list).encode()).hexdigest()


def _endpoint(argument_list: tuple[str, ...]) -> str:
    """Where this node's own API server answers: loopback, unless it listens on one address only."""
    port = manifest.flag_value(argument_list, "secure-port") or "6443"
    address = manifest.flag_value(argument_list, "bind-address") or "0.0.0.0"  # noqa: S104  compared, never bound
    if address in ("0.0.0.0", "::"):  # noqa: S104
        address = "127.0.0.1"
    return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"
