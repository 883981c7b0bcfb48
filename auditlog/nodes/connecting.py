"""What an operating system's error in connecting to a machine means, in words and with what to look at."""

from __future__ import annotations

import errno
import os
import re
import socket

_HINTS = {
    errno.ECONNREFUSED: "the connection is refused: no SSH server listens there, or a firewall is in between",
    errno.EHOSTUNREACH: "no route to host: the machine is off, the address is wrong, or a firewall refuses",
    errno.EHOSTDOWN: "the host is down: nothing answers at this address in its network",
    errno.ENETUNREACH: "the network is unreachable: this machine has no route to it; is the VPN up?",
    errno.ENETDOWN: "the network is down: this machine's own interface is off",
    errno.ETIMEDOUT: "no answer: the machine is off, the address is wrong, or a firewall drops what it is sent",
    errno.ECONNRESET: "the connection was reset: the server or a firewall ended it; sshd's log on the machine says why",
    errno.ECONNABORTED: "the connection was broken off: try again, and look at this machine's network",
    errno.EPIPE: "the server closed the connection: sshd's log on the machine says why",
    errno.EACCES: "this machine may not connect to it: look at its own firewall",
    errno.EPERM: "this machine may not connect to it: look at its own firewall",
    errno.EADDRNOTAVAIL: "this machine cannot use such an address: has it IPv6?",
    errno.EAFNOSUPPORT: "this machine cannot use such an address: has it IPv6?",
    errno.EINVAL: "no address to connect to: a link-local IPv6 address needs its interface, as in fe80::1%eth0",
    errno.EMFILE: "this machine has too many files open: ulimit -n",
    errno.ENFILE: "this machine has too many files open",
}
_NUMBER = re.compile(r"\[Errno (\d+)\]")


def connection_reason(error: OSError) -> str:
    """One line without an error number. Of several addresses that were tried, the last one's error counts."""
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved: {error.strerror}"
    # asyncio puts the errors of several addresses into one text.
    number = error.errno or next((int(each) for each in reversed(_NUMBER.findall(str(error)))), None)
    if number in _HINTS:
        return _HINTS[number]
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    if number is not None:
        return f"{where}{os.strerror(number)}"
    return f"{where}{error}"
