"""The machines that are reached over SSH, and the account that only reads them."""

from __future__ import annotations

import re
from dataclasses import replace

from auditlog.settings.model import Host
from auditlog.settings.reader import Reader

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
# No ssh-rsa: for it pulumi-command 1.2.1 asks for SHA-1 signatures, which OpenSSH 8.8 and later refuse.
_HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}( .*)?")


def parse_node(reader: Reader) -> Host:
    """One entry of ``nodes``."""
    name = reader.text("name", is_name, "the node's name in the cluster", required=True) or ""
    host = _host(reader, name, "name", "gone", "joining")
    gone, joining = reader.boolean("gone") or False, reader.boolean("joining") or False
    if gone and joining:
        reader.problem("joining", "is true on a node that is gone", "gone or joining, not both")
    return replace(host, gone=gone, joining=joining)


def parse_bastion(reader: Reader | None) -> Host | None:
    """The host through which the nodes are reached, where there is one."""
    return _host(reader, "bastion") if reader else None


def parse_reading_user(reader: Reader | None) -> str | None:
    """The account of ``reading``, where there is one."""
    if reader is None:
        return None
    reader.allow_only("user")
    return reader.text("user", _is_user, "a user name", required=True)


def _host(reader: Reader, name: str, *more_keys: str) -> Host:
    reader.allow_only(*more_keys, "host", "user", "port", "hostKey")
    host = reader.text("host", bool, "a host name or an address", required=True) or ""
    host_key = reader.text("hostKey", is_host_key, _host_key_help(host))
    if host_key is None and not reader.has("hostKey"):
        reader.problem("hostKey", "is missing", _host_key_help(host))
    return Host(
        name=name,
        host=host,
        host_key=(host_key or "").strip(),
        user=reader.text("user", _is_user, "a user name") or "root",
        port=reader.integer("port", 1, 65535, 22),
    )


def _is_user(value: str) -> bool:
    return bool(re.fullmatch(r"[a-z_][-a-z0-9_.]*", value))


def _host_key_help(host: str) -> str:
    return (
        "the host's public Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'; "
        "on the machine itself: cat /etc/ssh/ssh_host_ed25519_key.pub, or from here, to be compared with it: "
        f"ssh-keyscan -t ed25519 {host or 'HOST'}"
    )


def is_name(value: str) -> bool:
    """Whether a cluster or a node can be called this."""
    return bool(_NAME.fullmatch(value))


def is_host_key(value: str) -> bool:
    """Whether this is the public key of a host as a stack needs it: Ed25519 or ECDSA, as in authorized_keys."""
    return bool(_HOST_KEY.fullmatch(value.strip()))
