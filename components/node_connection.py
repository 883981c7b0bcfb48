"""How the Commands reach the nodes."""

from __future__ import annotations

import pulumi
from pulumi_command import remote

from auditlog.settings import Host, Settings


def connections(settings: Settings, private_key: str | None) -> dict[str, remote.ConnectionArgs]:
    """The connection of every node, by its name; through the bastion if there is one.

    Without ``private_key`` the provider offers the keys of the SSH agent, and none is kept in the stack's state.
    """
    key = None if private_key is None else pulumi.Output.secret(private_key)
    proxy = None
    if settings.bastion is not None:
        proxy = remote.ProxyConnectionArgs(**_fields(settings.bastion, key))
    return {node.name: remote.ConnectionArgs(**_fields(node, key), proxy=proxy) for node in settings.nodes}


def _fields(host: Host, key: pulumi.Output[str] | None) -> dict[str, pulumi.Input[str | int]]:
    fields: dict[str, pulumi.Input[str | int]] = {
        "host": host.host,
        "port": host.port,
        "user": host.user,
        "host_key": host.host_key,
        "dial_error_limit": 5,
        "per_dial_timeout": 15,
    }
    if key is not None:
        fields["private_key"] = key
    return fields
