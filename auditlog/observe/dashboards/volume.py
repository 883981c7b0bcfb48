"""*Volume and cost*: how much is recorded, by whom and of what, and how long the space lasts."""

from __future__ import annotations

from auditlog.observe.dashboards import marks, panels, variables
from auditlog.observe.dashboards.layout import Section, render
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries import volume as queries
from auditlog.observe.dashboards.rendered import RenderedDashboard
from auditlog.observe.dashboards.thresholds import DISK_DAYS, NONE, RETENTION_DAYS, disk_used

_TRY = "`python -m auditlog replay audit.log --policy …` shows beforehand what another policy would save."


def volume_dashboard(options: DashboardOptions) -> RenderedDashboard:
    """Builds the dashboard."""
    return render(
        "volume",
        "Kubernetes audit / Volume and cost",
        "Events and bytes by level, user, namespace, resource and agent, and how long disk and retention last.",
        [
            variables.loki(),
            variables.prometheus(),
            variables.cluster(),
            variables.text(
                "budget",
                "Log on a node (MiB)",
                "What kube-apiserver keeps: maxSize x (maxBackup + 1); 0 where nothing bounds it but the disk",
                str(options.log_budget),
            ),
            variables.text("price", "Price per GiB", "What a GiB in Loki costs you, in your currency", "0.5"),
        ],
        [_overview(), _volume(), _talkers(), _space(options), _clients()],
        since="now-24h",
        annotations=marks.changes(options),
    )


def _overview() -> Section:
    return Section(
        "At a glance",
        (
            panels.number(
                "Events per second",
                "Over the whole range, from Alloy's counters. A jump: see *Largest users* and *Largest agents* for "
                "what began then.",
                "cps",
                panels.prometheus_instant(queries.EVENTS_PER_SECOND),
            ),
            panels.number(
                "Bytes per day",
                "Projected from the range. More than planned: see *Top talkers* and drop or lower what nobody asks "
                "for. " + _TRY,
                "bytes",
                panels.prometheus_instant(queries.BYTES_PER_DAY),
            ),
            panels.number(
                "Bytes per event",
                "Metadata alone is 1 to 2 kB. Much more: bodies are recorded; lower resources with large objects to "
                "Metadata, and set omitManagedFields.",
                "bytes",
                panels.prometheus_instant(queries.BYTES_PER_EVENT),
            ),
            panels.number(
                "Cost of 30 days",
                "At the price above, in its currency. Too much: the retention in Loki and the largest rows of *Top "
                "talkers* are the two things to change.",
                "none",
                panels.prometheus_instant(queries.COST_PER_MONTH),
            ),
        ),
    )


def _volume() -> Section:
    return Section(
        "What is recorded",
        (
            panels.graph(
                "Events by level",
                "A change of the mix without a change of the policy: another workload, or a node with another "
                "policy. See *Levels by API server* in *Pipeline*.",
                "cps",
                panels.prometheus_range(queries.BY_LEVEL, "{{level}}"),
            ),
            panels.graph(
                "Bytes by level",
                "Request and RequestResponse carry bodies and make most of the bytes. Too much: lower the resources "
                "that *Largest resources* names. " + _TRY,
                "binBps",
                panels.prometheus_range(queries.BYTES_BY_LEVEL, "{{level}}"),
            ),
            panels.graph(
                "Events by verb",
                "Reads that nobody asks about are the first thing to drop; keep those of Secrets.",
                "cps",
                panels.prometheus_range(queries.BY_VERB, "{{verb}}"),
                width=panels.FULL,
            ),
        ),
    )


def _talkers() -> Section:
    return Section(
        "Where it comes from",
        (
            panels.graph(
                "Requests by code",
                "Many 4xx are clients that retry what cannot work and fill the log: fix or stop them. 5xx: the API "
                "server or a webhook fails, look there first.",
                "short",
                panels.loki_range(queries.BY_CODE, "{{code}}"),
            ),
            panels.graph(
                "Largest users",
                "Kinds of callers with the most bytes in each step: people, nodes, ServiceAccounts by namespace. One "
                "controller above all others: does it poll where it could watch?",
                "binBps",
                panels.loki_range(queries.LARGEST_CALLERS, "{{caller}}"),
            ),
            panels.graph(
                "Largest namespaces",
                "The ten with the most bytes in each step. No name: requests that are not in a namespace.",
                "binBps",
                panels.loki_range(queries.LARGEST_NAMESPACES, "{{namespace}}"),
            ),
            panels.graph(
                "Largest resources",
                "The ten with the most bytes in each step. Leases, events and endpoint slices tell nobody anything: "
                "drop them.",
                "binBps",
                panels.loki_range(queries.LARGEST_RESOURCES, "{{resource}}"),
            ),
            panels.counted(
                "Largest agents",
                f"Of the {panels.COUNTED_LINES} newest events, by bytes. An unknown agent: search for it in *Who did "
                "it*.",
                queries.LARGEST_AGENTS,
                {"cluster": "Cluster", "userAgent": "Agent"},
                "Bytes",
                add="bytes",
            ),
            panels.counted(
                "Top talkers",
                f"The same user, agent, verb and resource, of the {panels.COUNTED_LINES} newest events, by bytes. What "
                "you would never look up goes into `policy.drop`. " + _TRY,
                queries.TOP_TALKERS,
                {
                    "cluster": "Cluster",
                    "user": "User",
                    "userAgent": "Agent",
                    "verb": "Verb",
                    "resource": "Resource",
                },
                "Bytes",
                add="bytes",
            ),
        ),
        collapsed=True,
    )


def _space(options: DashboardOptions) -> Section:
    return Section(
        "How long the space lasts",
        (
            panels.ranking(
                "Bytes per day by node",
                "Projected from the range. One node far above the others: clients do not balance over the API "
                "servers, or the nodes have different policies.",
                "bytes",
                panels.prometheus_instant(queries.BYTES_PER_DAY_BY_NODE),
                {"cluster": "Cluster", "node": "Node"},
                "Bytes per day",
            ),
            panels.ranking(
                "Days of log on the node",
                "How far back the node's own files reach. Less than the longest outage of Loki that you expect: raise "
                "`auditLog.maxSize` or `auditLog.maxBackup`, else events are rotated away before they are shipped.",
                "none",
                panels.prometheus_instant(queries.DAYS_OF_LOG),
                {"cluster": "Cluster", "node": "Node"},
                "Days",
                levels=RETENTION_DAYS,
                ascending=True,
            ),
            panels.ranking(
                "Days of disk left",
                "Until the file system is full, if it goes on as in the last six hours; needs node_exporter. Few: a "
                "full disk ends audit logging and can end the API server. Lower maxBackup or give it more disk.",
                "none",
                panels.prometheus_instant(queries.days_of_disk(options)),
                {"cluster": "Cluster", "instance": "Instance", "mountpoint": "Mount point"},
                "Days",
                levels=DISK_DAYS,
                ascending=True,
            ),
            panels.graph(
                "Disk used",
                "The file systems that hold the log; needs node_exporter. Red: `audit-disk-usage` fires. See what else "
                "grows there, then lower `auditLog.maxBackup`.",
                "percentunit",
                panels.prometheus_range(queries.disk_used(options), "{{instance}} {{mountpoint}}"),
                levels=disk_used(options.disk_percent),
                stacked=False,
            ),
            panels.graph(
                "Share of requests recorded",
                "Of all requests, how many the policy records. Near 1 with a policy that should drop reads: the "
                "policy is not the one you think; 0: nothing is recorded at all.",
                "percentunit",
                panels.prometheus_range(queries.kept_share(options), "{{cluster}}"),
                levels=NONE,
                stacked=False,
                width=panels.FULL,
            ),
        ),
    )


def _clients() -> Section:
    return Section(
        "Clients to talk to",
        (
            panels.counted(
                "Deprecated APIs",
                "Who uses them, and the release that removes them where one is decided. Move the client to the "
                "newer version before you upgrade to that release.",
                queries.DEPRECATED,
                {
                    "cluster": "Cluster",
                    "removedIn": "Removed in",
                    "resource": "Resource",
                    "version": "Version",
                    "verb": "Verb",
                    "user": "User",
                    "userAgent": "Agent",
                },
                "Events",
                width=panels.FULL,
            ),
            panels.event_table(
                "Slow requests",
                "Longer than half a second. All of one resource: a slow webhook, whose share is in the event's "
                "annotations, or a list without a limit. All resources: look at etcd's disk.",
                queries.SLOW,
                more={"latency": "Took"},
            ),
        ),
        collapsed=True,
    )
