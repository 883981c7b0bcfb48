"""Traffic that goes on in every cluster at all times, tells nothing, and fills the disk when it is recorded."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.policy.evaluate import evaluate
from auditlog.policy.lint.finding import Check, Context, Hit, Severity, listed, writes
from auditlog.policy.model import Request, Stage
from auditlog.policy.resources import HEALTH_PATHS

_NODE_GROUPS = ("system:nodes", "system:authenticated")
_EVENT_GROUPS = ("", "events.k8s.io")


def _leases(context: Context) -> Iterator[Hit]:
    renewal = Request(
        user="system:node:worker-1",
        groups=_NODE_GROUPS,
        verb="update",
        api_group="coordination.k8s.io",
        resource="leases",
        namespace="kube-node-lease",
        name="worker-1",
    )
    elections = {
        component: Request(
            user=f"system:{component}",
            groups=("system:authenticated",),
            verb="update",
            api_group="coordination.k8s.io",
            resource="leases",
            namespace="kube-system",
            name=component,
        )
        for component in ("kube-controller-manager", "kube-scheduler")
    }
    yield from _noise(
        context,
        {"node leases": renewal, **{f"the lease of the {name} leader": each for name, each in elections.items()}},
        "a node renews its lease every 10 seconds, a leader every 2: 8640 and 43200 events a day each",
        "drop update of leases in coordination.k8s.io for system:nodes, system:kube-controller-manager and "
        "system:kube-scheduler; system:apiserver's shows that the log is alive",
    )


def _probes(context: Context) -> Iterator[Hit]:
    requests = {
        path: Request(
            user="system:anonymous", groups=("system:unauthenticated",), verb="get", resource_request=False, path=path
        )
        for path in HEALTH_PATHS
    }
    yield from _noise(
        context,
        requests,
        "kubelet and load balancers ask every few seconds",
        'drop nonResourceURLs ["/healthz*", "/livez*", "/readyz*"] first',
    )


def _events(context: Context) -> Iterator[Hit]:
    requests = {
        f"events of {group or 'the core group'}": Request(
            user="system:node:worker-1",
            groups=_NODE_GROUPS,
            verb="create",
            api_group=group,
            resource="events",
            namespace="default",
        )
        for group in _EVENT_GROUPS
    }
    yield from _noise(
        context,
        requests,
        "every started, stopped or failing container writes some",
        'drop create, update and patch of events, in the groups "" and events.k8s.io',
    )


def _noise(context: Context, requests: dict[str, Request], reason: str, fix: str) -> Iterator[Hit]:
    by_rule: dict[int, list[str]] = {}
    for name, request in requests.items():
        decision = evaluate(context.policy, request)
        if writes(decision) and decision.rule_index is not None:
            by_rule.setdefault(decision.rule_index, []).append(name)
    for index, names in sorted(by_rule.items()):
        level = context.policy.rules[index].level.value
        yield Hit(f"rules[{index}]", f"records {listed(names)} at {level}: {reason}", fix)


def _request_received(context: Context) -> Iterator[Hit]:
    """Only where the API server is not told to refuse requests that cannot be recorded: there the stage is needed."""
    if context.audit_log_mode == "blocking-strict":
        return
    for index in sorted(outcome[0] for outcome in context.partition.outcomes if outcome[0] is not None):
        decision = context.decision(index)
        if writes(decision) and Stage.REQUEST_RECEIVED not in decision.omit_stages:
            yield Hit(
                "rules",
                f"{context.rule_name(index)} writes each request twice, when it is received and when it is answered",
                "set omitStages: [RequestReceived] for the whole policy",
            )
            return


CHECKS = (
    Check("leases-recorded", Severity.WARNING, "Lease renewals by nodes and leaders are recorded.", _leases),
    Check("probes-recorded", Severity.WARNING, "Health probes are recorded.", _probes),
    Check("events-recorded", Severity.WARNING, "Writes of Event objects are recorded, in either group.", _events),
    Check("request-received-kept", Severity.INFO, "Every request is recorded twice.", _request_received),
)
