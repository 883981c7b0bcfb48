"""The exact partition of all requests by the rules of one or more policies.

A rule divides requests by what it names: verbs, resources, object names, namespaces, users, groups, URLs. On each of
these axes only two kinds of values matter: those in any rule, and one that represents every other value. Their full
product would explode, so it is never built:

- Values of an axis that the same rules accept become one `Choice`.
- Axes are decided one after the other. What is decided so far is remembered only as the set of rules that can still
  match. Rules behind the first one that no later axis restricts are forgotten, since the first match decides. Equal
  sets lead to the same node. The result is a decision diagram with a node for each situation, not for each combination.
- Users are combined with sets of groups. One group of the user for each policy shows which rule matches first. Take any
  set of groups and keep one that the matching rule names: no earlier rule gains a match. So sets of `len(policies)`
  groups find every outcome. `spare_groups` more let a caller check statements about groups (`auditlog.policy.regions`).
  Each set is then its own choice.

Requests are what an API server can be asked. A resource request has a verb of RequestInfo
(`k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`), any other request a lower-case HTTP method. A path that
RequestInfo takes for a resource is no URL to a policy. Resource names hold neither "/" nor "*".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from auditlog.policy.evaluate import group_matches, url_matches
from auditlog.policy.model import GroupResources, Policy, PolicyRule, Request
from auditlog.policy.resources import is_resource_path

OTHER = "\0other"
"""Stands for every value that no rule names. No policy text can hold it: YAML has no NUL."""

RESOURCE_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
RARE_RESOURCE_VERBS = ("proxy", "")
"""The legacy `/proxy/` prefix, and HTTP methods that RequestInfo has no verb for."""
HTTP_VERBS = ("get", "head", "post", "put", "patch", "delete", "options", "trace", "connect")

VERBS = frozenset((*RESOURCE_VERBS, *RARE_RESOURCE_VERBS, *HTTP_VERBS))
"""Every verb that a request can have."""


class AxisName(StrEnum):
    """What divides requests."""

    VERB = "verb"
    TARGET = "target"
    NAMESPACE = "namespace"
    USER = "user"
    GROUPS = "groups"


class Target(NamedTuple):
    """A resource with its object's name; each part may be OTHER. The name is OTHER where names make no difference."""

    group: str
    resource: str
    subresource: str
    name: str

    @property
    def is_named(self) -> bool:
        """Whether the request names an object that a rule names."""
        return self.name not in ("", OTHER)


Value = str | None | Target | frozenset[str]
"""A verb, path, namespace or user name; None for no known user; a target; a set of groups."""

Outcome = tuple[int | None, ...]
"""For each policy the index of the rule that decides, or None when no rule matches."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Values of one axis that no rule tells apart. `accepted` has a bit for each rule, all policies in a row."""

    accepted: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of requests. `settled` has a bit for each rule that no later axis restricts."""

    name: AxisName
    choices: tuple[Choice, ...]
    settled: int


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A situation after some axes: a child for each choice of the next one, or the outcome when none is left.

    Equal situations are the same object. `outcomes` are all that can still come.
    """

    depth: int
    children: tuple[Node, ...]
    outcomes: frozenset[Outcome]


@dataclass(frozen=True, slots=True)
class Diagram:
    """All resource requests, or all others."""

    resource_requests: bool
    axes: tuple[Axis, ...]
    root: Node

    def depth_of(self, name: AxisName) -> int:
        """The position of an axis; requests for URLs have no namespace axis (ValueError)."""
        return [axis.name for axis in self.axes].index(name)


@dataclass(frozen=True, slots=True)
class Partition:
    """Every request, by what the policies decide."""

    policies: tuple[tuple[PolicyRule, ...], ...]
    resources: Diagram
    urls: Diagram

    @property
    def diagrams(self) -> tuple[Diagram, Diagram]:
        """Resource requests, and all others."""
        return self.resources, self.urls

    @property
    def outcomes(self) -> frozenset[Outcome]:
        """Every combination of deciding rules that some request leads to."""
        return self.resources.root.outcomes | self.urls.root.outcomes


def partition(policies: Sequence[Policy | Sequence[PolicyRule]], spare_groups: int = 0) -> Partition:
    """The partition by all `policies` (or bare lists of rules) together.

    To ask a question about requests ("which changes of Secrets …"), add it as one more policy. Its rules describe the
    requests, and the outcomes show how each of them is decided.
    """
    rules = tuple(tuple(each.rules) if isinstance(each, Policy) else tuple(each) for each in policies)
    return Partition(rules, _diagram(rules, True, spare_groups), _diagram(rules, False, spare_groups))


def deciders(earlier: Sequence[PolicyRule], rule: PolicyRule) -> frozenset[int | None]:
    """Which of the `earlier` rules decide the requests `rule` matches; None: some of them are left for `rule`.

    Empty when no request matches `rule` at all.
    """
    meeting = [index for index, other in enumerate(earlier) if may_meet(other, rule)]
    outcomes = partition(([earlier[index] for index in meeting], (rule,))).outcomes
    return frozenset(None if first is None else meeting[first] for first, own in outcomes if own is not None)


def outcomes_of(diagram: Diagram, wanted: Mapping[AxisName, Callable[[Value], bool]]) -> frozenset[Outcome]:
    """The outcomes of the requests whose values are wanted on every axis that is named."""
    allowed = [
        tuple(any(accepts(value) for value in choice.values) for choice in axis.choices)
        if (accepts := wanted.get(axis.name)) is not None
        else (True,) * len(axis.choices)
        for axis in diagram.axes
    ]
    known: dict[Node, frozenset[Outcome]] = {}

    def below(node: Node) -> frozenset[Outcome]:
        if not node.children:
            return node.outcomes
        if node not in known:
            children = {
                child for child, is_allowed in zip(node.children, allowed[node.depth], strict=True) if is_allowed
            }
            known[node] = frozenset().union(*(below(child) for child in children))
        return known[node]

    return below(diagram.root)


def may_meet(left: PolicyRule, right: PolicyRule) -> bool:
    """False when a look at the two rules shows that no request matches both; it saves a larger partition."""
    lists = (
        (left.verbs, right.verbs),
        (left.users, right.users),
        (left.namespaces, right.namespaces),
        ([entry.group for entry in left.resources], [entry.group for entry in right.resources]),
        (_resource_names(left), _resource_names(right)),
    )
    if any(_is_for_resources(one) and _is_for_urls(other) for one, other in ((left, right), (right, left))):
        return False
    return all("*" in (*mine, *yours) or not (mine and yours) or set(mine) & set(yours) for mine, yours in lists)


def _is_for_resources(rule: PolicyRule) -> bool:
    return bool(rule.resources or rule.namespaces)


def _is_for_urls(rule: PolicyRule) -> bool:
    return bool(rule.non_resource_urls) and not _is_for_resources(rule)


def _resource_names(rule: PolicyRule) -> list[str]:
    """The resources that a rule names, without their subresources; "*" where it may mean any."""
    names = [pattern.partition("/")[0] for entry in rule.resources for pattern in entry.resources]
    return names if all(entry.resources for entry in rule.resources) else ["*"]


def alike_groups(rules: Sequence[PolicyRule]) -> list[tuple[str, ...]]:
    """The groups that rules name, those together that the same rules name. Sets of groups hold the first ones."""
    by_rules: dict[frozenset[int], list[str]] = {}
    for group in dict.fromkeys(group for rule in rules for group in rule.user_groups):
        holders = frozenset(index for index, rule in enumerate(rules) if group in rule.user_groups)
        by_rules.setdefault(holders, []).append(group)
    return [tuple(groups) for groups in by_rules.values()]


def request_of(diagram: Diagram, values: Sequence[Value]) -> Request:
    """The request with one value for each axis of the diagram, in their order. OTHER stays as it is."""
    by_axis = dict(zip((axis.name for axis in diagram.axes), values, strict=True))
    user, groups = by_axis[AxisName.USER], by_axis[AxisName.GROUPS]
    target, verb = by_axis[AxisName.TARGET], by_axis[AxisName.VERB]
    known = user is not None and isinstance(groups, frozenset)
    identity = {
        "user": None if user is None else str(user),
        "groups": tuple(sorted(groups)) if known and isinstance(groups, frozenset) else (),
    }
    if not isinstance(target, Target):
        return Request(**identity, verb=str(verb), resource_request=False, path=str(target))  # type: ignore[arg-type]
    return Request(
        **identity,  # type: ignore[arg-type]
        verb=str(verb),
        resource_request=True,
        api_group=target.group,
        resource=target.resource,
        subresource=target.subresource,
        namespace=str(by_axis[AxisName.NAMESPACE]),
        name=target.name,
    )


@dataclass(frozen=True, slots=True)
class _Dimension:
    """One axis before its values are put together: its values, and whether a rule accepts one."""

    name: AxisName
    values: Iterable[Value]
    accepts: Callable[[PolicyRule, Value], bool]


def request_axes(rules: Sequence[PolicyRule], resource_requests: bool) -> tuple[Axis, ...]:
    """What the rules can tell about requests apart from who sends them. `settled` is not computed, and 0."""
    return tuple(
        Axis(each.name, _choices(rules, each), 0) for each in _dimensions(rules, resource_requests=resource_requests)
    )


def accepted_values(rules: Sequence[PolicyRule], request: Request) -> tuple[int, ...]:
    """For each axis of `request_axes`, in their order, the rules that accept what this request has there."""
    target = (
        Target(request.api_group, request.resource, request.subresource, request.name)
        if request.resource_request
        else request.path
    )
    values: dict[AxisName, Value] = {
        AxisName.VERB: request.verb,
        AxisName.TARGET: target,
        AxisName.NAMESPACE: request.namespace,
    }
    return tuple(
        _mask(rules, each.accepts, values[each.name])
        for each in _dimensions(rules, resource_requests=request.resource_request)
    )


def _dimensions(rules: Sequence[PolicyRule], *, resource_requests: bool) -> list[_Dimension]:
    if not resource_requests:
        return [
            _Dimension(AxisName.VERB, (*HTTP_VERBS, OTHER), _verb),
            _Dimension(AxisName.TARGET, _paths(rules), _url),
        ]
    return [
        _Dimension(AxisName.VERB, RESOURCE_VERBS + RARE_RESOURCE_VERBS, _verb),
        _Dimension(AxisName.TARGET, _targets(rules), _resource),
        _Dimension(AxisName.NAMESPACE, _named(rule.namespaces for rule in rules), _namespace),
    ]


def _choices(rules: Sequence[PolicyRule], dimension: _Dimension, *, apart: bool = False) -> tuple[Choice, ...]:
    """The values with what accepts them, put together where that is the same, unless they are to stay `apart`."""
    by_accepted: dict[int, list[Value]] = {}
    for value in dimension.values:
        by_accepted.setdefault(_mask(rules, dimension.accepts, value), []).append(value)
    if apart:
        return tuple(Choice(mask, (value,)) for mask, members in by_accepted.items() for value in members)
    return tuple(Choice(mask, tuple(members)) for mask, members in by_accepted.items())


def _mask(rules: Sequence[PolicyRule], accepts: Callable[[PolicyRule, Value], bool], value: Value) -> int:
    return sum(1 << index for index, rule in enumerate(rules) if accepts(rule, value))


def _diagram(policies: tuple[tuple[PolicyRule, ...], ...], resource_requests: bool, spare_groups: int) -> Diagram:
    rules = [rule for policy in policies for rule in policy]
    later = [
        *_dimensions(rules, resource_requests=resource_requests),
        _Dimension(AxisName.USER, [None, *_named(rule.users for rule in rules)], _user),
        _Dimension(AxisName.GROUPS, _group_sets(rules, len(policies) + spare_groups), _groups),
    ]
    axes: list[Axis] = []
    settled = (1 << len(rules)) - 1
    for dimension in reversed(later):
        apart = dimension.name is AxisName.GROUPS and bool(spare_groups)
        choices = _choices(rules, dimension, apart=apart)
        axes.insert(0, Axis(dimension.name, choices, settled))
        indifferent = settled
        for choice in choices:
            indifferent &= choice.accepted
        settled = indifferent
    return Diagram(resource_requests, tuple(axes), _Builder(tuple(axes), policies).root())


class _Builder:
    """Builds the nodes of one diagram; equal ones are shared."""

    def __init__(self, axes: tuple[Axis, ...], policies: tuple[tuple[PolicyRule, ...], ...]) -> None:
        self.axes = axes
        self.spans: list[tuple[int, int]] = []
        start = 0
        for policy in policies:
            self.spans.append((start, start + len(policy)))
            start += len(policy)
        self.by_situation: dict[tuple[int, int], Node] = {}
        self.by_children: dict[tuple[int, tuple[Node, ...]], Node] = {}
        self.leaves: dict[Outcome, Node] = {}

    def root(self) -> Node:
        return self.node(0, (1 << self.spans[-1][1]) - 1)

    def node(self, depth: int, possible: int) -> Node:
        if depth == len(self.axes):
            return self.leaf(possible)
        situation = (depth, possible)
        if situation not in self.by_situation:
            axis = self.axes[depth]
            children = tuple(
                self.node(depth + 1, self.without_overtaken(possible & choice.accepted, axis.settled))
                for choice in axis.choices
            )
            self.by_situation[situation] = self.shared(depth, children)
        return self.by_situation[situation]

    def shared(self, depth: int, children: tuple[Node, ...]) -> Node:
        node = self.by_children.get((depth, children))
        if node is None:
            outcomes = frozenset().union(*(child.outcomes for child in set(children)))
            node = self.by_children[depth, children] = Node(depth, children, outcomes)
        return node

    def leaf(self, possible: int) -> Node:
        outcome = tuple(self.first(possible, span) for span in self.spans)
        if outcome not in self.leaves:
            self.leaves[outcome] = Node(len(self.axes), (), frozenset((outcome,)))
        return self.leaves[outcome]

    def first(self, possible: int, span: tuple[int, int]) -> int | None:
        own = (possible >> span[0]) & ((1 << (span[1] - span[0])) - 1)
        return (own & -own).bit_length() - 1 if own else None

    def without_overtaken(self, possible: int, settled: int) -> int:
        """The rules that can still be the first to match: none behind one that now matches for certain."""
        kept = 0
        for start, end in self.spans:
            own = possible & (((1 << (end - start)) - 1) << start)
            certain = own & settled
            kept |= own & (((certain & -certain) << 1) - 1) if certain else own
        return kept


def _verb(rule: PolicyRule, value: Value) -> bool:
    return not rule.verbs or value in rule.verbs


def _resource(rule: PolicyRule, value: Value) -> bool:
    if not rule.resources:
        return bool(rule.namespaces) or not rule.non_resource_urls
    assert isinstance(value, Target)  # noqa: S101 - the axis holds nothing else
    entries = [entry for entry in rule.resources if entry.group in ("*", value.group)]
    if not entries:
        return False
    request = Request(
        user=None, api_group=value.group, resource=value.resource, subresource=value.subresource, name=value.name
    )
    return any(group_matches(entry, request) for entry in entries)


def _namespace(rule: PolicyRule, value: Value) -> bool:
    return not rule.namespaces or value in rule.namespaces


def _url(rule: PolicyRule, value: Value) -> bool:
    if rule.namespaces or rule.resources:
        return False
    path = str(value)
    return not rule.non_resource_urls or any(url_matches(pattern, path) for pattern in rule.non_resource_urls)


def _user(rule: PolicyRule, value: Value) -> bool:
    if value is None:
        return not rule.users and not rule.user_groups
    return not rule.users or value in rule.users


def _groups(rule: PolicyRule, value: Value) -> bool:
    assert isinstance(value, frozenset)  # noqa: S101 - the axis holds nothing else
    return not rule.user_groups or not value.isdisjoint(rule.user_groups)


def _named(lists: Iterable[Iterable[str]]) -> list[Value]:
    return [*dict.fromkeys(value for values in lists for value in values), OTHER]


def _targets(rules: Sequence[PolicyRule]) -> Iterator[Target]:
    """For each group that is named, and for every other one: what entries can tell apart in it."""
    entries = [entry for rule in rules for entry in rule.resources]
    for group in (*dict.fromkeys(entry.group for entry in entries if entry.group != "*"), OTHER):
        own = [entry for entry in entries if entry.group in (group, "*")]
        parts = [pattern.partition("/") for entry in own for pattern in entry.resources]
        resources = dict.fromkeys(resource for resource, _, _ in parts if resource and "*" not in resource)
        subresources = dict.fromkeys(part for _, _, part in parts if part and "*" not in part and "/" not in part)
        for resource in (*resources, OTHER):
            for subresource in ("", *subresources, OTHER):
                request = Request(user=None, api_group=group, resource=resource, subresource=subresource)
                names = dict.fromkeys(
                    name
                    for entry in own
                    if entry.resources and entry.resource_names and group_matches(_any_name(entry), request)
                    for name in entry.resource_names
                )
                for name in (*names, OTHER):
                    yield Target(group, resource, subresource, name)


def _any_name(entry: GroupResources) -> GroupResources:
    return GroupResources(entry.group, entry.resources)


def _paths(rules: Sequence[PolicyRule]) -> Iterator[str]:
    """What URL patterns can tell apart: each exact path, a path below each prefix, and one below none of them."""
    patterns = dict.fromkeys(pattern for rule in rules for pattern in rule.non_resource_urls)
    exact = [pattern for pattern in patterns if not pattern.endswith("*") and pattern.startswith("/")]
    yield from (path for path in exact if not is_resource_path(path))
    for prefix in dict.fromkeys((*(pattern.rstrip("*") for pattern in patterns if pattern.endswith("*")), "/")):
        below = prefix + OTHER
        for path in (below, prefix):
            # Everything below /apis/apps/v1/ is a resource, and only that path itself is not.
            if path.startswith("/") and path not in exact and not is_resource_path(path):
                yield path
                break


def _group_sets(rules: Sequence[PolicyRule], size: int) -> Iterator[frozenset[str]]:
    """Sets of up to `size` groups. The first of the groups that the same rules name represents the others."""
    representatives = [groups[0] for groups in alike_groups(rules)]
    for count in range(min(size, len(representatives)) + 1):
        yield from (frozenset(groups) for groups in combinations(representatives, count))
