"""*Who did it*: search the audit log by user, verb, object and outcome, and read one event in full."""

from __future__ import annotations

from auditlog.observe.dashboards import panels, variables
from auditlog.observe.dashboards.layout import Section, render
from auditlog.observe.dashboards.queries import who as queries
from auditlog.observe.dashboards.rendered import RenderedDashboard
from auditlog.observe.dashboards.thresholds import ANY

_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_RESOURCES = (
    "pods",
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "services",
    "ingresses",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "customresourcedefinitions",
)
_CODES = {"succeeded": "[123]..", "refused (401, 403)": "401|403", "failed (4xx)": "4..", "server error (5xx)": "5.."}

_NOTHING = (
    "Nothing here can mean that nobody did it, that the policy does not record it "
    "(`python -m auditlog explain`), or that events are missing (dashboard *Pipeline*)."
)


def who_dashboard() -> RenderedDashboard:
    """Builds the dashboard."""
    return render(
        "who",
        "Kubernetes audit / Who did it",
        "Who sent which request to the API server, when and from where.",
        [
            variables.loki(),
            variables.cluster(),
            variables.text("user", "User", "Part of a user name, as a regular expression; ^alice$ is exactly alice"),
            variables.choice("verb", "Verb", "What was done", {verb: verb for verb in _VERBS}),
            variables.choice("resource", "Resource", "Type others as well", {name: name for name in _RESOURCES}),
            variables.text("namespace", "Namespace", "Part of it, as a regular expression"),
            variables.text("name", "Name", "Part of the object's name, as a regular expression"),
            variables.choice("code", "Code", "How it ended, or an HTTP status", _CODES),
            variables.text("auditID", "Audit ID", "The one event that is shown in full; click one in the table"),
        ],
        [_search(), _event(), _deletions()],
        since="now-6h",
    )


def _search() -> Section:
    return Section(
        "Search",
        (
            panels.number(
                "Requests",
                "Requests that the search finds. Too many to read: narrow it by name or user. " + _NOTHING,
                "short",
                panels.loki_instant(queries.MATCHES_TOTAL),
            ),
            panels.number(
                "Refused",
                "How many of them were answered with 401 or 403. Many from one user: a missing right, or somebody "
                "who tries doors; see *Security*.",
                "short",
                panels.loki_instant(queries.REFUSED_TOTAL),
                ANY,
            ),
            panels.number(
                "Users",
                "Different users among them. More than you expect: look at *By user* for who does not belong here.",
                "short",
                panels.loki_instant(queries.USERS_TOTAL),
            ),
            panels.number(
                "Source addresses",
                "Different addresses they came from. One user from many addresses: the credential may be shared or "
                "stolen; compare with *New source addresses* in *Security*.",
                "short",
                panels.loki_instant(queries.ADDRESSES_TOTAL),
            ),
            panels.graph(
                "Requests over time",
                "What the search finds, by verb. Drag over a burst to see only that time. " + _NOTHING,
                "short",
                panels.loki_range(queries.BY_VERB, "{{verb}}"),
                width=panels.FULL,
            ),
            panels.event_table(
                "Who, what, when, where",
                "The latest 1000 events that the search finds. Click an audit ID to read the whole event below, a "
                "user or a name to search for it. *Changed* is filled where annotations are on. " + _NOTHING,
                queries.MATCHES_WITH_CHANGES,
                more={"changed": "Changed"},
                height=14,
            ),
            panels.ranking(
                "By user",
                "Who sent them. An unexpected service account: find its pod by the source address.",
                "short",
                panels.loki_instant(queries.BY_USER),
                {"cluster": "Cluster", "user": "User"},
                "Events",
            ),
            panels.ranking(
                "By object",
                "What they were about. A row without a name stands for creations, lists and whole collections.",
                "short",
                panels.loki_instant(queries.BY_OBJECT),
                {"cluster": "Cluster", "resource": "Resource", "namespace": "Namespace", "name": "Name"},
                "Events",
            ),
        ),
    )


def _event() -> Section:
    return Section(
        "One event",
        (
            panels.event_lines(
                "Event",
                "The events with the chosen audit ID, whole. Bodies are there only where the policy keeps them at "
                "level Request or RequestResponse; empty: choose an audit ID in the table above, or widen the time.",
                queries.ONE_EVENT,
                height=16,
            ),
        ),
    )


def _deletions() -> Section:
    return Section(
        "Deletions, whatever is searched for",
        (
            panels.ranking(
                "Deletions by user",
                "Who deleted what kind of object. A person where only a controller should delete: ask them, and see "
                "*Latest deletions* for the names.",
                "short",
                panels.loki_instant(queries.DELETIONS_BY_USER),
                {"cluster": "Cluster", "user": "User", "resource": "Resource", "namespace": "Namespace"},
                "Deletions",
                width=panels.FULL,
            ),
            panels.event_table(
                "Latest deletions",
                "A deletecollection names no object: it may have deleted any of its namespace. Something is gone and "
                "not in here: the policy may drop it, or it was deleted by a controller for its owner.",
                queries.DELETIONS,
            ),
        ),
    )
