"""The LogQL for writes that should carry annotations and do not: what happened in them is unknown.

Each of our policies writes a sentinel once all its annotations are written. It is missing if an expression failed or
grew too costly, if a value was cut, and while the policy is not in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditlog.annotations.model import POLICY_PREFIX, SENTINEL, Entry, Operation, Requests
from auditlog.detections.logql import quoted, selector
from auditlog.detections.model import CHANGES, NO_DRY_RUN, Unannotated
from auditlog.events.logql import STATIC, annotation_paths
from auditlog.units import duration

_SETTLING = "6m"
"""How long after a change of a policy writes without its sentinel may still be in the window. A policy takes seconds to
be in force (kubernetes, apiserver/pkg/admission/plugin/policy/generic)."""
_MADE = f'resource=~"validatingadmissionpolic.*" and name=~"{POLICY_PREFIX}.*"'


def unannotated_query(
    source: Unannotated,
    entries: Sequence[Entry],
    cluster: str = "",
    ignored_users: Sequence[str] = (),
    *,
    from_files: bool = False,
) -> str:
    """How many such writes there are, by the fields of ``source``. ``entries`` are those in use, one or more.

    ``from_files``: only a sentinel from a file counts. Whoever may write admission policies could make the other one.
    """
    wanted = {f"sentinel{number}": entry for number, entry in enumerate(entries)}
    paths = ", ".join(annotation_paths(name, entry.name, SENTINEL) for name, entry in wanted.items())
    prefixes = (STATIC,) if from_files else (STATIC, "")
    lacking = " or ".join(
        f"({_any_of(entry.requests)} and {_without(name, prefixes)})" for name, entry in wanted.items()
    )
    filters = [
        'stage="ResponseComplete"',
        'code=~"[12].."',
        " or ".join(_any_of(entry.requests) for entry in entries),
        *(f"user!={quoted(user)}" for user in ignored_users),
        f"json {paths}",
        lacking,
    ]
    lines = " ".join([selector(cluster), *(f"| {each}" for each in filters)])
    counted = f"sum by ({', '.join(('cluster', *source.by))}) (count_over_time({lines} [{duration(source.window)}]))"
    changed = f'{selector(cluster)} {NO_DRY_RUN} | {_MADE} | verb=~"{"|".join(CHANGES)}" | code=~"[12].."'
    return f"{counted} unless on (cluster) sum by (cluster) (count_over_time({changed} [{_SETTLING}]))"


def _without(name: str, prefixes: Iterable[str]) -> str:
    return " and ".join(f'{prefix}{name}=""' for prefix in prefixes)


def _any_of(requests: Iterable[Requests]) -> str:
    return "(" + " or ".join(_terms(each) for each in requests) + ")"


def _terms(requests: Requests) -> str:
    """A deleted collection that was empty never reaches admission, so collections are not looked at."""
    by_subresource: dict[str, list[str]] = {}
    for each in requests.resources:
        resource, _, subresource = each.partition("/")
        by_subresource.setdefault(subresource, []).append(resource)
    group = "" if requests.group == "*" else f'apiGroup="{requests.group}" and '
    operations = " or ".join(f"({_OPERATIONS[each]})" for each in requests.operations)
    return " or ".join(
        f"({group}{_one_of('resource', resources)} and {_one_of('subresource', [subresource])} and ({operations}))"
        for subresource, resources in by_subresource.items()
    )


_OPERATIONS = {
    # A server-side apply, and an update of what some kinds allow to be made by it, creates what is not there.
    Operation.CREATE: 'verb="create" or (verb=~"update|patch" and code="201")',
    Operation.UPDATE: 'verb=~"update|patch" and code!="201"',
    Operation.DELETE: 'verb="delete"',
    Operation.CONNECT: 'verb!=""',
}


def _one_of(label: str, values: Sequence[str]) -> str:
    if "*" in values:
        return f'{label}!=""'
    return f'{label}="{values[0]}"' if len(values) == 1 else f'{label}=~"{"|".join(values)}"'
