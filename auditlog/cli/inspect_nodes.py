"""The work of `inspect`: from the arguments to nodes, from their answers to a report or a draft."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from auditlog.cli.common import UsageError
from auditlog.cli.hosts import own_access, targets_of
from auditlog.cli.output import Output, fitted, write
from auditlog.events.layout import safe
from auditlog.inspection.adoption import draft, stack_file
from auditlog.inspection.inspection import inspect_cluster
from auditlog.inspection.report import json_report, text_report
from auditlog.nodes.read_nodes import ReadError, Reading, read_unknown_nodes
from auditlog.nodes.ssh import Reached
from auditlog.settings import Host, is_host_key, is_name


def run(arguments: argparse.Namespace) -> int:
    """Reads the nodes and writes the report; gives the exit code. Raises UsageError and ReadError."""
    cluster = arguments.write_config
    if cluster is not None and not is_name(cluster):
        raise UsageError(f"--write-config {cluster!r}: allowed: a name of lower-case letters, digits, '-' and '.'")
    targets, bastion = targets_of(arguments.hosts, arguments)
    found = read_unknown_nodes(targets, bastion, own_access(arguments))
    readings = {name: result for name, result in found.nodes.items() if isinstance(result, Reading)}
    unreadable = {name: result for name, result in found.nodes.items() if isinstance(result, str)}
    if cluster is not None:
        _all_read(unreadable)
        return _write_config(cluster, readings, found.bastion)
    report = inspect_cluster({name: reading.facts for name, reading in readings.items()})
    text = text_report(report)
    answer = Output(
        lambda width: fitted(text, width), lambda: json_report(report, unreadable), ("nodes.*.disagreements",)
    )
    write(arguments.output, answer)
    _all_read(unreadable)
    return int(not report.is_well)


def _all_read(unreadable: Mapping[str, str]) -> None:
    if unreadable:
        raise ReadError(list(unreadable.values()))


def _write_config(cluster: str, readings: Mapping[str, Reading], bastion: Reached | None) -> int:
    nodes = [_host(reading.facts.hostname.lower(), reading.reached) for reading in readings.values()]
    facts = {node.name: reading.facts for node, reading in zip(nodes, readings.values(), strict=True)}
    if len(facts) < len(nodes):
        raise UsageError("two HOSTs are nodes of the same name; give every node once")
    jumps = sorted({reading.reached.jump for reading in readings.values() if reading.reached.jump})
    drafted = draft(
        cluster,
        nodes,
        _host("bastion", bastion) if bastion else None,
        inspect_cluster(facts).nodes,
        facts,
        [f"the SSH configuration leads through ProxyJump {jump}; a stack needs it as bastion" for jump in jumps],
    )
    for other in drafted.others:
        print(f"auditlog: {safe(other)}; the draft says what to do", file=sys.stderr)
    sys.stdout.write(stack_file(drafted))
    return int(not drafted.keeps_everything)


def _host(name: str, reached: Reached) -> Host:
    host_key = reached.host_key if is_host_key(reached.host_key) else ""
    return Host(name, reached.host, host_key, reached.user, reached.port)
