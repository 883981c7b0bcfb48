"""The work of `inspect`: from the arguments to nodes, from their answers to a report or a draft."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import asyncssh

from auditlog.cli.common import UsageError
from auditlog.events.layout import safe
from auditlog.inspection.adoption import draft, stack_file
from auditlog.inspection.inspection import inspect_cluster
from auditlog.inspection.report import json_report, text_report
from auditlog.nodes.read_nodes import ReadError, Reading, read_unknown_nodes
from auditlog.nodes.ssh import Access, Reached, Target
from auditlog.settings import Host, is_host_key, is_name

_HOST = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]\s]+\]|[^:\s@\[\]]+)(?::(?P<port>\d{1,5}))?")


def run(arguments: argparse.Namespace) -> int:
    """Reads the nodes and writes the report; gives the exit code. Raises UsageError and ReadError."""
    cluster = arguments.write_config
    if cluster is not None and not is_name(cluster):
        raise UsageError(f"--write-config {cluster!r}: allowed: a name of lower-case letters, digits, '-' and '.'")
    targets = [_target(host) for host in arguments.hosts]
    bastion = _target(arguments.bastion) if arguments.bastion else None
    if len({target.name for target in targets}) < len(targets):
        raise UsageError("a HOST is given twice; give every node once")
    targets, bastion = _with_host_keys(targets, bastion, arguments.host_key)
    found = read_unknown_nodes(targets, bastion, Access(_identity(arguments.identity)))
    readings = {name: result for name, result in found.nodes.items() if isinstance(result, Reading)}
    unreadable = {name: result for name, result in found.nodes.items() if isinstance(result, str)}
    if cluster is not None:
        _all_read(unreadable)
        return _write_config(cluster, readings, found.bastion)
    report = inspect_cluster({name: reading.facts for name, reading in readings.items()})
    sys.stdout.write(json_report(report, unreadable) if arguments.output == "json" else text_report(report))
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


def _target(text: str) -> Target:
    match = _HOST.fullmatch(text)
    if match is None or not 0 < int(match["port"] or 22) < 65536:
        raise UsageError(f"{text!r} is no host; allowed: [user@]host[:port], with an IPv6 address in [brackets]")
    return Target(text, match["host"].strip("[]"), match["user"], int(match["port"]) if match["port"] else None)


def _with_host_keys(
    targets: Sequence[Target], bastion: Target | None, given: Sequence[str]
) -> tuple[list[Target], Target | None]:
    """The targets with the keys that ``--host-key`` has for them."""
    everything = [*targets, *([bastion] if bastion else [])]
    keys: dict[str, str] = {}
    for text in given:
        words = text.split()
        if len(words) >= 2 and is_host_key(" ".join(words[:2])):
            if len(everything) > 1:
                raise UsageError(f"--host-key {text!r}: whose is it? With several hosts write 'HOST {words[0]} …'")
            keys[_known_as(everything[0])] = " ".join(words[:2])
        elif len(words) >= 3 and is_host_key(" ".join(words[1:3])):
            keys[words[0]] = " ".join(words[1:3])
        else:
            raise UsageError(f"--host-key {text!r}: allowed: 'HOST ssh-ed25519 AAAA…' with an Ed25519 or ECDSA key")
    for name in keys.keys() - {_known_as(target) for target in everything}:
        raise UsageError(
            f"--host-key: {name!r} is none of the hosts; here they are called "
            + ", ".join(_known_as(target) for target in everything)
        )
    known = [replace(target, host_key=keys.get(_known_as(target))) for target in everything]
    return known[: len(targets)], known[len(targets)] if bastion else None


def _known_as(target: Target) -> str:
    """The host as known_hosts and ssh-keyscan write it."""
    return target.host if target.port in (None, 22) else f"[{target.host}]:{target.port}"


def _identity(file: str | None) -> tuple[asyncssh.SSHKey, ...] | None:
    if file is None:
        return None
    try:
        return (asyncssh.import_private_key(Path(file).expanduser().read_text(encoding="utf-8")),)
    except OSError as error:
        raise UsageError(f"--identity {file}: {error.strerror}") from error
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--identity {file}: allowed: a private key in OpenSSH or PEM form that is not encrypted; "
            f"one that is goes to the SSH agent, without --identity ({error})"
        ) from error
