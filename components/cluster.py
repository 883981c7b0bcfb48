"""Audit logging of one cluster's API servers: the nodes are read, and what is declared follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pulumi

from auditlog.annotations.model import Entry
from auditlog.nodes.facts import Facts
from auditlog.nodes.read_nodes import read_nodes
from auditlog.policy.selection import SelectedPolicy, selected_policy
from auditlog.settings import Settings
from auditlog.settings.annotations import AnnotationDelivery, used_entries
from components.cluster_resources import ClusterResources
from components.command_provider import start_command_provider
from components.configuration import Configuration
from components.scope import Scope


def audit_cluster(configuration: Configuration, scope: Scope) -> ClusterResources:
    """Declares everything that the configuration asks for."""
    policy, entries, reading = _begin(configuration, scope)
    facts = reading.result() if reading else None
    _compile(configuration, entries)
    return _declare(configuration, policy, entries, facts, scope)


async def audit_cluster_meanwhile(configuration: Configuration, scope: Scope) -> ClusterResources:
    """The same for one of several clusters in a program: the others go on while its nodes answer."""
    policy, entries, reading = _begin(configuration, scope)
    if reading is None:
        return _declare(configuration, policy, entries, None, scope)
    facts = await asyncio.wrap_future(reading)
    await asyncio.to_thread(_compile, configuration, entries)
    return _declare(configuration, policy, entries, facts, scope)


def unknown_cluster(configuration: Configuration, scope: Scope) -> ClusterResources:
    """Declares the same without reading a node. For previews in which parts of the configuration are placeholders."""
    settings = configuration.settings
    return _declare(configuration, selected_policy(settings.policy), _entries(settings), None, scope)


def _entries(settings: Settings) -> tuple[Entry, ...]:
    """The audit annotations that the stack writes. Raises AnnotationError."""
    return used_entries(settings.annotations) if settings.enabled else ()


def _begin(
    configuration: Configuration, scope: Scope
) -> tuple[SelectedPolicy, tuple[Entry, ...], Future[Mapping[str, Facts]] | None]:
    settings = configuration.settings
    policy, entries = selected_policy(settings.policy), _entries(settings)
    if not settings.live_read:
        from components.control_plane import say_unread

        say_unread(settings)
        return policy, entries, None
    reading = _begin_reading(configuration)
    # The nodes take a while to answer, the provider to start and the components to be imported: all at once.
    if settings.enabled:
        start_command_provider(scope)
    import components.resources  # noqa: F401

    return policy, entries, reading


def _compile(configuration: Configuration, entries: Sequence[Entry]) -> None:
    """Before an update touches anything: raises AnnotationError for expressions that do not compile."""
    settings = configuration.settings
    if pulumi.runtime.is_dry_run() or not (entries and settings.live_read and settings.nodes_with_manifest):
        return
    from auditlog.nodes.expressions import check_expressions

    unknown = check_expressions(entries, settings.nodes_with_manifest[0], settings.bastion, configuration.account)
    if unknown:
        pulumi.log.warn(f"the expressions of annotations were not compiled beforehand: {unknown}")


def _declare(
    configuration: Configuration,
    policy: SelectedPolicy,
    entries: Sequence[Entry],
    facts: Mapping[str, Facts] | None,
    scope: Scope,
) -> ClusterResources:
    from components.resources import declare_cluster

    return declare_cluster(configuration, policy, entries, facts, scope)


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
        settings.annotations.static_path if settings.annotations.in_files else "",
        annotations=settings.annotations.delivery is AnnotationDelivery.API and settings.enabled,
    )
    thread.shutdown(wait=False)
    return reading
