"""What the person who asks says about the cluster: the policy in force, and how many control-plane nodes there are."""

from __future__ import annotations

import argparse

from auditlog.cli.common import UsageError
from auditlog.cli.named_policy import POLICY_HELP, named_policy
from auditlog.events.judgement import Known


def add_known(parser: argparse.ArgumentParser) -> None:
    """The option for the policy; `auditlog.cli.logs.add_nodes` has those for nodes and stack."""
    parser.add_argument("--policy", metavar="POLICY", help=f"the policy the log was written under: {POLICY_HELP}")


def known_cluster(arguments: argparse.Namespace) -> tuple[Known, tuple[str, ...]]:
    """What the options say, and what people should know about it. Raises UsageError and PolicyError."""
    nodes = arguments.nodes.count if arguments.nodes else None
    if nodes is not None and nodes < 1:
        raise UsageError(f"--nodes is {nodes}; 1 or more is needed")
    policy = named_policy(arguments.policy) if arguments.policy else None
    if arguments.stack is None:
        return Known(policy, nodes), ()
    # Half a second to import, for every setting, that no question without a stack has to wait for.
    from auditlog.cli.stack import read_stack

    found = read_stack(arguments.stack).in_force()
    notes = () if policy or found.policy else (f"the policy in {arguments.stack} is encrypted; --policy names it",)
    return Known(policy or found.policy, nodes or len(found.nodes) or None, found.nodes), notes
