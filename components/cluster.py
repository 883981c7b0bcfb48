"""Audit logging of one cluster's API servers: the nodes are read, and what is declared follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from auditlog.apiserver.facts import Facts
from auditlog.apiserver.read_nodes import read_nodes
from auditlog.policy.selection import selected_policy
from components.command_provider import start_command_provider
from components.configuration import Configuration
from components.scope import Scope


def audit_cluster(configuration: Configuration, scope: Scope) -> Mapping[str, Any]:
    """Declares everything that the configuration asks for; gives the outputs by the names of ``auditlog.outputs``."""
    policy = selected_policy(configuration.settings.policy)
    reading = _begin_reading(configuration) if configuration.settings.live_read else None
    # The nodes take a while to answer, the provider to start and the components to be imported: all at once.
    if reading is not None and configuration.settings.enabled:
        start_command_provider()
    from components.declared import declare_cluster

    return declare_cluster(configuration, policy, reading, scope)


def _begin_reading(configuration: Configuration) -> Future[Mapping[str, Facts]]:
    """Reads every node in the background."""
    settings = configuration.settings
    thread = ThreadPoolExecutor(max_workers=1)
    reading = thread.submit(
        read_nodes,
        settings.nodes_to_read,
        settings.bastion,
        configuration.account,
        settings.policy.path,
        settings.log_file or "",
        settings.webhook.path if settings.webhook else "",
    )
    thread.shutdown(wait=False)
    return reading
