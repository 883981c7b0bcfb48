"""*Who did it*: search the audit log by user, verb, object and outcome, and read one event in full."""

from __future__ import annotations

from auditlog.observe.dashboards import links, panels, variables
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
"""Regular expressions, which the queries take as they are."""

_NEWEST = f"{panels.COUNTED_LINES} newest events"
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
            variables.text("sourceIP", "From", "Part of the source address, as a regular expression"),
            variables.text("subresource", "Subresource", "Such as exec, log or token; a regular expression"),
            variables.text("groups", "Group", "Part of one of the user's groups, as a regular expression"),
            variables.text("userAgent", "Agent", "Part of the user agent, as a regular expression"),
            variables.node(),
            variables.text("auditID", "Audit ID", "The one event that is shown in full; click one in the table"),
            variables.further_filters(),
        ],
        [_search(), _event(), _deletions()],
        since="now-1h",
    )


def _search() -> Section:
    return Section("Search", (*_how_many(), *_what_was_found()))


def _how_many() -> tuple[panels.Panel, ...]:
    return (
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
        panels.different(
            "Users",
            f"Different users among them, of the {_NEWEST}. More than you expect: look at *By user* for who does "
            "not belong here.",
            queries.NEWEST_USERS,
            "user",
        ),
        panels.different(
            "Source addresses",
            f"Different addresses they came from, of the {_NEWEST}. One user from many addresses: the credential "
            "may be shared or stolen; compare with *New source addresses* in *Security*.",
            queries.NEWEST_ADDRESSES,
            "sourceIP",
        ),
    )


def _what_was_found() -> tuple[panels.Panel, ...]:
    return (
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
            event=links.event_of_search(),
        ),
        panels.counted(
            "By user",
            f"Who sent them, of the {_NEWEST}. An unexpected service account: find its pod by the source address.",
            queries.BY_USER,
            {"cluster": "Cluster", "user": "User"},
            "Requests",
        ),
        panels.counted(
            "By object",
            f"What they were about, of the {_NEWEST}. A row without a name stands for creations, lists and whole "
            "collections.",
            queries.BY_OBJECT,
            {"cluster": "Cluster", "resource": "Resource", "namespace": "Namespace", "name": "Name"},
            "Requests",
        ),
    )


def _event() -> Section:
    return Section(
        "One event",
        (
            panels.event_lines(
                "Event",
                "The whole events with the chosen audit ID. They have bodies if the policy keeps them at level "
                "Request or RequestResponse. Empty: choose an audit ID in the table above, or widen the time.",
                queries.ONE_EVENT,
                height=16,
            ),
        ),
    )


def _deletions() -> Section:
    return Section(
        "Deletions, whatever is searched for",
        (
            panels.counted(
                "Deletions by user",
                f"Who deleted what kind of object, of the {panels.COUNTED_LINES} newest deletions. A person where only "
                "a controller should delete: ask them, and see *Latest deletions* for the names.",
                queries.DELETIONS_BY_USER,
                {"cluster": "Cluster", "user": "User", "resource": "Resource", "namespace": "Namespace"},
                "Deletions",
                where={"verb": "delete|deletecollection"},
                width=panels.FULL,
            ),
            panels.event_table(
                "Latest deletions",
                "A deletecollection names no object: it may have deleted any of its namespace. Something is gone and "
                "not in here: the policy may drop it, or it was deleted by a controller for its owner.",
                queries.DELETIONS,
            ),
        ),
        collapsed=True,
    )
