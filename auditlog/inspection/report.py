"""Reports on nodes as text for people and JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from auditlog.checks.disk import Disk
from auditlog.checks.finding import Finding
from auditlog.events.layout import safe
from auditlog.events.render import human_bytes
from auditlog.inspection.inspection import ClusterReport, NodeReport, PolicyReport
from auditlog.manifest.audit_flags import BACKENDS, FILE_FLAGS, ROTATION_FLAGS
from auditlog.manifest.backends import LogBackend
from auditlog.nodes.flagz import Witness
from auditlog.settings import STDOUT

_SHOWN = 5
"""Lines of one kind in the text of one node, so that a node stays one screen; JSON has them all."""

_LABEL = 12
_SAID = (*FILE_FLAGS, *ROTATION_FLAGS, *(backend.flag("mode") for backend in BACKENDS))
"""The flags whose values the lines on backends and policy show."""

_BLOCKS_REMOVAL = "Kubernetes finishes the deletion of no namespace until they answer, so pulumi destroy would fail"

_FLAGZ = {
    Witness.AGREES: "the API server itself names the same audit flags",
    Witness.DIFFERS: "the API server itself names other audit flags, see below",
    Witness.UNKNOWN: "not known: the API server does not name its flags (it does by default since Kubernetes 1.36)",
}


def text_report(report: ClusterReport) -> str:
    """A block for each node, then what the nodes do not have in common."""
    blocks = [_node(node) for node in report.nodes]
    if report.disagreements:
        blocks.append(["The nodes disagree:", *_disagreements(report.disagreements)])
    return "\n".join("\n".join([*map(safe, block), ""]) for block in blocks)


def json_report(report: ClusterReport, unreadable: Mapping[str, str]) -> str:
    """One object; ``unreadable`` are the nodes that could not be read, with the reason."""
    value = {
        "well": report.is_well and not unreadable,
        "nodes": report.nodes,
        "disagreements": report.disagreements,
        "unreadable": unreadable,
    }
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _node(node: NodeReport) -> list[str]:
    version = f"Kubernetes {node.kubernetes}" if node.kubernetes else "Kubernetes version unknown"
    name = node.name if node.name == node.hostname else f"{node.name} ({node.hostname})"
    audit = f"{'on' if node.audit_is_on else 'OFF'}, {version}"
    if node.trouble is None:
        lines = [f"{name}: audit logging is {audit}"]
    else:
        lines = [f"{name}: {node.trouble.what}"]
        lines += _line("audit", f"{audit}")
    lines += _line("backend", "; ".join(_backends(node)) or "none")
    other = [str(flag) for flag in node.flags if flag.name not in _SAID]
    lines += _line("also", " ".join(other)) if other else []
    lines += _line("/flagz", _FLAGZ[node.flagz])
    if node.policy is not None:
        lines += _policy(node.policy)
    if node.disk is not None:
        lines += _line("disk", _disk(node.disk))
    if node.owner is not None:
        lines += _line("managed by", f"the Pulumi stack {node.owner}")
    if node.dead_apis:
        lines += _line("dead APIs", f"{', '.join(node.dead_apis)}: {_BLOCKS_REMOVAL}")
    found = [*_disagreements(node.disagreements), *(_lint(node.policy) if node.policy else [])]
    if found:
        lines += ["  found:", *found]
    lines += [] if node.policy is None else _not_recorded(node.policy)
    return lines if found else [*lines, "  nothing found"]


def _backends(node: NodeReport) -> Iterator[str]:
    if node.log is not None:
        yield _log(node.log)
    if node.webhook is not None:
        yield f"webhook by {node.webhook.config_file}, {node.webhook.mode}"


def _log(log: LogBackend) -> str:
    if log.path == STDOUT:
        return f"standard output of the container, {log.mode}"
    size = f"files of {log.max_size} MB" if log.max_size is not None else "one file without rotation"
    kept = f"{log.max_backup} rotated ones kept" if log.max_backup else "all rotated ones kept"
    age = f"for {log.max_age} days" if log.max_age else "at any age"
    defaults = f" ({', '.join(log.unset)}: not set, the version's default)" if log.unset else ""
    return f"{log.path}, {log.mode}, {size}, {kept}, {age}{defaults}"


def _policy(policy: PolicyReport) -> list[str]:
    if policy.preset:
        preset = f"the preset {policy.preset}"
    elif policy.same_rules_as:
        preset = f"the rules of the preset {policy.same_rules_as}, in another text"
    else:
        preset = "none of the presets"
    valid = "REFUSED by" if policy.problems else "valid for"
    text = f"{policy.path}, {preset}, {valid} Kubernetes 1.{policy.minor}, sha256 {policy.sha256}"
    return list(_line("policy", text))


def _disk(disk: Disk) -> str:
    most = "without limit" if disk.worst_case is None else f"at most {human_bytes(disk.worst_case)}"
    return f"the log takes {human_bytes(disk.used)} now, {most}; {human_bytes(disk.free)} are free"


def _lint(policy: PolicyReport) -> list[str]:
    shown = [finding for finding in policy.lint if finding.silenced is None]
    lines: list[str] = []
    for finding in shown[:_SHOWN]:
        place = f"line {finding.line}: " if finding.line else ""
        what = f"policy {place}{finding.severity.value}: {finding.reason} [{finding.id}]"
        lines += _item(what, finding.fix)
    return lines + _more(len(shown), "lint", policy)


def _not_recorded(policy: PolicyReport) -> list[str]:
    if policy.problems:
        return []
    lines = ["  not recorded:" if policy.not_recorded else "  not recorded: nothing, every request is"]
    for words in policy.not_recorded[:_SHOWN]:
        lines.append(f"    - {words}")
    return lines + _more(len(policy.not_recorded), "coverage", policy)


def _more(count: int, command: str, policy: PolicyReport) -> list[str]:
    if count <= _SHOWN:
        return []
    name = f"preset:{policy.preset}" if policy.preset else "a copy of the policy"
    return [f"    … and {count - _SHOWN} more: auditlog {command} shows all of them, given {name}"]


def _disagreements(found: Iterable[Finding]) -> list[str]:
    return [line for each in found for line in _item(f"{each.what} [{each.id}]", _advice(each))]


def _advice(finding: Finding) -> str:
    return f"{finding.consequence}; {finding.remedy}" if finding.remedy else finding.consequence


def _item(what: str, consequence: str) -> list[str]:
    return [f"    - {what}", f"      -> {consequence}"]


def _line(label: str, text: str) -> list[str]:
    return [f"  {label:<{_LABEL}}{text}"]
