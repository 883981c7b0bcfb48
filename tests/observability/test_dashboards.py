"""Every query of every dashboard, taken from the generated JSON and run against real Loki and real Prometheus.

`EXPECTED` says of each panel what must be there after `dashboard_activity.act`. A panel that is not in it fails, and so
does an expectation without a panel. Loki has events of another cluster too, which are not to be seen where one cluster
is chosen.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditlog.cli import main as auditlog
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from lab.api import Lab
from lab.observability.stack import Observability
from lab.stack import CLUSTER, PulumiStack
from tests.grafana import Query, State, built_in, fill, initial_state, queries
from tests.observability import dashboard_activity
from tests.observability.dashboard_activity import ANONYMOUS_ROLE, GONE, IMPERSONATED, SECRET, SERVICE_ACCOUNT, WEBHOOK
from tests.observability.given_events import push
from tests.observability.shipping import NAMESPACE, cleared, eventually
from tests.unit.detections.examples import FIRES

ADMIN, ALICE = "kubernetes-admin", "alice@example.com"
STEP = 15
GENERATED = all_dashboards(DashboardOptions())
DASHBOARDS = {each.uid.removeprefix("kubernetes-audit-"): json.loads(each.json) for each in GENERATED}
QUERIES = [(name, query) for name, dashboard in DASHBOARDS.items() for query in queries(dashboard)]


@dataclass(frozen=True)
class Row:
    """One line or one series of an answer; ``value`` is the largest number of a series."""

    labels: Mapping[str, str]
    value: float = 0
    line: str = ""


@dataclass(frozen=True)
class Expect:
    """At least one row has these labels (as whole regular expressions), this text, and is over this value.

    With ``quiet`` instead, the answer has no row over 0: what the panel warns of did not happen. With ``below``, every
    row is below it, if there is one.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    over: float = 0
    quiet: bool = False
    below: float | None = None

    def met_by(self, rows: list[Row], is_log_query: bool) -> bool:
        if self.below is not None:
            return all(row.value < self.below for row in rows)
        if self.quiet:
            return all(row.value == 0 and not row.line for row in rows)
        return any(
            (is_log_query or row.value > self.over)
            and self.text in row.line
            and all(re.fullmatch(value, row.labels.get(name, "")) for name, value in self.labels.items())
            for row in rows
        )


def seen(text: str = "", over: float = 0, **labels: str) -> Expect:
    return Expect(labels, text, over)


QUIET = Expect(quiet=True)

EXPECTED: dict[tuple[str, str], Expect] = {
    ("who", "variable cluster"): seen(value=CLUSTER),
    ("who", "variable node"): seen(value="cp1"),
    ("who", "Requests"): seen(over=100),
    ("who", "Refused"): seen(over=1),
    ("who", "Users"): seen(user=re.escape(ALICE)),
    ("who", "Source addresses"): seen(sourceIP=".+"),
    ("who", "Requests over time"): seen(verb="delete"),
    ("who", "Who, what, when, where"): seen(user=re.escape(ADMIN), verb="delete", resource="namespaces", code="200"),
    ("who", "By user"): seen(user=re.escape(ALICE), cluster=CLUSTER),
    ("who", "By object"): seen(resource="configmaps", namespace="default", name=GONE),
    ("who", "Event"): seen(text='"verb":"delete"', name=GONE),
    ("who", "Deletions by user"): seen(user=re.escape(ALICE), resource="configmaps", namespace="default"),
    ("who", "Latest deletions"): seen(user=re.escape(ALICE), name=GONE),
    ("security", "variable cluster"): seen(value=CLUSTER),
    ("security", "annotation API server started"): seen(instance=".+:6443", over=-1),
    ("security", "annotation Policy changed"): seen(annotation_kubernetes_audit_policy_sha256="[0-9a-f]{64}"),
    ("security", "annotation Deployment rolled out"): seen(replicaset="coredns-.+", namespace="kube-system", over=-1),
    ("security", "Refused"): seen(over=1),
    ("security", "Reached without identity"): seen(),
    ("security", "Impersonated"): seen(),
    ("security", "Secrets read by people"): seen(),
    ("security", "Sessions in pods"): seen(),
    ("security", "cluster-admin bound"): seen(),
    ("security", "RBAC changes"): seen(over=2),
    ("security", "Admission changes"): seen(over=1),
    ("security", "Refused over time"): seen(code="403"),
    ("security", "Refused by user"): seen(user=re.escape(ALICE), resource="secrets", code="403"),
    ("security", "Anonymous over time"): seen(code="403"),
    ("security", "Reached anonymously"): seen(text='"requestURI":"/metrics"', user="system:anonymous", code="200"),
    ("security", "Who acts as whom"): seen(user=re.escape(ADMIN), impersonated=re.escape(IMPERSONATED)),
    ("security", "Impersonated requests"): seen(impersonated=re.escape(IMPERSONATED), resource="pods"),
    ("security", "Secrets read by people over time"): seen(verb="get"),
    ("security", "Who reads which Secret"): seen(user=re.escape(ADMIN), name=SECRET, verb="get"),
    ("security", "Ways into pods and nodes"): seen(user=re.escape(ADMIN), subresource="exec", verb="get|create"),
    ("security", "RBAC changes in detail"): seen(verb="create", role="cluster-admin", subjects=".*mallory.*"),
    ("security", "RBAC changes with bodies"): seen(text='"requestObject"', name=ANONYMOUS_ROLE),
    ("security", "Webhook and admission changes"): seen(name=WEBHOOK, verb="create|patch"),
    ("security", "Token requests"): seen(user=re.escape(ADMIN), name=SERVICE_ACCOUNT),
    ("security", "New source addresses"): seen(caller="system:anonymous", network="2001:db8::/32"),
    ("volume", "variable cluster"): seen(value=CLUSTER),
    ("volume", "annotation API server started"): seen(instance=".+:6443", over=-1),
    ("volume", "annotation Policy changed"): seen(annotation_kubernetes_audit_policy_sha256="[0-9a-f]{64}"),
    ("volume", "annotation Deployment rolled out"): seen(replicaset="coredns-.+", namespace="kube-system", over=-1),
    ("volume", "Events per second"): seen(over=0.01),
    ("volume", "Bytes per day"): seen(over=100_000),
    ("volume", "Bytes per event"): seen(over=300),
    ("volume", "Cost of 30 days"): seen(),
    ("volume", "Events by level"): seen(level="RequestResponse"),
    ("volume", "Bytes by level"): seen(level="Metadata", over=10),
    ("volume", "Events by verb"): seen(verb="create"),
    ("volume", "Requests by code"): seen(code="200"),
    ("volume", "Largest users"): seen(caller="people"),
    ("volume", "Largest namespaces"): seen(namespace="kube-system"),
    ("volume", "Largest resources"): seen(resource=".+"),
    ("volume", "Largest agents"): seen(userAgent="kubectl/.*"),
    ("volume", "Top talkers"): seen(cluster=CLUSTER, user=".+", userAgent=".+", verb=".+", bytes="[0-9]+"),
    ("volume", "Bytes per day by node"): seen(over=100_000, cluster=CLUSTER, node="cp1"),
    ("volume", "Days of log on the node"): seen(cluster=CLUSTER, node="cp1"),
    ("volume", "Days of disk left"): seen(mountpoint="/", over=1),
    ("volume", "Disk used"): seen(mountpoint="/", over=0.001),
    ("volume", "Share of requests recorded"): seen(over=0.1),
    ("volume", "Deprecated APIs"): seen(resource="componentstatuses", user=re.escape(ADMIN)),
    ("volume", "Slow requests"): seen(resource="configmaps", latency=".+s"),
    ("pipeline", "variable cluster"): seen(value=CLUSTER),
    ("pipeline", "annotation API server started"): seen(instance=".+:6443", over=-1),
    ("pipeline", "annotation Policy changed"): seen(annotation_kubernetes_audit_policy_sha256="[0-9a-f]{64}"),
    ("pipeline", "annotation Deployment rolled out"): seen(replicaset="coredns-.+", namespace="kube-system", over=-1),
    ("pipeline", "variable node"): seen(value="cp1"),
    ("pipeline", "Age of the newest event"): seen(over=-5, cluster=CLUSTER, node="cp1"),
    ("pipeline", "Silent nodes"): QUIET,
    ("pipeline", "Events by node"): seen(cluster=CLUSTER, node="cp1"),
    ("pipeline", "Behind the log"): Expect(below=300),
    ("pipeline", "Events recorded"): seen(instance=".+:6443", over=0.01),
    ("pipeline", "Audit errors"): QUIET,
    ("pipeline", "Requests refused for audit"): seen(instance=".+:6443", over=-1),
    ("pipeline", "Shipped"): seen(instance=".+", over=0.01),
    ("pipeline", "Dropped by Alloy"): seen(reason="line_too_long", over=-1),
    ("pipeline", "Sent again"): seen(instance=".+", over=-1),
    ("pipeline", "Time to deliver, 99th percentile"): seen(instance=".+"),
    ("pipeline", "Left out on purpose"): QUIET,
    ("pipeline", "Discarded by Loki"): seen(reason="line_too_long"),
    ("pipeline", "Policy by node"): seen(
        pod="kube-apiserver-cp1", annotation_kubernetes_audit_policy_sha256="[0-9a-f]{64}"
    ),
    ("pipeline", "Levels by API server"): seen(level="None"),
}


@dataclass(frozen=True)
class Recorded:
    """When the activity began, in seconds since 1970, and the event that *Who did it* shows in full."""

    started: float
    audit_id: str


@pytest.fixture(scope="module")
def recorded(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recorded]:
    """A stack that ships to Loki, everything done once, and seen in Loki and Prometheus."""
    folder = tmp_path_factory.mktemp("dashboards")
    policy = folder / "policy.yaml"
    policy.write_text(dashboard_activity.POLICY)
    with cleared(lab):
        started = time.time()
        dashboards = {"mode": "configmap", "namespace": "default"}
        observability.configure(stack, policy={"file": str(policy)}, dashboards=dashboards)
        stack.run("up", "--yes", "--skip-preview")
        observability.find_alloy(NAMESPACE)
        with dashboard_activity.stand_ins(lab, observability):
            dashboard_activity.push_too_long_a_line(observability)
            time.sleep(2 * STEP)  # a counter that begins at 1 has no increase: scrape it before the next
            dashboard_activity.push_too_long_a_line(observability)
            push(observability.loki.url, FIRES["exec-session"][0])
            dashboard_activity.act(lab, folder)
            yield Recorded(started, _audit_id(observability, started))


def test_the_sidecar_finds_every_dashboard_as_it_was_generated(lab: Lab, recorded: Recorded) -> None:  # noqa: ARG001
    found = json.loads(lab.kubectl("get", "configmaps", "-l", "grafana_dashboard=1", "-o", "json"))["items"]
    assert {each["metadata"]["name"]: each["data"] for each in found} == {
        each.uid: {each.file_name: each.json} for each in GENERATED
    }
    assert {each["metadata"]["annotations"]["grafana_folder"] for each in found} == {"Kubernetes audit"}


@pytest.mark.parametrize("chosen", ["all clusters", "one cluster"])
@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[f"{name}: {query.owner}" for name, query in QUERIES])
def test_a_query_finds_what_was_done(
    observability: Observability, recorded: Recorded, name: str, query: Query, chosen: str
) -> None:
    expected = EXPECTED[name, query.owner]
    one = {"cluster": (CLUSTER,)} if chosen == "one cluster" else {}
    rows = eventually(
        lambda: _ask(observability, name, query, recorded, one),
        lambda found: expected.met_by(found, query.is_log_query),
        0 if expected.quiet else 60,
    )
    assert expected.met_by(rows, query.is_log_query), (query.text, rows[:20])
    if one:
        assert {row.labels.get("cluster", CLUSTER) for row in rows} <= {CLUSTER}


def test_every_expectation_has_its_panel() -> None:
    assert EXPECTED.keys() == {(name, query.owner) for name, query in QUERIES}


def test_a_question_is_answered_from_loki_as_from_the_node(
    lab: Lab, recorded: Recorded, observability: Observability, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    log.write_text(lab.nodes[0].run("cat /var/log/kubernetes/audit/audit.log").stdout)
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=5)
    since = datetime.fromtimestamp(int(recorded.started), UTC)
    time_range = ["--since", since.isoformat(), "--until", until.isoformat(), "--json"]
    for question in (
        ["who", "--verb", "delete", "--name", GONE],
        ["who", "--user", IMPERSONATED],
        ["anonymous"],
        ["escalations"],
        ["secrets"],
        ["deprecated"],
    ):
        answers = []
        for source in ([f"cp1={log}"], ["--loki", observability.loki.url]):
            auditlog([*question, *time_range, *source])
            answer = json.loads(capsys.readouterr().out.replace("lab/cp1", "cp1"))["answer"]
            assert answer.pop("coverage")["nodes"]
            answers.append(answer)
        assert answers[0] == answers[1], question


def test_nothing_is_left_after_removal(lab: Lab, stack: PulumiStack, recorded: Recorded) -> None:  # noqa: ARG001
    stack.run("destroy", "--yes", "--skip-preview")
    assert json.loads(lab.kubectl("get", "configmaps", "-l", "grafana_dashboard=1", "-o", "json"))["items"] == []


def test_all_clusters_can_be_chosen_from(observability: Observability, recorded: Recorded) -> None:
    (variable,) = (query for name, query in QUERIES if (name, query.owner) == ("who", "variable cluster"))
    offered = {row.labels["value"] for row in _ask(observability, "who", variable, recorded, {})}
    assert CLUSTER in offered
    assert len(offered) > 1


def _ask(observability: Observability, name: str, query: Query, recorded: Recorded, chosen: State) -> list[Row]:
    now = time.time()
    window = int(now - recorded.started)
    state = {**initial_state(DASHBOARDS[name]), **({"auditID": recorded.audit_id} if name == "who" else {}), **chosen}
    text = fill(query, DASHBOARDS[name], state, built_in(query, window=window, step=STEP, scrape=5))
    if query.kind == "label":
        label = query.owner.removeprefix("variable ")
        found = _get(f"{observability.loki.url}/loki/api/v1/label/{label}/values", {"query": text})
        return [Row({"value": value}, 1) for value in found]
    service = observability.loki.url + "/loki" if query.datasource == "loki" else observability.prometheus.url
    if query.kind == "instant":
        answer = _get(f"{service}/api/v1/query", {"query": text, "time": f"{now:.3f}"})
    else:
        parameters = {"query": text, "start": f"{recorded.started:.3f}", "end": f"{now:.3f}"}
        more = {"limit": "1000", "direction": "backward"} if query.is_log_query else {"step": str(STEP)}
        answer = _get(f"{service}/api/v1/query_range", {**parameters, **more})
    return list(_rows(answer))


def _rows(answer: Mapping[str, Any]) -> Iterator[Row]:
    for each in answer["result"]:
        if answer["resultType"] == "streams":
            yield from (Row(each["stream"], line=line) for _, line in each["values"])
        elif answer["resultType"] == "vector":
            yield Row(each["metric"], float(each["value"][1]))
        else:
            yield Row(each["metric"], max(float(value) for _, value in each["values"]))


def _audit_id(observability: Observability, started: float) -> str:
    """The audit ID of alice's deletion, once Loki has it."""
    query = f'{{job="kubernetes-audit"}} | verb="delete" | name="{GONE}" | stage="ResponseComplete"'

    def read() -> list[Row]:
        parameters = {"query": query, "start": f"{started:.3f}", "end": f"{time.time():.3f}"}
        return list(_rows(_get(f"{observability.loki.url}/loki/api/v1/query_range", parameters)))

    return eventually(read, bool)[0].labels["auditID"]


def _get(url: str, parameters: Mapping[str, str]) -> Any:
    try:
        with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:  # noqa: S310
            return json.load(answer)["data"]
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise AssertionError(f"{parameters}: {refusal.read().decode(errors='replace')}") from refusal
