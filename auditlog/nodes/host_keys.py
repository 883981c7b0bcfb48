"""What to say about a host key that nothing vouches for: which one is offered, which one is known, how to find out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auditlog.nodes.ssh_library import asyncssh


def changed(named: str, known: Sequence[asyncssh.SSHKey], offered: asyncssh.SSHKey | None, instead: str) -> str:
    """The line on a host that answers with another key than ``named`` has, which are ``known``.

    ``instead`` is what to do when the machine itself confirms the key that it offers.
    """
    offers = f" it offers {text(offered)}, {offered.get_fingerprint()}, and" if offered else ""
    names = " and ".join(f"{key.get_algorithm()} {key.get_fingerprint()}" for key in known)
    kind = (offered or known[0]).get_algorithm().removeprefix("ssh-").partition("-")[0]
    return (
        f"it answers with another host key than {named} says:{offers} {named} has {names}. Either the machine was "
        "reinstalled, or somebody is in between. Compare the fingerprint offered with what the machine itself says: "
        f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub. Only if they are equal, {instead}"
    )


def unknown(host: str, port: int, offered: asyncssh.SSHKey | None) -> str:
    """The line on a host of which known_hosts has no key."""
    option = f" -p {port}" if port != 22 else ""
    offers = f" It offers '{text(offered)}', {offered.get_fingerprint()}." if offered else ""
    return (
        f"its host key is not in known_hosts.{offers} On the machine itself, run ssh-keygen -lf "
        "/etc/ssh/ssh_host_ed25519_key.pub. Compare the fingerprint with the output of "
        f"ssh-keyscan -t ed25519{option} {host} | ssh-keygen -lf -. If they are equal, add the line of ssh-keyscan to "
        "known_hosts, or give it as --host-key"
    )


def in_known_hosts(files: Any, host: str, port: int) -> Sequence[asyncssh.SSHKey]:
    """The keys of the host in these known_hosts files, as asyncssh's options name them; none where they name no file.

    The user's own file counts then.
    """
    try:
        found = asyncssh.match_known_hosts(files or str(Path("~/.ssh/known_hosts").expanduser()), host, "", port)
    except (OSError, ValueError):
        return ()
    return tuple(found[0])


def remove_line(host: str, port: int) -> str:
    """What removes the line of the host from known_hosts."""
    return f"ssh-keygen -R '[{host}]:{port}'" if port != 22 else f"ssh-keygen -R {host}"


def text(key: asyncssh.SSHKey) -> str:
    """The public key as in authorized_keys, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
