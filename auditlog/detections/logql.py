"""The LogQL of a detection, from the requests that it must see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditlog.detections.callers import logql_filters
from auditlog.detections.model import EVENT_START, Events, Requests
from auditlog.events.logql import streams
from auditlog.policy.model import GroupResources
from auditlog.units import duration


def selector(cluster: str = "", node: str = "") -> str:
    """The stream selector for one cluster or, when `cluster` is empty, for all of them."""
    return streams(*([f'cluster="{cluster}"'] if cluster else []), *([f'node="{node}"'] if node else []))


def log_query(events: Events, cluster: str = "", ignored_users: Sequence[str] = ()) -> str:
    """The lines that a detection counts. `ignored_users` are names, compared as a whole."""
    return _query(events, cluster, ignored_users, (*_literals(events), *events.lines))


def _query(events: Events, cluster: str, ignored_users: Sequence[str], lines: Sequence[str]) -> str:
    filters = [
        "" if events.open else _alternatives([_requests(each) for each in _without_levels(events.requests)]),
        *logql_filters(events.callers),
        f'stage=~"{"|".join(events.stages)}"' if len(events.stages) > 1 else f'stage="{events.stages[0]}"',
        f'code=~"{events.codes}"' if events.codes else "",
        *events.fields,
        *(f"user!={quoted(user)}" for user in ignored_users),
    ]
    return " ".join([selector(cluster), *lines, *(f"| {each}" for each in filters if each)])


def _literals(events: Events) -> tuple[str, ...]:
    """The resources as plain text, in front of regular expressions: Loki compares all lines before any field."""
    resources = {
        resource.partition("/")[0]
        for each in events.requests
        for entry in each.resources
        for resource in entry.resources
    }
    if events.open or not any("~ `" in line for line in events.lines) or not resources or "*" in resources:
        return ()
    alternatives = " or ".join(f'`"objectRef":{{"resource":"{resource}"`' for resource in sorted(resources))
    return (f"|= {alternatives}",)


def reading_query(events: Events) -> str:
    """The lines for a person who wants to read them: no cluster, and none of the long filters against look-alikes."""
    return _query(events, "", (), tuple(line for line in events.lines if EVENT_START not in line))


def value_query(events: Events, cluster: str = "", ignored_users: Sequence[str] = (), *, window: int = 0) -> str:
    """What is compared with the threshold: one series for each combination of the fields that `by` names.

    `window` is how many seconds it looks back; 0 for the detection's own.
    """
    query = log_query(events, cluster, ignored_users)
    labels = ", ".join(("cluster", *events.by))
    count = f"count_over_time({query} [{duration(window or events.window)}])"
    if events.distinct:
        return f"count by ({labels}) (sum by ({labels}, {events.distinct}) ({count}))"
    return f"sum by ({labels}) ({count})"


def silence_query(seconds: float, node: str, cluster: str) -> str:
    """1 when the node has sent nothing for that long, else nothing."""
    return f"absent_over_time({selector(cluster, node)} [{duration(seconds)}])"


def volume_query(seconds: float, cluster: str) -> str:
    """The bytes of each node's events in so many seconds."""
    return f"sum by (cluster, node) (bytes_over_time({selector(cluster)} [{duration(seconds)}]))"


def _without_levels(requests: Iterable[Requests]) -> tuple[Requests, ...]:
    """The requests, those that differ in level and verbs alone put together: to a query they are alike."""
    verbs: dict[tuple[tuple[GroupResources, ...], tuple[str, ...]], tuple[str, ...]] = {}
    for each in requests:
        key = (each.resources, each.namespaces)
        verbs[key] = (*verbs.get(key, ()), *each.verbs)
    return tuple(Requests(chosen, resources, namespaces) for (resources, namespaces), chosen in verbs.items())


def _requests(requests: Requests) -> str:
    terms = [
        _alternatives([term for entry in requests.resources for term in _resources(entry)]),
        _one_of("verb", requests.verbs),
        _one_of("namespace", requests.namespaces),
    ]
    return " and ".join(term for term in terms if term)


def _resources(entry: GroupResources) -> list[str]:
    """A term for each subresource that is named; `*` as a group or resource leaves it open."""
    group = "" if entry.group == "*" else f'apiGroup="{entry.group}"'
    if not entry.resources:
        return [group]
    by_subresource: dict[str, list[str]] = {}
    for name in entry.resources:
        resource, _, subresource = name.partition("/")
        by_subresource.setdefault(subresource, []).append(resource)
    return [
        " and ".join(
            term
            for term in (
                group,
                _one_of("resource", names),
                f'subresource="{subresource}"',
                _one_of("name", entry.resource_names),
            )
            if term
        )
        for subresource, names in by_subresource.items()
    ]


def _one_of(label: str, values: Sequence[str]) -> str:
    if not values or "*" in values:
        return ""
    return f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{"|".join(values)}"'


def _alternatives(terms: Sequence[str]) -> str:
    """The terms joined by `or`, in brackets if there are several; empty when one is open."""
    if not all(terms):
        return ""
    return terms[0] if len(terms) == 1 else "(" + " or ".join(f"({term})" for term in terms) + ")" if terms else ""


def quoted(text: str) -> str:
    """A text as a label filter holds it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
