"""What the person who asks says about the cluster: the policy in force, and how many control-plane nodes there are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from auditlog.cli.common import UsageError
from auditlog.cli.named_policy import POLICY_HELP, named_policy
from auditlog.events.history_text import HISTORY, read_kept, told_by
from auditlog.events.in_force import read_history
from auditlog.events.judgement import Known
from auditlog.policy.validate import policy_as_read


def add_known(parser: argparse.ArgumentParser) -> None:
    """The option for the policy; `auditlog.cli.logs.add_nodes` has those for nodes and stack."""
    parser.add_argument(
        "--policy",
        metavar="POLICY",
        help=f"the policy the log was written under: {POLICY_HELP}, or history:FILE of auditlog policy-history",
    )


def known_cluster(arguments: argparse.Namespace) -> tuple[Known, tuple[str, ...]]:
    """What the options say, and what people should know about it. Raises UsageError and PolicyError."""
    nodes = arguments.nodes.count if arguments.nodes else None
    if nodes is not None and nodes < 1:
        raise UsageError(f"--nodes is {nodes}; 1 or more is needed")
    given, policy, history = arguments.policy or "", None, None
    if given.startswith(HISTORY):
        history = read_history(_kept(given), policy_as_read)
    elif given:
        policy = named_policy(given)
    if arguments.stack is None:
        return Known(policy, nodes, history=history), ()
    # Half a second to import, for every setting, that no question without a stack has to wait for.
    from auditlog.cli.stack import read_stack

    found = read_stack(arguments.stack).in_force()
    notes = (
        ()
        if policy or history or found.policy
        else (f"the policy in {arguments.stack} is encrypted; --policy names it",)
    )
    return Known(policy or found.policy, nodes or len(found.nodes) or None, found.nodes, history), notes


def with_history(known: Known, arguments: argparse.Namespace, told: Mapping[str, str]) -> Known:
    """With the nodes' histories of their policies, unless --policy names the policy; a kept history is added to.

    A stack's policy stands for nodes that know of no earlier time: an earlier version of this program kept no history.
    """
    if not any(told.values()):
        return known
    if (arguments.policy or "").startswith(HISTORY):
        kept = _kept(arguments.policy)
        both = {node: f"{kept.get(node, '')}\n{told.get(node, '')}" for node in dict.fromkeys((*kept, *told))}
        return replace(known, history=read_history(both, policy_as_read))
    nodes = [told_by(node, lines) for node, lines in told.items()]
    earlier = any(each.lost or any(look.by != "now" for look in each.observations) for each in nodes)
    if arguments.policy or not (earlier or known.policy is None):
        return known
    return replace(known, history=read_history(told, policy_as_read))


def _kept(given: str) -> dict[str, str]:
    return read_kept(Path(given.removeprefix(HISTORY)))
