"""How much of the disk the log takes, and how long that lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditlog.checks.retention import days_held
from auditlog.events.render import human_bytes
from auditlog.manifest import manifest
from auditlog.manifest.backends import LogBackend, log_backend
from auditlog.nodes.facts import Facts
from auditlog.plan.node_plan import NodePlan
from auditlog.review.topic import Topic
from auditlog.settings import STDOUT
from auditlog.units import DAY


def disk(nodes: Sequence[NodePlan], facts: Mapping[str, Facts]) -> Iterator[Topic]:
    """The most that the log takes, and how long that lasts at the rate so far; of the tightest node."""
    logs = {node.node.name: log for node in nodes if (log := _log(node)) is not None}
    if not logs:
        return
    sentences = []
    worst = max((log.worst_case_bytes or 0 for log in logs.values()), default=0)
    free = min(facts[name].log_free_bytes + facts[name].log_used_bytes for name in logs)
    if any(log.worst_case_bytes is None for log in logs.values()):
        sentences.append("the log is not bounded: nothing deletes its rotated files")
    else:
        sentences.append(f"at most {human_bytes(worst)} a node, of {human_bytes(free)} that its disk has for it")
    days = {name: found for name, log in logs.items() if (found := days_held(log, facts[name])) is not None}
    changes = any(not node.policy.in_sync for node in nodes)
    if days:
        least = min(days, key=lambda name: days[name])
        rate = facts[least].log_written_bytes * DAY // facts[least].log_written_seconds
        under = " under the policy so far" if changes else ""
        sentences += [
            f"{least} wrote {human_bytes(rate)} a day{under}",
            f"rotated files hold {days[least]:.1f} days of it",
        ]
        if changes:
            sentences.append("what the new policy writes is not known here: auditlog replay counts it in a log")
    else:
        sentences.append("how many days that lasts is known after an hour of events")
    yield Topic("disk", tuple(sentences))


def _log(node: NodePlan) -> LogBackend | None:
    log = log_backend(manifest.flag_values(manifest.arguments(node.manifest.desired)), node.kubernetes_minor)
    return None if log is None or log.path == STDOUT else log
