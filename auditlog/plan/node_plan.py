"""What happens to one control-plane node: a pure function of the settings and of the node's facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from auditlog.checks.finding import Finding, errors, warnings
from auditlog.checks.node_name import name_findings
from auditlog.checks.node_state import obstacles
from auditlog.manifest import manifest
from auditlog.manifest.backends import log_backend
from auditlog.manifest.desired import AuditConfiguration, sha256
from auditlog.manifest.ownership import Owned
from auditlog.nodes.fact_types import Process, StrayManifest, Written
from auditlog.nodes.facts import Facts
from auditlog.plan.annotation_files import AnnotationFiles
from auditlog.plan.file_change import FileChange
from auditlog.plan.identity import former_name, taken_over
from auditlog.plan.marker import transaction_marker
from auditlog.plan.node_files import NodeFiles, nearest_known, plan_files, policy_text_for
from auditlog.plan.plan_error import PlanError
from auditlog.plan.reasons import TAKEN_OVER, node_reasons
from auditlog.plan.restart import Restart, RestartError, choose_restart
from auditlog.plan.startup_files import StartupFile
from auditlog.plan.transaction import Staged, no_canary, staged_files, transaction_arguments
from auditlog.settings import Host, LogFormat, Settings
from auditlog.settings.restart import RestartMode


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
    processes_to_end: tuple[Process, ...]
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
    needs_restart: bool
    """Whether the API server is restarted."""
    restart: Restart
    """How it is restarted."""
    transaction: tuple[tuple[str, str], ...]
    """Names and values that the node's script gets for the change; empty without a restart."""
    removal: tuple[tuple[str, str], ...]
    """The same for the removal of audit logging."""
    reasons: tuple[str, ...]
    """Why the node changes; empty if it does not."""
    warnings: tuple[Finding, ...] = field(repr=False)
    """What people should know all the same."""
    webhook: StartupFile | None = None
    """The webhook's kubeconfig, without its text; None without a webhook."""
    staged_webhook_sha256: str | None = None
    """Of the kubeconfig that waits on the node for its manifest; None if none does."""
    annotations: AnnotationFiles | None = None
    """The files that annotate the audit log; None where none do."""
    reloads: str | None = None
    """What happens in place of a restart where only the file of admission policies changes; None otherwise."""
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


@dataclass(frozen=True, slots=True)
class _RestartPlan:
    """Whether and how the API server is restarted."""

    needed: bool
    """Whether it is restarted."""
    restart: Restart
    """How it is restarted."""
    transaction: Mapping[str, str]
    """What the node's script gets for the change; empty without a restart."""
    removal: Mapping[str, str]
    """What it gets for the removal of audit logging."""
    reloads: str | None = None
    """What happens in its place where the API server takes the change as it runs."""


def plan_node(
    node: Host,
    settings: Settings,
    configuration: AuditConfiguration,
    policy_text: str,
    static_policies: str,
    facts: Facts,
    owner: str,
) -> NodePlan:
    """``static_policies`` as in ``make_plan``. Raises PlanError with every problem of the node."""
    facts, taken_over_from = taken_over(facts, owner, settings.take_over)
    name = tuple(name_findings(node.name, facts, owner))
    problems = errors((*name, *obstacles(facts, owner, quarantine=settings.quarantine_strays)))
    if problems or facts.manifest is None:
        raise PlanError(problems)
    policy_text = policy_text_for(settings, policy_text, facts)
    files = plan_files(settings, configuration, policy_text, static_policies, facts, facts.manifest)
    quarantined = facts.stray_manifests if settings.quarantine_strays else ()
    restart = _plan_restart(settings, files, facts, moves_strays=bool(quarantined))
    reasons = node_reasons(node.name, files, configuration, quarantined, facts)
    if taken_over_from is not None:
        reasons = (*reasons, TAKEN_OVER.format(former=taken_over_from, owner=owner))
    log = log_backend(files.server.flags, files.server.minor)
    change = files.manifest.change
    return NodePlan(
        node=node,
        kubernetes_minor=nearest_known(files.server.minor),
        audit_log_mode=log.mode if log else None,
        policy=_policy_change(settings.policy.path, policy_text, facts),
        manifest=change,
        arguments_sha256=_arguments_sha256(files.server.arguments),
        arguments_live_sha256=_arguments_sha256(manifest.arguments(change.live or "")),
        arguments_before_sha256=_arguments_sha256(manifest.arguments(change.before or "")),
        endpoint=_endpoint(files.server.arguments),
        marker_is_recorded=transaction_marker(files.policy) is not None and _log_shows_names(settings),
        processes_to_end=facts.processes if files.lag is not None and files.in_sync else (),
        quarantined=quarantined,
        scripts_sha256=facts.scripts_sha256,
        scripts_token=facts.scripts_token,
        staged_policy_sha256=facts.staged_policy_sha256,
        owned=files.manifest.owned,
        written=facts.written,
        needs_restart=restart.needed,
        restart=restart.restart,
        transaction=tuple(restart.transaction.items()),
        removal=tuple(restart.removal.items()),
        reasons=reasons,
        warnings=warnings((*name, *files.findings)),
        webhook=files.webhook,
        staged_webhook_sha256=facts.staged_webhook_sha256,
        annotations=files.annotations,
        reloads=restart.reloads,
        former=former_name(node, facts, owner, {each.name for each in settings.nodes}),
        entry=facts.entry,
        edits_back_recorded=facts.edits_back,
        is_owned=facts.owner is not None,
        taken_over_from=taken_over_from,
        was_taken_over=taken_over_from is not None or facts.former_owner is not None,
    )


def _plan_restart(settings: Settings, files: NodeFiles, facts: Facts, *, moves_strays: bool) -> _RestartPlan:
    """Raises PlanError with every problem of the files, and with what is against the wanted restart."""
    wanted, problems = settings.restart, files.problems(facts)
    only_reloads = facts.unfinished_reload and files.annotations is not None
    unfinished = facts.unfinished_change and not only_reloads
    needed = not files.in_sync or files.lag is not None or unfinished or moves_strays
    changed = files.annotations is not None and not files.annotations.reloaded.in_sync
    reloads = not needed and (changed or only_reloads)
    removal_mode = wanted.mode
    if reloads:
        # Nothing is to answer in the API server's place: it runs on.
        wanted = replace(wanted, mode=RestartMode.DRAIN)
    change = files.manifest.change
    folder = settings.annotations.folder if files.annotations else None
    staged = staged_files(webhook=files.webhook is not None, annotations_folder=folder)
    try:
        # Making a canary takes as long as all the rest of a node's plan, and is for a rehearsal or a restart only.
        lacking = no_canary(change.desired, staged, wanted.mode) if needed or reloads else None
        restart = choose_restart(wanted, facts, files.server.arguments, files.policy, lacking)
    except RestartError as error:
        raise PlanError([*problems, str(error)]) from error
    if problems:
        raise PlanError(problems)
    removal = transaction_arguments(change.before or "", removal_mode, rehearsal=wanted.rehearsal, staged=Staged())
    if not (needed or reloads):
        return _RestartPlan(needed, restart, {}, removal)
    transaction = transaction_arguments(change.desired, restart.mode, rehearsal=restart.rehearses, staged=staged)
    if not reloads:
        return _RestartPlan(needed, restart, transaction, removal)
    return _RestartPlan(needed, restart, {**transaction, "reloads": "yes"}, removal, restart.in_place_of_it)


def _policy_change(path: str, desired: str, facts: Facts) -> FileChange:
    before = facts.before_policy if facts.changed_by_stack else facts.policy
    return FileChange(
        path=path,
        live=facts.policy.text if facts.policy else None,
        desired=desired,
        before=before.text if before else None,
        token=facts.policy_token,
    )


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
