"""Every option of every variable of every dashboard, sent to real Loki as Grafana sends it. No lab is needed.

What a search must find is worked out from the events themselves. What rankings and numbers must say is counted there.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.dashboards.addresses import TYPED
from auditlog.observe.dashboards.queries import security
from lab.observability import loki_api
from tests.grafana import ALL, Query, State, built_in, fill, initial_state, link, opened, panels, queries, variables
from tests.observability.given_events import metadata, push_lines
from tests.observability.pipeline import running
from tests.unit.detections.events import Example

E = Example
WINDOW, STEP = 900, 15
DASHBOARDS = {
    each.uid.removeprefix("kubernetes-audit-"): json.loads(each.json) for each in all_dashboards(DashboardOptions())
}
CLUSTERS = {"a.b": "cp1", "azb": "cp2"}
"""Two clusters, of which one is a regular expression for the other, and a node of each."""
STRANGE = ("alice+ops@example.com", "a&b=c#d%20e", "CORP\\bob.x", "o'hara (x|y)", "100%", "ünï ^$*?")
"""Names that a URL, a regular expression or a query would take for something else."""
NOBODY = "-"
STARTED = "ResponseStarted"

EXAMPLES = (
    *(E(f"{NOBODY} list pods default/", code=401, stage=STARTED) for _ in range(3)),
    E("bob[dev] list secrets default/", code=403, times=2),
    E("bob[dev] watch secrets default/", code=403, stage=STARTED, audit_id="refused-watch"),
    E("bob[dev] watch secrets default/", code=403, audit_id="refused-watch"),
    E("bob[dev] get pods/exec default/web", code=101, stage=STARTED, audit_id="open-session"),
    E("bob[dev] create pods/exec default/db", code=101, stage=STARTED, audit_id="closed-session"),
    E("bob[dev] create pods/exec default/db", code=101, audit_id="closed-session"),
    E("carol[ops] watch secrets default/", stage=STARTED, audit_id="open-watch"),
    E("carol[ops] get secrets default/a", times=2),
    E("carol[ops] delete configmaps default/a"),
    E("carol[ops] create configmaps default/b", code=201),
    E("carol[ops] get configmaps default/none", code=404),
    E("carol[ops] get configmaps default/slow", code=504),
    E("system:node:w1[system:nodes] patch nodes/status w1"),
    E("carol[ops] get namespaces default"),
)


@dataclass(frozen=True)
class Given:
    """An event that Loki has: its labels and fields."""

    cluster: str
    node: str
    fields: Mapping[str, str]

    def field(self, name: str) -> str:
        return {"cluster": self.cluster, "node": self.node}.get(name) or self.fields.get(name, "")


@dataclass(frozen=True)
class Store:
    url: str
    events: tuple[Given, ...]

    def ask(self, query: Query, name: str, state: State) -> list[dict[str, Any]]:
        """What Loki gives for a metric query."""
        text = fill(query, DASHBOARDS[name], state, built_in(query, window=WINDOW, step=STEP))
        return loki_api.instant(self.url, text, time.time_ns())

    def lines(self, query: Query, name: str, state: State) -> list[loki_api.Entry]:
        """What Loki gives for a log query."""
        text = fill(query, DASHBOARDS[name], state, built_in(query, window=WINDOW, step=STEP))
        now = time.time_ns()
        return list(loki_api.entries(self.url, text, now - WINDOW * 10**9, now))


def _lines(cluster: str) -> Iterator[tuple[float, str]]:
    """The examples, each with an audit ID and a time of its own, and a request by every strange name."""
    number = count()
    moment = time.time() - 300
    for example in EXAMPLES:
        for _, line in example.lines(moment):
            event = json.loads(line)
            if not example.audit_id:
                event["auditID"] = f"{cluster}-{next(number)}"
            yield moment + next(number), json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    for name in STRANGE:
        for verb in ("get", "delete"):
            event = json.loads(E(f"x[dev] {verb} configmaps default/x").lines()[0][1])
            event["user"]["username"] = event["objectRef"]["name"] = name
            event["auditID"] = f"{cluster}-{next(number)}"
            yield moment + next(number), json.dumps(event, separators=(",", ":"), ensure_ascii=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Loki with the same events in two clusters."""
    with running(tmp_path_factory.mktemp("filters")) as pipeline:
        given = []
        for cluster, node in CLUSTERS.items():
            lines = list(_lines(cluster))
            push_lines(pipeline.loki_url, cluster, node, lines)
            given += [Given(cluster, node, metadata(line)) for _, line in lines]
        yield Store(pipeline.loki_url, tuple(given))


def wanted(state: State) -> Callable[[Given], bool]:
    """The events that a search is for."""
    known = variables(DASHBOARDS["who"])

    def fits(event: Given) -> bool:
        for name, chosen in state.items():
            if name == "auditID" or chosen in (ALL, (ALL,)):
                continue
            values = (chosen,) if isinstance(chosen, str) else chosen
            if name in TYPED:
                pattern = "|".join(re.sub(r"\\Q(.*?)\\E", lambda match: re.escape(match[1]), each) for each in values)
                if not re.search(pattern, event.field(name)):
                    return False
            elif name == "code":
                if not re.fullmatch("|".join(values), event.field("code")):
                    return False
            elif event.field(name) not in values:
                return False
        return True

    assert known.keys() >= state.keys()
    return fits


def _selections() -> Iterator[tuple[str, Any]]:
    for name, variable in variables(DASHBOARDS["who"]).items():
        yield from ((name, selection) for selection in variable.selections())
    yield "cluster", ("a.b",)
    yield "cluster", ("azb",)
    yield "cluster", tuple(CLUSTERS)
    yield "node", ("cp2",)
    yield "resource", ("secrets", "configmaps")
    yield "code", ("404",)
    yield "namespace", "^default$"
    yield "subresource", "exec"
    yield "sourceIP", "203[.]0"
    yield "groups", "ops"
    yield "userAgent", "(?i)KUBECTL"


@pytest.mark.parametrize(("name", "selection"), list(_selections()), ids=lambda each: str(each)[:40])
def test_a_search_finds_what_was_chosen_and_nothing_else(store: Store, name: str, selection: Any) -> None:
    state = {**initial_state(DASHBOARDS["who"]), name: selection}
    expected = {(each.cluster, each.fields["auditID"]) for each in filter(wanted(state), store.events)}
    (query,) = (each for each in queries(DASHBOARDS["who"]) if each.owner == "Who, what, when, where")
    found = {(each.labels["cluster"], each.metadata["auditID"]) for each in store.lines(query, "who", state)}
    assert found == expected
    if name in ("code", "verb", "cluster") and selection != "":
        assert expected or selection in (("5..",), ("list",), ("update",), ("patch",), ("deletecollection",))


def _every_query() -> Iterator[tuple[str, Query, State]]:
    for name, dashboard in DASHBOARDS.items():
        initial = initial_state(dashboard)
        for query in queries(dashboard):
            if query.datasource != "loki" or query.kind == "label":
                continue
            for variable in variables(dashboard).values():
                if f"{variable.name}" in query.text:
                    for selection in variable.selections():
                        yield name, query, {**initial, variable.name: selection}


def test_every_query_runs_with_every_option(store: Store) -> None:
    asked = 0
    for name, query, state in _every_query():
        (store.lines if query.is_log_query else store.ask)(query, name, state)
        asked += 1
    assert asked > 200


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("column", ["Who", "Name"])
def test_a_click_on_a_name_finds_that_name_alone(store: Store, name: str, column: str) -> None:
    dashboard = DASHBOARDS["who"]
    (panel,) = (each for each in panels(dashboard) if each["title"] == "Who, what, when, where")
    (override,) = (each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == column)
    (url,) = (each["value"][0]["url"] for each in override["properties"] if each["id"] == "links")
    row = {"Who": name, "Name": name, "Resource": "configmaps", "Namespace": "default", "Cluster": "a.b"}
    # What somebody searched for before must not narrow the new search.
    before = {**initial_state(dashboard), "verb": ("watch",), "user": "nobody"}
    state = opened(link(url, dashboard, before, row, column), dashboard)
    (query,) = (each for each in queries(dashboard) if each.owner == "Who, what, when, where")
    found = [
        (each.labels["cluster"], each.metadata["user"], each.metadata["verb"])
        for each in store.lines(query, "who", state)
    ]
    assert sorted(found) == [("a.b", name, "delete"), ("a.b", name, "get")]


def _number(store: Store, dashboard: str, title: str, cluster: str = "a.b") -> float:
    (query,) = (each for each in queries(DASHBOARDS[dashboard]) if each.owner == title)
    state = {**initial_state(DASHBOARDS[dashboard]), "cluster": (cluster,)}
    (sample,) = store.ask(query, dashboard, state)
    return float(sample["value"][1])


def test_what_was_refused_is_counted_once_failed_authentication_too(store: Store) -> None:
    assert _number(store, "security", "Refused") == 3 + 2 + 1
    assert _number(store, "who", "Refused") == 3 + 2 + 1


def test_sessions_and_watches_count_from_when_they_are_opened(store: Store) -> None:
    assert _number(store, "security", "Sessions in pods") == 2
    assert _number(store, "security", "Secrets read by people") == 1 + 2 + 3


def test_each_request_counts_once(store: Store) -> None:
    audit_ids = {each.fields["auditID"] for each in store.events if each.cluster == "a.b"}
    assert _number(store, "who", "Requests") == len(audit_ids)


def test_without_an_audit_id_nothing_is_read_and_with_one_the_event_is_there(store: Store) -> None:
    (query,) = (each for each in queries(DASHBOARDS["who"]) if each.owner == "Event")
    state = initial_state(DASHBOARDS["who"])
    assert store.lines(query, "who", state) == []
    found = store.lines(query, "who", {**state, "auditID": "open-session"})
    assert {each.metadata["auditID"] for each in found} == {"open-session"}


def test_bindings_of_cluster_admin_count_if_they_were_made(store: Store) -> None:
    cluster = "bindings"
    body = {"roleRef": {"name": "cluster-admin"}}
    made = E("eve[dev] create clusterrolebindings.rbac.authorization.k8s.io b", code=201, body=body, answer=body)
    lines = []
    for number, example in enumerate(
        (
            made,
            E(made.phrase, code=403, body=body),
            E(made.phrase, code=201, body=body, answer=body, query="?dryRun=All"),
        )
    ):
        lines += example.lines(time.time() - 60 + number)
    push_lines(store.url, cluster, "cp1", lines)
    assert _number(store, "security", "cluster-admin bound", cluster) == 1
    assert "dryRun" in security.ADMIN_TOTAL
