"""Without a private key the SSH agent has one, or the message says what is there in its place."""

from __future__ import annotations

import asyncio

import pytest

from auditlog.nodes.ssh import Account, SshError, access_of


async def _ask() -> None:
    async with access_of(Account(None)):
        pass


@pytest.mark.parametrize(
    ("socket", "found"),
    [
        (None, "SSH_AUTH_SOCK is not set"),
        ("", "SSH_AUTH_SOCK is not set"),
        ("/nowhere", "SSH_AUTH_SOCK is '/nowhere', where no SSH agent answers: No such file or directory"),
    ],
)
def test_where_no_agent_answers_the_message_names_the_socket(
    socket: str | None, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    if socket is not None:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
    with pytest.raises(SshError) as raised:
        asyncio.run(_ask())
    assert str(raised.value) == f"{found}; allowed: the socket of an SSH agent that holds a key"
