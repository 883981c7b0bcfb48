"""The provider of the nodes' Commands."""

from __future__ import annotations

from contextlib import suppress

from pulumi_command import local

from components.scope import Scope


def start_command_provider(scope: Scope) -> None:
    """Has the engine start pulumi-command now, while the nodes answer, and not for the first Command only.

    No request does just that: this is a command on the operator's machine that does nothing. The first Command reports
    what goes wrong with the provider. The lab's provider, which has no local commands, is started too. A provider that
    the program gives is started by its own registration.
    """
    if scope.given_provider("command:local:run") is None:
        with suppress(Exception):
            local.run(command="exit 0")
