"""Drafts the stack file that takes over what is on the nodes, without changing it.

The draft goes to the same plan that a preview makes. What that plan would edit becomes a comment, so the draft itself
says what it could not keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import yaml

from auditlog.inspection.inspection import NodeReport
from auditlog.manifest.audit_flags import STANDARD_FLAGS
from auditlog.manifest.backends import LogBackend
from auditlog.nodes.facts import Facts
from auditlog.plan.plan import make_plan
from auditlog.plan.plan_error import PlanError
from auditlog.settings import (
    DEFAULT_LOG_PATH,
    DEFAULT_POLICY_PATH,
    STDOUT,
    Host,
    LogSettings,
    PolicySettings,
    Settings,
)
from auditlog.settings.package_schema import NAME

_HAND_OVER = (
    "What to do depends on that stack:",
    "  - It is the one that this file is for: use the file for it, and for no other stack.",
    "  - It is in use: pulumi destroy takes audit logging off with it; draft again afterwards.",
    "  - It no longer exists, or has another name now: set takeOver to its name as printed here. pulumi up then",
    "    takes the nodes over as they are.",
)


@dataclass(frozen=True, slots=True)
class Draft:
    """The settings, and what they do not say: ``remarks`` is empty when they take over everything as it is.

    ``fetch`` is the command that brings the policy file to where ``settings.policy.file`` has it; None for a preset.
    ``owners`` are the Pulumi stacks that manage nodes already, each with the names of its nodes: a preview of any other
    stack is refused there.
    """

    settings: Settings
    remarks: tuple[str, ...]
    fetch: str | None
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def keeps_everything(self) -> bool:
        """Whether a first preview of a stack of the cluster's name edits nothing and is not refused."""
        return not self.remarks and not self.others

    @property
    def others(self) -> tuple[str, ...]:
        """One line for each stack of another name than the cluster's that manages nodes of the draft."""
        own = f"{NAME}/{self.settings.cluster}"
        return tuple(
            f"{', '.join(nodes)}: managed by the Pulumi stack {owner}, and a preview of any other stack is refused"
            for owner, nodes in self.owners.items()
            if owner != own
        )


def draft(
    cluster: str,
    nodes: Sequence[Host],
    bastion: Host | None,
    reports: Sequence[NodeReport],
    facts: Mapping[str, Facts],
    known: Sequence[str] = (),
) -> Draft:
    """The draft for these nodes, in their order; the first one decides where they differ.

    ``reports`` are in the same order, ``facts`` by the names of ``nodes``; ``known`` are remarks that the caller has.
    """
    first = reports[0]
    live = facts[nodes[0].name].policy
    policy, fetch = _policy(cluster, nodes[0], first)
    remarks = list(known)
    log = _log(first.log, remarks)
    settings = Settings(cluster, tuple(nodes), bastion, policy, log)
    remarks += [
        f"{node.name}: the host key that it was verified by is no Ed25519 or ECDSA key, which a stack needs; "
        f"on the machine: cat /etc/ssh/ssh_host_ed25519_key.pub"
        for node in (*nodes, *([bastion] if bastion else []))
        if not node.host_key
    ]
    if first.policy is None or live is None:
        remarks.append(f"there is no policy on {nodes[0].name} to take over: this is a first setup with the defaults")
    else:
        remarks += _would_change(settings, live.text, facts)
    unmanaged = [str(flag) for flag in first.flags if flag.name not in STANDARD_FLAGS]
    if unmanaged:
        remarks.append("kept as they are on the nodes, and not managed by the stack: " + ", ".join(unmanaged))
    return Draft(settings, tuple(remarks), fetch, _owners(facts))


def stack_file(draft: Draft) -> str:
    """The draft as the text of ``Pulumi.<env>.yaml``, remarks as comments above it."""
    settings = draft.settings
    values: dict[str, object] = {"cluster": settings.cluster, "nodes": [_host(node) for node in settings.nodes]}
    if settings.bastion is not None:
        values["bastion"] = _host(settings.bastion, named=False)
    source = {"preset": settings.policy.preset} if settings.policy.preset else {"file": settings.policy.file}
    values["policy"] = source | ({} if settings.policy.path == DEFAULT_POLICY_PATH else {"path": settings.policy.path})
    if settings.log is not None:
        values["auditLog"] = _log_values(settings.log)
    document = {"config": {f"{NAME}:{key}": value for key, value in values.items()}}
    return "".join(f"# {line}\n" for line in _heading(draft)) + yaml.safe_dump(document, sort_keys=False, width=1000)


def _heading(draft: Draft) -> list[str]:
    lines = [*draft.others, *(_HAND_OVER if draft.others else ())]
    lines.append(f"Drafted from what was found on {', '.join(node.name for node in draft.settings.nodes)}.")
    if draft.remarks:
        lines += ["This file does not say, or changes:", *(f"  - {remark}" for remark in draft.remarks)]
    elif not draft.others:
        lines.append("It keeps everything as it is: the first preview edits no file of a node and restarts nothing.")
    lines.append("Before the first preview:")
    if draft.fetch is not None:
        lines.append(f"  {draft.fetch}")
    lines.append("  pulumi config set --secret sshPrivateKey <~/.ssh/id_ed25519")
    return lines


def _policy(cluster: str, node: Host, report: NodeReport) -> tuple[PolicySettings, str | None]:
    if report.policy is None:
        return PolicySettings(), None
    path = report.policy.path
    if report.policy.preset is not None:
        return PolicySettings(preset=report.policy.preset, path=path), None
    file = f"audit-policy-{cluster}.yaml"
    sudo = "" if node.user == "root" else "sudo -n "
    port = "" if node.port == 22 else f"-p {node.port} "
    return PolicySettings(None, file, path), f"ssh {port}{node.user}@{node.host} {sudo}cat {path} >{file}"


def _log(log: LogBackend | None, remarks: list[str]) -> LogSettings:
    if log is None:
        return LogSettings()
    if log.path == STDOUT:
        return LogSettings(STDOUT)
    path = log.path
    if not path.startswith("/"):
        remarks.append(f"--audit-log-path={path}: a stack names files in full; this draft has the default path")
        path = DEFAULT_LOG_PATH
    size = log.max_size
    if size is None:
        remarks.append(
            "--audit-log-maxsize=0 turns rotation off, which a stack does not do; this draft has the default"
        )
        size = LogSettings().max_size
    return LogSettings(path, log.max_age, log.max_backup, size)


def _log_values(log: LogSettings) -> dict[str, object]:
    values: dict[str, object] = {"path": log.path}
    if log.is_file:
        values |= {"maxAge": log.max_age, "maxBackup": log.max_backup, "maxSize": log.max_size}
    return values


def _owners(facts: Mapping[str, Facts]) -> Mapping[str, tuple[str, ...]]:
    owners = dict.fromkeys(each.owner for each in facts.values() if each.owner)
    return {owner: tuple(name for name, each in facts.items() if each.owner == owner) for owner in owners}


def _would_change(settings: Settings, policy_text: str, facts: Mapping[str, Facts]) -> list[str]:
    """What the first ``pulumi up`` would do to the nodes with these settings, were they all its stack's."""
    owner = f"{NAME}/{settings.cluster}"
    own = {name: replace(each, owner=owner) if each.owner else each for name, each in facts.items()}
    try:
        plan = make_plan(settings, policy_text, own, owner)
    except PlanError as error:
        return [f"pulumi preview would refuse: {problem}" for problem in error.problems]
    changes = [
        f"{node.node.name}: pulumi up would restart the API server: {reason}"
        for node in plan.nodes
        for reason in node.reasons
    ]
    return changes + [f"pulumi up would write kubeadm-config: {reason}" for reason in plan.kubeadm_config_reasons]


def _host(host: Host, *, named: bool = True) -> dict[str, object]:
    value: dict[str, object] = {"name": host.name} if named else {}
    value["host"] = host.host
    if host.user != "root":
        value["user"] = host.user
    if host.port != 22:
        value["port"] = host.port
    if host.host_key:
        value["hostKey"] = host.host_key
    return value
