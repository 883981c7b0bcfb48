"""Machines that a person names: `[user@]host[:port]`, through which other, and what vouches for them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from auditlog.cli.common import UsageError
from auditlog.nodes.ssh import Access, Target
from auditlog.nodes.ssh_library import asyncssh
from auditlog.settings import is_host_key

_HOST = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]\s]+\]|[^:\s@\[\]]+)(?::(?P<port>\d{1,5}))?")


def targets_of(hosts: Sequence[str], arguments: argparse.Namespace) -> tuple[list[Target], Target | None]:
    """The machines and the bastion, with the keys that `--host-key` has for them. Raises UsageError."""
    targets = [_target(host) for host in hosts]
    if len({target.name for target in targets}) < len(targets):
        raise UsageError("a HOST is given twice; give every node once")
    bastion = _target(arguments.bastion) if arguments.bastion else None
    return _with_host_keys(targets, bastion, arguments.host_key)


def own_access(arguments: argparse.Namespace) -> Access:
    """To hosts that the person named: as their SSH configuration and known_hosts say. Raises UsageError."""
    return Access(identity(arguments.identity))


def stack_access(arguments: argparse.Namespace) -> Access:
    """To hosts that a stack file names, with all that is to be known of them: only keys are the person's.

    Raises UsageError.
    """
    keys = identity(arguments.identity)
    return Access(keys, False, "--identity" if keys else "the keys of the SSH agent and ~/.ssh")


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


def identity(file: str | None) -> tuple[asyncssh.SSHKey, ...] | None:
    """The private key in a file; None without one. Raises UsageError."""
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
