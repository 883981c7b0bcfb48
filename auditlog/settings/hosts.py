"""The machines that are reached over SSH, and the account that only reads them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace

from auditlog.settings.host_name import HOST_NAME
from auditlog.settings.kinds import Boolean, Integer, Text
from auditlog.settings.reader import Group, Reader
from auditlog.settings.setting import defaulted, required

NAME = r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?"
# No ssh-rsa: for it pulumi-command 1.2.1 asks for SHA-1 signatures, which OpenSSH 8.8 and later refuse.
_KEY = r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,3}( .*)?"
_HOST_KEY = re.compile(_KEY)
_USER = Text("a user name", r"[a-z_][-a-z0-9_.]*")


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that is reached over SSH: a control-plane node, or a bastion before it."""

    name: str
    """The node's own name in its cluster; `bastion` for a bastion."""
    host: str
    """Address or DNS name, without user and port."""
    host_key: str
    """The machine's public key, as in an authorized_keys line. Required: pulumi-command accepts any key if none is
    given, and a stranger could then receive the policy and the commands."""
    user: str = "root"
    """The account that changes the machine: root, or one with `sudo -n`."""
    port: int = 22
    """The TCP port of its sshd."""
    gone: bool = False
    """Whether the machine is gone for good. It is then forgotten without being contacted."""
    joining: bool = False
    """Whether the machine will become a control-plane node. It gets what `kubeadm join` requires: the policy file and
    the log's folder."""


def is_name(value: str) -> bool:
    """Whether a cluster or a node can be called this."""
    return bool(re.fullmatch(NAME, value))


def is_host_key(value: str) -> bool:
    """Whether this is the whole public key of a host as a stack needs it: Ed25519 or ECDSA, as in authorized_keys."""
    return bool(_HOST_KEY.fullmatch(value.strip())) and _is_whole(*value.split()[:2])


def _is_whole(kind: str, encoded: str) -> bool:
    """Whether the key's data are of that kind and end where they say, which a key that was cut in copying does not.

    They are texts, each behind its length in four bytes: the kind, for ECDSA the curve, and the point
    (https://www.rfc-editor.org/rfc/rfc8709#section-4, https://www.rfc-editor.org/rfc/rfc5656#section-3.1).
    """
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    parts: list[bytes] = []
    while data:
        end = 4 + int.from_bytes(data[:4])
        parts.append(data[4:end])
        if len(data) < end:
            return False
        data = data[end:]
    if kind == "ssh-ed25519":
        return len(parts) == 2 and parts[0] == kind.encode() and len(parts[1]) == 32
    return len(parts) == 3 and parts[0] == kind.encode() == b"ecdsa-sha2-" + parts[1]


def _host_key_kind(host: str) -> Text:
    return Text(
        "the host's public Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'. On the machine itself: "
        f"cat /etc/ssh/ssh_host_ed25519_key.pub. From here, to compare: ssh-keyscan -t ed25519 {host or 'HOST'}",
        rf"\s*{_KEY}\s*",
        is_host_key,
        instead=lambda value: "; this one is not whole" if _HOST_KEY.fullmatch(value.strip()) else "",
    )


NODE_NAME = required("name", Text("the node's name in the cluster", NAME), "The node's name in the cluster.")
GONE = defaulted("gone", Boolean(), False, "The machine is gone for good. The stack forgets it without contacting it.")
JOINING = defaulted(
    "joining",
    Boolean(),
    False,
    "The machine is about to join. It gets the policy file and the log's folder that `kubeadm join` needs.",
)
HOST = required("host", HOST_NAME, "The name or address to connect to, without user and port.")
USER = defaulted("user", _USER, "root", "The account. If it is not root, it needs `sudo` without a password.")
PORT = defaulted("port", Integer(1, 65535), 22, "The port of the SSH server.")
HOST_KEY = required(
    "hostKey",
    _host_key_kind(""),
    "The machine's public key. It keeps anybody on the way from answering in the machine's place.",
)
NODE = Group((NODE_NAME, GONE, JOINING, HOST, USER, PORT, HOST_KEY))
BASTION = Group((HOST, USER, PORT, HOST_KEY))

READING_USER = required("user", _USER, "The account; its private key is the secret `sshReadingPrivateKey`.")
READING = Group((READING_USER,))


def parse_node(reader: Reader) -> Host:
    """One entry of ``nodes``."""
    host = _host(reader, reader.read(NODE_NAME) or "")
    gone, joining = reader.read(GONE), reader.read(JOINING)
    if gone and joining:
        reader.problem(JOINING, "is true on a node that is gone", "gone or joining, not both")
    return replace(host, gone=gone, joining=joining)


def parse_bastion(reader: Reader | None) -> Host | None:
    """The host through which the nodes are reached, if there is one."""
    return _host(reader, "bastion") if reader else None


def parse_reading_user(reader: Reader | None) -> str | None:
    """The account of ``reading``, if there is one."""
    return reader.read(READING_USER) if reader else None


def _host(reader: Reader, name: str) -> Host:
    host = reader.read(HOST) or ""
    host_key = reader.read(replace(HOST_KEY, kind=_host_key_kind(host)))
    return Host(name=name, host=host, host_key=(host_key or "").strip(), user=reader.read(USER), port=reader.read(PORT))
