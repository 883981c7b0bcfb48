"""What the person who asks says of the cluster: the policy in force, and how many control-plane nodes there are."""

from __future__ import annotations

import argparse
from pathlib import Path

from auditlog.cli.common import POLICY_HELP, UsageError, named_policy
from auditlog.events.judgement import Known


def add_known(parser: argparse.ArgumentParser) -> None:
    """The options, as a group of their own."""
    group = parser.add_argument_group(
        "the cluster", "An empty answer is certain only where these are known; else the exit code is 3."
    )
    group.add_argument("--policy", metavar="POLICY", help=f"the policy the log was written under: {POLICY_HELP}")
    group.add_argument("--nodes", type=int, metavar="COUNT", help="the number of control-plane nodes")
    group.add_argument(
        "--stack",
        metavar="NAME",
        help="take policy and nodes from Pulumi.NAME.yaml of the project here, or from a file's path",
    )


def known_cluster(arguments: argparse.Namespace) -> tuple[Known, tuple[str, ...]]:
    """What the options say, and what people should know about it. Raises UsageError and PolicyError."""
    if arguments.nodes is not None and arguments.nodes < 1:
        raise UsageError(f"--nodes is {arguments.nodes}; 1 or more is needed")
    policy = named_policy(arguments.policy) if arguments.policy else None
    if arguments.stack is None:
        return Known(policy, arguments.nodes), ()
    found = _of_stack(arguments.stack)
    notes = () if policy or found.policy else (f"the policy in {arguments.stack} is encrypted; --policy names it",)
    return Known(policy or found.policy, arguments.nodes or found.nodes, found.node_names), notes


def _of_stack(name: str) -> Known:
    # Half a second to import, for every setting, that no question without a stack has to wait for.
    from auditlog.cli.config_check import project_file, project_name
    from auditlog.stack_file.in_force import in_force
    from auditlog.stack_file.read import StackFileError, read_stack_file

    path = Path(name)
    project = project_file(path.resolve().parent if path.is_file() else Path.cwd())
    if not path.is_file():
        path = project.parent / f"Pulumi.{name}.yaml"
    try:
        found = in_force(read_stack_file(path, project_name(project)), project.parent)
    except StackFileError as error:
        raise UsageError(
            f"--stack {name}: {error}; allowed: the name of a stack with a stack file, or its path"
        ) from error
    return Known(found.policy, len(found.nodes) or None, found.nodes)
