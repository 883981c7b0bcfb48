"""Who, doing what, to what, is recorded at which level; and what never is.

The matrix shows callers and resources that matter in every cluster, and those the policy names. What is never recorded
is complete: it comes from the partition of all requests.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from auditlog.policy.evaluate import compile_policy, decision_of
from auditlog.policy.model import Decision, Level, Policy, Request, Stage
from auditlog.policy.partition import OTHER, RESOURCE_VERBS, Outcome
from auditlog.policy.phrase import groups_of
from auditlog.policy.region_text import describe, qualified_name
from auditlog.policy.regions import regions
from auditlog.policy.resources import HEALTH_PATHS, is_resource_path, resource_in_group

WIDTH = 100
_NARROWEST = 80
_VERB_WIDTH = 7
_SYMBOLS = {Level.NONE: "-", Level.METADATA: "M", Level.REQUEST: "Rq", Level.REQUEST_RESPONSE: "RR"}
_ANNOTATED = "+"
_VERB_HEADS = {"deletecollection": "delcol"}
_NAMELESS_VERBS = ("create", "list", "watch", "deletecollection")
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_NO_RULE_NAMES = "anyone else"

_USUAL_RESOURCES = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("", "pods/exec"),
    ("", "pods/attach"),
    ("", "pods/portforward"),
    ("", "pods/proxy"),
    ("", "services/proxy"),
    ("", "nodes/proxy"),
    ("", "pods"),
    ("", "pods/ephemeralcontainers"),
    ("apps", "deployments"),
    ("", "serviceaccounts"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("certificates.k8s.io", "certificatesigningrequests"),
    ("", "namespaces"),
    ("", "nodes"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("coordination.k8s.io", "leases"),
    ("authentication.k8s.io", "tokenreviews"),
)
_USUAL_PATHS = (*HEALTH_PATHS, "/version", "/api", "/openapi/v2", "/metrics")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who sends requests; `user` is None when authentication failed."""

    name: str
    user: str | None
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """The levels of one resource or URL. A verb has several where the namespace or the name makes a difference.

    `annotated` are the verbs of requests to which admission policies add what changed.
    """

    target: str
    levels: dict[str, tuple[Level, ...]]
    annotated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Matrix:
    """What is recorded of callers that are all treated alike."""

    callers: tuple[Caller, ...]
    resources: tuple[Row, ...]
    urls: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole answer; `never_recorded` describes every request that is not, in words."""

    policy: str
    matrices: tuple[Matrix, ...]
    never_recorded: tuple[str, ...]


def cover(
    policy: Policy,
    kubernetes_minor: int,
    more_callers: Sequence[Caller] = (),
    annotated: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType({}),
) -> Coverage:
    """What `policy` records, with the resources of Kubernetes 1.`kubernetes_minor`.

    `annotated` are the verbs, by API group and resource, to whose events annotations say what changed.
    """
    decide = compile_policy(policy)
    alike: dict[tuple[object, ...], list[Caller]] = {}
    rows: dict[tuple[object, ...], tuple[tuple[Row, ...], tuple[Row, ...]]] = {}
    for caller in (*_callers(policy), *more_callers):
        resources = tuple(_resource_rows(policy, decide, caller, kubernetes_minor, annotated))
        urls = tuple(_url_rows(policy, decide, caller))
        key = tuple((row.target, *row.levels.items()) for row in (*resources, *urls))
        alike.setdefault(key, []).append(caller)
        rows[key] = resources, urls

    def dropped(outcome: Outcome) -> str | None:
        return "dropped" if _level(decision_of(policy, outcome[0])) is Level.NONE else None

    matrices = tuple(Matrix(tuple(callers), *rows[key]) for key, callers in alike.items())
    return Coverage(policy.source, matrices, tuple(describe(region) for region in regions((policy,), dropped)))


def to_text(coverage: Coverage, width: int | None = None) -> str:
    """Tables of at most `width` columns, 100 by default; resources with the same levels share a row."""
    room = max(_NARROWEST, min(width or WIDTH, WIDTH))
    lines = [
        "- not recorded   M Metadata   Rq Request   RR RequestResponse",
        "-|M depends on namespace or name"
        + (f"   {_ANNOTATED} annotations say what changed" if _is_annotated(coverage) else ""),
        "",
    ]
    for matrix in coverage.matrices:
        lines.append(", ".join(caller.name for caller in matrix.callers))
        lines += _table("RESOURCE", RESOURCE_VERBS, matrix.resources, room)
        lines += ["", *_table("URL", _METHODS, matrix.urls, room), ""]
    lines.append("Never recorded:" if coverage.never_recorded else "Never recorded: nothing, every request is.")
    lines += [f"  {words}" for words in coverage.never_recorded]
    return "\n".join([*lines, ""])


def to_json(coverage: Coverage) -> str:
    """One object; the levels of a verb are a list, of more than one where namespace or name make a difference."""

    def rows(each: Iterable[Row]) -> list[dict[str, object]]:
        return [
            {
                "target": row.target,
                "levels": {verb: [level.value for level in found] for verb, found in row.levels.items()},
                **({"annotated": sorted(row.annotated)} if row.annotated else {}),
            }
            for row in each
        ]

    matrices = [
        {
            "callers": [{"name": each.name, "user": each.user, "groups": list(each.groups)} for each in matrix.callers],
            "resources": rows(matrix.resources),
            "urls": rows(matrix.urls),
        }
        for matrix in coverage.matrices
    ]
    value = {"policy": coverage.policy, "matrices": matrices, "neverRecorded": list(coverage.never_recorded)}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _table(title: str, verbs: Sequence[str], rows: Iterable[Row], width: int) -> Iterator[str]:
    """Rows of equal levels become one."""
    merged: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        cells = tuple(_cell(row.levels[verb], annotated=verb in row.annotated) for verb in verbs)
        merged.setdefault(cells, []).append(row.target)
    room = width - 2 - _VERB_WIDTH * len(verbs)
    yield f"  {title:<{room}}" + "".join(f"{_VERB_HEADS.get(verb, verb):<{_VERB_WIDTH}}" for verb in verbs).rstrip()
    for cells, targets in merged.items():
        beside = width >= WIDTH or len(", ".join(targets)) <= room - 2
        names = textwrap.wrap(", ".join(targets), room - 2 if beside else width - 2, break_on_hyphens=False)
        levels = "".join(f"{cell:<{_VERB_WIDTH}}" for cell in cells)
        # Where names would be cut, the levels stand below them.
        yield from () if beside else (f"  {name}" for name in names)
        yield f"  {names[0] if beside else '':<{room}}{levels}".rstrip()
        yield from (f"  {name}" for name in names[1:]) if beside else ()


def _cell(levels: Sequence[Level], *, annotated: bool) -> str:
    recorded = annotated and any(level is not Level.NONE for level in levels)
    return "|".join(_SYMBOLS[level] for level in levels) + (_ANNOTATED if recorded else "")


def _is_annotated(coverage: Coverage) -> bool:
    return any(row.annotated for matrix in coverage.matrices for row in matrix.resources)


def _level(decision: Decision) -> Level:
    return Level.NONE if len(decision.omit_stages) == len(Stage) else decision.level


def _callers(policy: Policy) -> Iterator[Caller]:
    """Somebody no rule names, who is in every cluster, and whoever the policy names."""
    other_account = f"system:serviceaccount:{OTHER}:{OTHER}"
    usual = {
        _NO_RULE_NAMES: OTHER,
        "system:anonymous": "system:anonymous",
        "any node": f"system:node:{OTHER}",
        "system:apiserver": "system:apiserver",
        "system:kube-controller-manager": "system:kube-controller-manager",
        "system:kube-scheduler": "system:kube-scheduler",
        "any service account of kube-system": f"system:serviceaccount:kube-system:{OTHER}",
        "any other service account": other_account,
    }
    yield from (Caller(name, user, groups_of(user)) for name, user in usual.items())
    yield Caller("failed authentication", None, ())
    for user in dict.fromkeys(user for rule in policy.rules for user in rule.users):
        if user not in usual:
            yield Caller(user, user, groups_of(user))
    shown = {group for user in usual.values() for group in groups_of(user)}
    for group in dict.fromkeys(group for rule in policy.rules for group in rule.user_groups):
        if group not in shown:
            yield Caller(f"members of {group}", OTHER, (group, "system:authenticated"))


def _resource_rows(
    policy: Policy,
    decide: Callable[[Request], Decision],
    caller: Caller,
    minor: int,
    annotated: Mapping[tuple[str, str], frozenset[str]],
) -> Iterator[Row]:
    named = [
        (entry.group, resource)
        for rule in policy.rules
        for entry in rule.resources
        for resource in entry.resources
        if "*" not in (entry.group, *resource.split("/"))
    ]
    for group, resource in dict.fromkeys((*_USUAL_RESOURCES, *named, *annotated)):
        plural, slash, subresource = resource.partition("/")
        target = f"{qualified_name(plural, group)}{slash}{subresource}"
        levels = _resource_levels(policy, decide, caller, minor, (group, resource))
        yield Row(target, levels, annotated.get((group, resource), frozenset()))
    yield Row("anything else", _resource_levels(policy, decide, caller, minor, (OTHER, OTHER)))


def _resource_levels(
    policy: Policy, decide: Callable[[Request], Decision], caller: Caller, minor: int, target: tuple[str, str]
) -> dict[str, tuple[Level, ...]]:
    group, whole = target
    resource, _, subresource = whole.partition("/")
    builtin = resource_in_group(group, resource, minor)
    cluster_scoped = builtin is not None and not builtin.namespaced and resource != "namespaces"
    namespaces = dict.fromkeys(name for rule in policy.rules for name in rule.namespaces)
    names = dict.fromkeys(name for rule in policy.rules for entry in rule.resources for name in entry.resource_names)
    levels = {}
    for verb in RESOURCE_VERBS:
        nameless = verb in _NAMELESS_VERBS and not subresource
        found = {
            _level(
                decide(
                    Request(
                        user=caller.user,
                        groups=caller.groups,
                        verb=verb,
                        api_group=group,
                        resource=resource,
                        subresource=subresource,
                        namespace=namespace,
                        name=name,
                    )
                )
            )
            for namespace in ([""] if cluster_scoped else [*namespaces, OTHER])
            for name in ([""] if nameless else [*names, OTHER])
        }
        levels[verb] = tuple(sorted(found, key=lambda level: level.rank))
    return levels


def _url_rows(policy: Policy, decide: Callable[[Request], Decision], caller: Caller) -> Iterator[Row]:
    named = {}
    for pattern in (pattern for rule in policy.rules for pattern in rule.non_resource_urls):
        prefix = pattern.rstrip("*")
        path = f"{prefix}{OTHER}" if prefix != pattern else pattern
        if path.startswith("/") and not is_resource_path(path):
            named[pattern] = path
    paths = {path: path for path in _USUAL_PATHS} | named | {"any other URL": f"/{OTHER}"}
    for name, path in paths.items():
        levels: dict[str, tuple[Level, ...]] = {}
        for method in _METHODS:
            request = Request(caller.user, caller.groups, method, resource_request=False, path=path)
            levels[method] = (_level(decide(request)),)
        yield Row(name, levels)
