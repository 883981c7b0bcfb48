"""One Command on a node, with the options that every one of them needs.

Why these options (pulumi-command 1.2.1 and the engine's rules):

* ``update`` is the same text as ``create``: a Command whose input changes runs it again. A run that failed runs again
  as a whole, so each is safe to repeat.
* The text holds what the node looked like when it was read. It is ignored while the node is in sync, so drift, and only
  drift, is a diff. ``triggers`` would replace, and a replacement runs the old ``delete`` afterwards.
* A replacement (``up --replace``, ``state taint``) deletes first, while the program still runs. So the node can
  distinguish it from a removal (``auditlog.nodes.declaration``). The engine's default order would delete last, and take
  away what the new Command found in order.
* ``add_previous_output_in_env`` is off: sshd refuses the variables and warns on every run.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi_command import remote

from auditlog.checks.finding import Finding, Severity
from auditlog.plan.file_change import FileChange
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.preparation import PreparationPlan
from components.scope import Scope
from components.untouched import COMMAND_INPUTS


def node_command(
    name: str,
    connection: remote.ConnectionArgs,
    *,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
    apply: str,
    delete: str,
    stdin: str,
    ignore_changes: Sequence[str],
    former: str | None = None,
    secret: bool = False,
    silent: bool = False,
    hooks: pulumi.ResourceHookBinding | None = None,
    hide_diffs: Sequence[str] = (),
) -> remote.Command:
    """Declares the Command ``name``.

    ``former`` is its earlier name in the stack, None if it has not changed. ``secret``: ``stdin`` and ``delete`` hold
    credentials and are kept from view. ``silent``: nothing that it prints is shown or kept in the open either.
    """
    return remote.Command(
        name,
        connection=connection,
        create=apply,
        update=apply,
        delete=pulumi.Output.secret(delete) if secret else delete,
        stdin=pulumi.Output.secret(stdin) if secret else stdin,
        add_previous_output_in_env=False,
        logging=remote.Logging.NONE if silent else remote.Logging.STDOUT_AND_STDERR,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on),
            ignore_changes=list(ignore_changes),
            delete_before_replace=True,
            aliases=aliases(former),
            hooks=hooks,
            hide_diffs=list(hide_diffs),
            additional_secret_outputs=["stdout", "stderr"] if silent else None,
        ),
    )


def untouched_node_command(
    name: str, connection: remote.ConnectionArgs, *, parent: pulumi.Resource, forget: bool = False
) -> remote.Command:
    """Declare the Command ``name`` so that it stays in the stack as it is: nothing is compared, nothing contacted.

    With ``forget`` its removal contacts nothing either, because the node is gone (pulumi/pulumi-command#104).
    """
    return remote.Command(
        name,
        connection=connection,
        opts=pulumi.ResourceOptions(
            parent=parent,
            ignore_changes=list(COMMAND_INPUTS),
            retain_on_delete=forget,
            delete_before_replace=True,
        ),
    )


def aliases(former: str | None) -> list[str | pulumi.Alias] | None:
    """The same resource under the name that it had. A URN holds the types of its parents, not their names."""
    return None if former is None else [pulumi.Alias(name=former)]


def explain(where: str, change: FileChange, reasons: Sequence[str], command: remote.Command) -> None:
    """Logs, on the resource, why it changes and the exact edit of the live text. In previews only.

    ``where`` is the node or cluster; ``preview --diff`` prints the message without the resource's name.
    """
    if pulumi.runtime.is_dry_run() and reasons:
        pulumi.log.info(diff_message(where, change, reasons), resource=command)


def explain_hand_over(
    where: str, node: NodePlan | PreparationPlan, scope: Scope, sentence: str, command: remote.Command
) -> None:
    """Logs, on a resource that changes for no other reason, that its deletion names the new owner. In previews only."""
    if pulumi.runtime.is_dry_run() and node.taken_over_from is not None:
        sentence = sentence.format(former=node.taken_over_from, owner=scope.owner)
        pulumi.log.info(f"{where}: {sentence}", resource=command)


def diff_message(where: str, change: FileChange, reasons: Sequence[str]) -> str:
    """The reasons, one a line after the name of the node or cluster, and the edit of the live text; no passwords."""
    diff = change.masked_diff()
    return "\n".join([*(f"{where}: {reason}" for reason in reasons), *([diff] if diff else [])])


def warn(where: str, findings: Sequence[Finding], command: remote.Command) -> None:
    """Logs, on the resource, what a person should know before it is changed, or though it is not. In previews only."""
    if pulumi.runtime.is_dry_run():
        for finding in findings:
            say = pulumi.log.info if finding.severity is Severity.NOTE else pulumi.log.warn
            say(f"{where}: {finding}", resource=command)
