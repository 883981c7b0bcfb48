"""What comes to be recorded and what ceases to be, and what that does to the alerts that the stack deploys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.changes import sight_changes
from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import POLICY_FLAG
from auditlog.manifest.manifest import ManifestError
from auditlog.nodes.facts import Facts
from auditlog.plan.node_plan import NodePlan
from auditlog.policy.model import Policy, PolicyError
from auditlog.policy.validate import policy_as_read
from auditlog.review.knowledge import NOTHING_RECORDED, knowledge_change
from auditlog.review.topic import Topic, some
from auditlog.settings import Settings

_NOTHING = "nothing"


Pair = tuple[Policy, Policy]
"""The policy of a node as it is, and as it will be."""


def recording(pairs: Mapping[str, Pair | None]) -> Iterator[Topic]:
    """What is known from now on, and what no more, for nodes with these policies.

    None stands for a live policy that cannot be read. What holds for some nodes only names them.
    """
    unread = [node for node, pair in pairs.items() if pair is None]
    if unread:
        sentence = f"cannot be known for {some(unread)}: the policy there cannot be read, so nothing compares with it"
        yield Topic("recorded", (sentence,))
    changed = _changed(pairs)
    if not changed:
        return
    gained, lost = list[str](), list[str]()
    for (old, new), nodes in changed.items():
        where = "" if len(nodes) == len(pairs) else f" (on {some(nodes)})"
        change = knowledge_change(old, new)
        gained += [sentence + where for sentence in change.gained]
        lost += [sentence + where for sentence in change.lost]
    yield Topic("recorded no more", tuple(lost) or (_NOTHING,))
    yield Topic("recorded from now on", tuple(gained) or (_NOTHING,))


def alerts(pairs: Mapping[str, Pair | None], settings: Settings) -> Iterator[Topic]:
    """Which of the rules that the stack deploys see more, and which less."""
    changed = _changed(pairs)
    if not changed:
        return
    if not settings.alerts.are_on:
        yield Topic("alerts", ("off, no rule is deployed",))
        return
    deployed = [each for each in DETECTIONS if each.id not in settings.alerts.disable]
    sentences = []
    for (old, new), nodes in changed.items():
        where = "" if len(nodes) == len(pairs) else f" (on {some(nodes)})"
        for change in sight_changes(old, new, deployed):
            count = f"{len(change.detections)} of {len(deployed)}"
            sentences.append(f"{count} {change.what}{where}: {some(change.detections)}")
    yield Topic("alerts", tuple(sentences) or (f"all {len(deployed)} see what they saw",))


def _changed(pairs: Mapping[str, Pair | None]) -> dict[Pair, list[str]]:
    """The nodes whose policy changes, by how it does; on most clusters one entry."""
    found: dict[Pair, list[str]] = {}
    for node, pair in pairs.items():
        if pair is not None and pair[0] != pair[1]:
            found.setdefault(pair, []).append(node)
    return found


def policy_pair(node: NodePlan) -> Pair | None:
    """What the node records now, and what it will; None where the live policy cannot be read."""
    new = policy_as_read(node.policy.desired, "the policy")
    live = node.policy.live
    if live is None or not _has_policy(node.manifest.live):
        return NOTHING_RECORDED, new
    try:
        return policy_as_read(live, "the live policy"), new
    except PolicyError:
        return None


def policy_of(facts: Facts) -> Policy | None:
    """The policy on the node; None if it has none, or none that can be read."""
    if facts.policy is None:
        return None
    try:
        return policy_as_read(facts.policy.text, "the live policy")
    except PolicyError:
        return None


def _has_policy(live_manifest: str | None) -> bool:
    try:
        return bool(manifest.flag_value(manifest.arguments(live_manifest or ""), POLICY_FLAG))
    except ManifestError:
        return False
