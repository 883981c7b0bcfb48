"""What a failed login is called: no number of an error, and what to look at."""

from __future__ import annotations

import errno
import os
import re
import socket

import asyncssh
import pytest

from auditlog.nodes.connecting import connection_reason
from auditlog.nodes.ssh import Access, Login, Target

HOST_KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()


def login(host_key: str | None = HOST_KEY, *, user_configuration: bool = False) -> Login:
    return Login(Target("cp1", "10.0.0.1", "ops", 22, host_key), Access((), user_configuration, "sshPrivateKey"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 22)"), "no route to host: the machine is off"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "the network is unreachable: this machine has no route"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "no answer: the machine is off"),
        (OSError(errno.ECONNREFUSED, "Connect call failed"), "the connection is refused: no SSH server listens there"),
        (OSError(errno.ECONNRESET, "Connection reset by peer"), "the connection was reset: "),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "this machine cannot use such an address"),
        (OSError(errno.EINVAL, "Invalid argument"), "no address to connect to: a link-local IPv6 address needs"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 113] Connect call"), "no route to host"),
        (OSError(errno.ENOTCONN, "anything"), os.strerror(errno.ENOTCONN)),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name cannot be resolved: Name or"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/run/agent"), "/run/agent: No such file or directory"),
    ],
)
def test_an_error_of_the_operating_system_has_no_number(error: OSError, words: str) -> None:
    for reason in (connection_reason(error), login().reason(error)):
        assert reason.startswith(words)
        assert not re.search(r"Errno|\n", reason)


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_error_of_the_operating_system_shows_its_number(number: int) -> None:
    assert "Errno" not in connection_reason(OSError(number, os.strerror(number)))


def test_no_answer_at_all() -> None:
    assert login().reason(TimeoutError()) == "no answer within 15 s"


def test_a_login_that_the_server_ends_names_the_kind_of_the_host_key() -> None:
    reason = login().reason(asyncssh.ConnectionLost("Connection lost"))
    assert reason == (
        "the server ended the connection (Connection lost): either it has no ssh-ed25519 host key, which hostKey is, "
        "or sshd's log on the machine says why"
    )
    unpinned = login(None).reason(asyncssh.ConnectionLost("Connection lost"))
    assert unpinned == "the server ended the connection (Connection lost): sshd's log on the machine says why"


def test_an_account_that_may_run_one_command_alone_and_a_server_without_sessions() -> None:
    ended = login().reason(BrokenPipeError("Channel not open for sending"))
    assert ended.startswith("the command ended before it took its input: is another command forced on this account")
    refused = asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
    assert login().reason(refused) == (
        "it opens no session (open failed): MaxSessions in its sshd_config says how many it allows"
    )
