"""What a person decides a change of the nodes by: made from the plan, said at the top of a preview and of its page.

Pure: from plan, settings and facts to a `Decision` of few lines. `auditlog.review.in_short` writes and reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditlog.nodes.facts import Facts
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import Plan
from auditlog.plan.removal import RemovalPlan
from auditlog.plan.restart import AWAY
from auditlog.review.disk import disk
from auditlog.review.knowledge import NOTHING_RECORDED
from auditlog.review.recording import alerts, policy_of, policy_pair, recording
from auditlog.review.topic import Decision, Topic, counted, listed, some
from auditlog.settings import RestartMode, Settings


def decide(plan: Plan, settings: Settings, facts: Mapping[str, Facts]) -> Decision:
    """The decision about what this plan changes on nodes with these facts."""
    changed = [node for node in plan.nodes if node.reasons or node.is_record_only]
    if not changed and plan.kubeadm_config.in_sync and all(each.in_sync for each in plan.joining):
        return Decision(())
    restarted = [node for node in plan.nodes if node.needs_restart]
    pairs = {node.node.name: policy_pair(node) for node in plan.nodes if not node.policy.secret}
    is_secret = any(node.policy.secret and not node.policy.in_sync for node in plan.nodes)
    return Decision(
        (
            Topic("changes", tuple(_changes(plan, changed))),
            *_restart(restarted, len(plan.nodes)),
            *((Topic("recorded", ("not shown, because an argument is secret",)),) if is_secret else ()),
            *recording(pairs),
            *alerts(pairs, settings),
            *disk(plan.nodes, facts),
            Topic("undo", tuple(_undo(plan, restarted))),
        )
    )


def decide_removal(plan: RemovalPlan, settings: Settings, facts: Mapping[str, Facts]) -> Decision:
    """The same where audit logging is taken off: nothing is recorded from then on."""
    if not plan.changes:
        return Decision(())
    changed = {where for where, _, _ in plan.changes}
    where = [name for name in facts if name in changed]
    lost = {name: (policy, NOTHING_RECORDED) for name, each in facts.items() if (policy := policy_of(each)) is not None}
    away = "the API of each node is away while it restarts, one node at a time"
    return Decision(
        (
            Topic("changes", (f"audit logging is taken off {counted(where, len(facts))}",)),
            Topic("API", (away,)),
            *recording(lost),
            *((Topic("alerts", ("the rules are removed with it",)),) if settings.alerts.are_on else ()),
            Topic("undo", ("set enabled to true again and deploy; what happens until then is never recorded",)),
        )
    )


def _changes(plan: Plan, changed: Sequence[NodePlan]) -> Iterator[str]:
    parts: dict[tuple[str, ...], list[str]] = {}
    for node in changed:
        parts.setdefault(_parts(node), []).append(node.node.name)
    for what, names in parts.items():
        yield f"{listed(what)} of {counted(names, len(plan.nodes))}"
    joining = [each.node.name for each in plan.joining if not each.in_sync]
    if joining:
        yield f"{some(joining)} prepared to join"
    if not plan.kubeadm_config.in_sync:
        yield "kubeadm-config in the cluster, so that upgrades and joins keep it"


def _parts(node: NodePlan) -> tuple[str, ...]:
    if node.in_sync:
        return ("the stack's record",)
    files = {
        "policy file": not node.policy.in_sync,
        "webhook kubeconfig": node.webhook is not None and not node.webhook.in_sync,
        "manifest": not node.manifest.in_sync,
    }
    found = tuple(name for name, differs in files.items() if differs)
    return found or (("the running process",) if node.needs_restart else ("the stack's record",))


def _restart(restarted: Sequence[NodePlan], count: int) -> Iterator[Topic]:
    if not restarted:
        yield Topic("API", ("no API server restarts",))
        return
    modes: dict[RestartMode, list[str]] = {}
    for node in restarted:
        modes.setdefault(node.restart.mode, []).append(node.node.name)
    away = []
    for mode, names in modes.items():
        first, *more = AWAY[mode].replace("this node", "each node").split("; ")
        away += [first + (f" ({some(names)})" if len(modes) > 1 else ""), *more]
    if count > 1:
        away.append(f"one node at a time, {count - 1} of {count} answer meanwhile")
    elif RestartMode.SEAMLESS not in modes:
        away.append("it is the only control-plane node, so the cluster's API is away")
    yield Topic("API", tuple(away))
    without = {node.node.name: node.restart.no_rehearsal for node in restarted if node.restart.no_rehearsal}
    rehearsed = len(restarted) - len(without)
    sentences = [f"yes, a second API server runs with the new files first, on {rehearsed} of {len(restarted)}"]
    for reason in dict.fromkeys(without.values()):
        names = [name for name, why in without.items() if why == reason]
        sentences.append(f"no on {counted(names, len(restarted))}: {reason}")
    yield Topic("rehearsed", tuple(sentences if rehearsed else sentences[1:]))


def _undo(plan: Plan, restarted: Sequence[NodePlan]) -> Iterator[str]:
    if restarted:
        yield "a node that does not become healthy rolls back, and later nodes stay as they are"
    first = all(not node.is_owned for node in plan.nodes)
    if first:
        yield "later: set enabled: false and deploy, which restores what was there before this stack"
    else:
        again = "restarts the same nodes again" if restarted else "restarts no API server either"
        yield f"later: deploy the earlier settings, which {again}"
