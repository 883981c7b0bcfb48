"""The kinds of a log from Loki's metric queries: Loki adds up months of many nodes, and nothing is moved.

Loki answers by structured metadata. So an event's URL is unknown, its object where a policy's rule names objects, and
the share of its body. No level is lowered by what Loki says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from auditlog.detections.identity import ATTACK_TOOLS, HAND_TOOLS
from auditlog.events.coverage import NodeCoverage
from auditlog.events.event import Event, ObjectReference, ResponseStatus, User
from auditlog.events.kinds import Amount, Kind, Kinds, Mark, Sample, caller_of
from auditlog.events.logql import HAS_DEPRECATION_TRUE, HAS_IMPERSONATION
from auditlog.events.loki.access import LokiError
from auditlog.events.loki.client import Series
from auditlog.events.loki.store import LokiStore
from auditlog.events.span import Span
from auditlog.policy.evaluate import compile_policy
from auditlog.policy.model import Decision, Level, Policy, Request, Stage
from auditlog.policy.partition import OTHER
from auditlog.policy.phrase import groups_of
from auditlog.tuning.marks import Marks
from auditlog.tuning.search import NodeKinds, Tuning, search
from auditlog.tuning.tune import FITTED_SHARE, TuneError, TuneReport, cannot_tell, is_long_enough, marks_of

CHUNK = timedelta(days=7)
"""What one query adds up. Loki divides it further; it refuses 30 days and more (max_query_length)."""

_KEY = ("user", "groups", "verb", "apiGroup", "resource", "subresource", "level", "stage", "code")
_SPLIT = ("verb", "resource", "subresource", "level", "stage", "code", "user")
"""Labels that a query is parted by, in this order, where Loki has more series than it gives at once."""
_TOO_MANY = "maximum"
_MILLISECOND = timedelta(milliseconds=1)
_A_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_NODE_USERS = "system:node:.*"

# Filters for what no label says, each with an event that has it: such an event's marks are those of its kind.
_SPECIAL: tuple[tuple[str, dict[str, object]], ...] = (
    (f"| userAgent=~`{HAND_TOOLS}`", {"user_agent": "kubectl/v1"}),
    (f"| userAgent=~`(?i).*({ATTACK_TOOLS}).*`", {"user_agent": "kube-hunter"}),
    (HAS_IMPERSONATION, {"impersonated_user": User("somebody")}),
    (HAS_DEPRECATION_TRUE, {"annotations": {"k8s.io/deprecated": "true"}}),
)

_CANNOT_TELL = (
    "Loki's metadata does not say how much of an event is its body: what a lower level would save cannot be known from "
    "it. `auditlog tune` with the log of one node tells.",
    "Requests for URLs are counted as they are recorded: Loki's metadata has no URL.",
)
_NO_NAMES = (
    "The policy has rules for single objects. Loki's sums do not tell these objects from others: requests for them are "
    "counted as if they were for others."
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A node's events in a range of time, by the labels that its stream has."""

    labels: Mapping[str, str]
    after: datetime
    until: datetime
    tried: bool


@dataclass(slots=True)
class _Sums:
    """Events and bytes of each combination of labels, and which of the special events it has."""

    amounts: dict[tuple[tuple[str, str], ...], Amount] = field(default_factory=dict)
    special: dict[tuple[tuple[str, str], ...], set[int]] = field(default_factory=dict)


def tune_from_loki(store: LokiStore, tuning: Tuning) -> TuneReport:
    """`tune` by what Loki has in a range of time.

    Raises:
        TuneError: no node has events over a minute of it.
        LokiError: Loki does not answer, or parts its answer no further.
    """
    coverage = {node.node: node for node in store.coverage().nodes}
    reach = {name: Span(node.first, node.last) for name, node in coverage.items() if node.last > node.first}
    enough = {name: span for name, span in reach.items() if is_long_enough(span)}
    if not enough:
        raise TuneError(f"tune: {store.selector} has no events over a minute, so it gives no rate; ask for more time")
    reader = _Reader(store, tuning)
    nodes, disagreeing = [], 0
    for labels in reader.streams():
        name = "/".join(labels[each] for each in ("cluster", "node") if labels.get(each)) or "Loki"
        if name in enough:
            kinds, differing = reader.kinds(labels, coverage[name])
            disagreeing += differing
            days = enough[name].days
            nodes.append(NodeKinds(name, kinds, days * FITTED_SHARE, days * (1 - FITTED_SHARE)))
    plan = search(tuning, nodes)
    unknown = [*_CANNOT_TELL, *([_NO_NAMES] if _names_objects(tuning.policy) else [])]
    return TuneReport(plan, enough, (*unknown, *cannot_tell(plan, nodes, enough, disagreeing)))


class _Reader:
    """Asks for the sums, and makes kinds of them."""

    def __init__(self, store: LokiStore, tuning: Tuning) -> None:
        self._store, self._policy = store, tuning.policy
        self._decide = compile_policy(tuning.policy)
        self._marks: Marks = marks_of(tuning)
        named = {name for rule in tuning.policy.rules for name in rule.namespaces}
        self._namespaces = tuple(sorted(named | {"kube-system"}))

    def streams(self) -> list[Mapping[str, str]]:
        """The labels cluster and node of each node."""
        length = _milliseconds(self._store.until - self._store.since)
        query = f"sum by (cluster, node) (count_over_time({self._store.selector} [{length}ms]))"
        found = self._store.client.numbers_at(query, _nanoseconds(self._store.until))
        return sorted((each.metric for each in found), key=lambda labels: sorted(labels.items()))

    def kinds(self, labels: Mapping[str, str], node: NodeCoverage) -> tuple[Kinds, int]:
        """A node's kinds, and how many events are not what the policy writes."""
        boundary = node.first + (node.last - node.first) * FITTED_SHARE
        parts = (
            _Part(labels, node.first - _MILLISECOND, boundary - _MILLISECOND, False),
            _Part(labels, boundary - _MILLISECOND, node.last + _MILLISECOND, True),
        )
        kinds, disagreeing = Kinds(), 0
        for part in parts:
            sums = self._sums(part)
            for key, amount in sorted(sums.amounts.items()):
                kind, sample, agrees = self._kind(dict(key), sums.special.get(_without_namespace(key), set()))
                kinds.add(kind, amount, sample, tried=part.tried)
                disagreeing += 0 if agrees else amount.events
        return kinds, disagreeing

    def _sums(self, part: _Part) -> _Sums:
        sums = _Sums()
        for users, of_nodes in ((f'| user=~"{_NODE_USERS}"', True), (f'| user!~"{_NODE_USERS}"', False)):
            by = tuple(label for label in _KEY if not (of_nodes and label == "user"))
            fixed = {"user": f"system:node:{OTHER}"} if of_nodes else {}
            for namespaces, place in self._places():
                labels = (*by, *(() if place else ("namespace",)))
                for name, function in (("events", "count_over_time"), ("bytes", "bytes_over_time")):
                    for key, value in self._totals(part, f"{users} {namespaces}", labels, function):
                        amount = sums.amounts.setdefault(_key({**key, **fixed, **place}), Amount())
                        # Loki counts a line without its newline.
                        amount.events += value if name == "events" else 0
                        amount.bytes += value
            for number, (special, _) in enumerate(_SPECIAL):
                for key, _ in self._totals(part, special, by, "count_over_time", users):
                    sums.special.setdefault(_key({**key, **fixed}), set()).add(number)
        return sums

    def _places(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Namespaces that a rule or a detection names, one by one, and all others together."""
        named = [name for name in self._namespaces if name]
        yield f"| namespace=~`{'|'.join(named)}`", {}
        empty = "" in self._namespaces
        if empty:
            yield '| namespace=""', {"namespace": ""}
        rest = f"| namespace!~`{'|'.join(named)}`" + (' | namespace!=""' if empty else "")
        yield rest, {"namespace": OTHER}

    def _totals(
        self, part: _Part, filters: str, by: Sequence[str], function: str, more: str = ""
    ) -> Iterator[tuple[dict[str, str], int]]:
        """The sums by labels, week by week."""
        until = part.until
        while until > part.after:
            since = max(part.after, until - CHUNK)
            for series in self._series(part, f"{filters} {more}", by, function, (since, until), _SPLIT):
                yield series.metric, round(float(series.value[1])) if series.value else 0
            until = since

    def _series(
        self,
        part: _Part,
        filters: str,
        by: Sequence[str],
        function: str,
        time: tuple[datetime, datetime],
        split: Sequence[str],
    ) -> list[Series]:
        try:
            return self._ask(part, filters, by, function, time)
        except LokiError as problem:
            labels = [label for label in split if label in by]
            if _TOO_MANY not in str(problem) or not labels:
                raise
        label, rest = labels[0], labels[1:]
        values = [each.metric.get(label, "") for each in self._ask(part, filters, (label,), "count_over_time", time)]
        found = []
        for value in sorted(values):
            narrower = f"{filters} | {label}={json.dumps(value, ensure_ascii=False)}"
            found += self._series(part, narrower, by, function, time, rest)
        return found

    def _ask(
        self, part: _Part, filters: str, by: Sequence[str], function: str, time: tuple[datetime, datetime]
    ) -> list[Series]:
        labels = "".join(f", {name}={json.dumps(value)}" for name, value in sorted(part.labels.items()))
        selector = f"{self._store.selector[:-1]}{labels}}}"
        query = f"sum by ({', '.join(by)}) ({function}({selector} {filters} [{_milliseconds(time[1] - time[0])}ms]))"
        return self._store.client.numbers_at(query, _nanoseconds(time[1]))

    def _kind(self, labels: Mapping[str, str], special: set[int]) -> tuple[Kind, Sample, bool]:
        """The kind of a combination, and whether the policy writes it as it is."""
        event = _event(labels, {})
        marks: dict[Mark, None] = dict.fromkeys(self._marks(event))
        for number in sorted(special):
            marks |= dict.fromkeys(self._marks(_event(labels, _SPECIAL[number][1])))
        request, decision = self._request(event)
        kind = Kind(
            caller_of(event.user.username, event.user.groups),
            event.verb,
            request.api_group,
            request.resource,
            request.subresource,
            Level(event.level),
            Stage(event.stage),
            decision.rule_index,
            tuple(marks),
        )
        agrees = decision.level == event.level and event.stage not in decision.omit_stages
        return kind, Sample("", request), agrees

    def _request(self, event: Event) -> tuple[Request, Decision]:
        """The request as far as Loki knows it. Of its URL only what its level tells is known."""
        reference = event.object_ref
        if reference is None:
            paths = (OTHER, *(url.rstrip("*") for rule in self._policy.rules for url in rule.non_resource_urls))
            requests = [_url_request(event, path) for path in paths]
            fitting = (each for each in requests if self._decide(each).level == event.level)
            request = next(fitting, requests[0])
        else:
            request = Request(
                event.user.username or None,
                event.user.groups,
                event.verb,
                api_group=reference.api_group,
                resource=reference.resource,
                subresource=reference.subresource,
                namespace=reference.namespace,
                name=OTHER,
            )
        return request, self._decide(request)


def _event(labels: Mapping[str, str], more: Mapping[str, object]) -> Event:
    """An event with these labels, whose times say nothing."""
    user = labels.get("user", "")
    groups = _groups(labels.get("groups", ""), user)
    resource = labels.get("resource", "")
    code = labels.get("code", "")
    return Event(
        level=Level(labels["level"]).value,
        audit_id="",
        stage=Stage(labels["stage"]).value,
        stage_timestamp=_A_TIME,
        request_received_timestamp=_A_TIME,
        verb=labels.get("verb", ""),
        user=User(user, groups),
        object_ref=ObjectReference(
            resource,
            labels.get("namespace", ""),
            OTHER,
            labels.get("apiGroup", ""),
            subresource=labels.get("subresource", ""),
        )
        if resource
        else None,
        response_status=ResponseStatus(int(code) if code.isdecimal() else 0),
        **more,  # type: ignore[arg-type]
    )


def _url_request(event: Event, path: str) -> Request:
    return Request(event.user.username or None, event.user.groups, event.verb, resource_request=False, path=path)


def _groups(text: str, user: str) -> tuple[str, ...]:
    """The groups as the shipper wrote them; those that a user has by its name where it wrote none."""
    try:
        found = json.loads(text) if text else None
    except json.JSONDecodeError:
        found = None
    return tuple(map(str, found)) if isinstance(found, list) else groups_of(user) if user else ()


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def _without_namespace(key: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(each for each in key if each[0] != "namespace")


def _names_objects(policy: Policy) -> bool:
    return any(entry.resource_names for rule in policy.rules for entry in rule.resources)


def _milliseconds(length: timedelta) -> int:
    return max(1, round(length / _MILLISECOND))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
