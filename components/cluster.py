"""Audit logging of one cluster's API servers: the nodes are read, and what is declared follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import pulumi

from auditlog.annotations.model import Entry
from auditlog.nodes.facts import Facts
from auditlog.nodes.read_nodes import FilePaths, read_nodes
from auditlog.policy.selection import SelectedPolicy, selected_policy
from auditlog.settings import LokiSettings, Settings
from auditlog.settings.annotations import AnnotationDelivery, used_entries
from components.cluster_resources import ClusterResources
from components.command_provider import start_command_provider
from components.configuration import Configuration
from components.scope import Scope

if TYPE_CHECKING:
    from components.ruler_rules import Live

P = ParamSpec("P")
R = TypeVar("R")


def audit_cluster(configuration: Configuration, scope: Scope) -> ClusterResources:
    """Declares everything that the configuration asks for."""
    begun = _begin(configuration, scope)
    facts = begun.reading.result() if begun.reading else None
    _compile(configuration, begun.entries)
    return _declare(configuration, begun, facts, scope)


async def audit_cluster_meanwhile(configuration: Configuration, scope: Scope) -> ClusterResources:
    """The same for one of several clusters in a program: the others go on while its nodes answer."""
    begun = _begin(configuration, scope)
    facts: Mapping[str, Facts] | None = None
    if begun.reading:
        facts = await asyncio.wrap_future(begun.reading)
    if begun.in_ruler:
        await asyncio.wait([asyncio.wrap_future(begun.in_ruler)])
    await asyncio.to_thread(_compile, configuration, begun.entries)
    return _declare(configuration, begun, facts, scope)


def unknown_cluster(configuration: Configuration, scope: Scope) -> ClusterResources:
    """Declares the same without reading a node. For previews in which parts of the configuration are placeholders."""
    settings = configuration.settings
    return _declare(configuration, _Begun(selected_policy(settings.policy), _entries(settings)), None, scope)


def _entries(settings: Settings) -> tuple[Entry, ...]:
    """The audit annotations that the stack writes. Raises AnnotationError."""
    return used_entries(settings.annotations) if settings.enabled else ()


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known without the nodes, and what is being read meanwhile: the nodes, and Loki's ruler."""

    policy: SelectedPolicy
    entries: tuple[Entry, ...]
    reading: Future[Mapping[str, Facts]] | None = None
    in_ruler: Future[Live] | None = None


def _begin(configuration: Configuration, scope: Scope) -> _Begun:
    settings = configuration.settings
    policy, entries = selected_policy(settings.policy), _entries(settings)
    if not settings.live_read:
        from components.control_plane import say_unread

        say_unread(settings)
        return _Begun(policy, entries)
    reading = _begin_reading(configuration)
    in_ruler = _in_background(_read_ruler, settings, settings.ruler) if settings.ruler else None
    # The nodes take a while to answer, the provider to start and the components to be imported: all at once.
    if settings.enabled:
        start_command_provider(scope)
    import components.resources  # noqa: F401

    return _Begun(policy, entries, reading, in_ruler)


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
    configuration: Configuration, begun: _Begun, facts: Mapping[str, Facts] | None, scope: Scope
) -> ClusterResources:
    from components.resources import declare_cluster

    in_ruler = begun.in_ruler.result() if begun.in_ruler else None
    return declare_cluster(configuration, begun.policy, begun.entries, facts, scope, in_ruler)


def _begin_reading(configuration: Configuration) -> Future[Mapping[str, Facts]]:
    """Reads every node in the background."""
    settings = configuration.settings
    return _in_background(
        read_nodes,
        settings.nodes_to_read,
        settings.bastion,
        configuration.account,
        *FilePaths.of(settings),
        annotations=settings.annotations.delivery is AnnotationDelivery.API and settings.enabled,
    )


def _read_ruler(settings: Settings, ruler: LokiSettings) -> Live:
    from auditlog.events.loki import LokiError
    from auditlog.observe.ruler_state import read_ruler

    try:
        return read_ruler(settings, ruler)
    except LokiError as error:
        return str(error)


def _in_background(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    thread = ThreadPoolExecutor(max_workers=1)
    future = thread.submit(work, *args, **kwargs)
    thread.shutdown(wait=False)
    return future
