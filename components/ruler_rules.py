"""Rule groups in a ruler that is reached through its API: one Command of the operator's machine for each group.

The ruler has no provider, and the nodes have no program that speaks HTTPS; so curl does it where Pulumi runs. A group's
``delete`` is in the state with its credentials, encrypted: ``pulumi destroy`` needs neither this program nor the
settings. What the program read in the ruler makes drift, and only drift, a change, as on the nodes (``node_command``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pulumi
from pulumi_command import local

from auditlog.observe.ruler import DeliveredGroup, Drift, Group, command, delivered_groups, drift_of
from auditlog.observe.rules import RuleFile, RuleScope
from auditlog.settings import LokiSettings
from components.scope import Scope

Live = Mapping[str, Group] | str | None
"""The ruler's groups by name, or why they cannot be known; None where they are not asked for."""

_TEXTS = ["create", "update", "delete"]


def ruler_rules(
    rules: RuleFile,
    about: RuleScope,
    loki: LokiSettings,
    live: Live,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
) -> list[pulumi.Resource]:
    """Declares every group of the file; gives their Commands."""
    wanted = {group["name"]: group for group in rules.groups}
    drifts: dict[str, Drift] = {}
    if isinstance(live, Mapping):
        found = {name: drift_of(group, live.get(name)) for name, group in wanted.items()}
        drifts = {name: drift for name, drift in found.items() if drift is not None}
    if pulumi.runtime.is_dry_run():
        _explain(about.cluster, drifts, live, parent, scope)
    return [
        _command(group, drifts.get(group.name), parent, depends_on, scope)
        for group in delivered_groups(rules, about, loki)
    ]


def _command(
    group: DeliveredGroup,
    drift: Drift | None,
    parent: pulumi.Resource,
    depends_on: Sequence[pulumi.Resource],
    scope: Scope,
) -> pulumi.Resource:
    # With its time, so that the same drift is a change once more.
    because = f"{datetime.now(UTC).isoformat(timespec='seconds')}: the group {drift.reason}" if drift else ""
    apply = command("apply", because)
    environment = {
        **group.environment,
        **{name: pulumi.Output.secret(value) for name, value in group.secret_environment.items()},
    }
    made: pulumi.Resource = local.Command(
        scope.name(f"loki-rules-{group.short}"),
        create=apply,
        update=apply,
        delete=command("delete"),
        stdin=pulumi.Output.secret(group.text) if scope.hides_nodes else group.text,
        environment=environment,
        triggers=list(group.identity),
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on),
            ignore_changes=[] if drift else _TEXTS,
            # What differs is said in words: a script with another first line tells nobody.
            hide_diffs=_TEXTS,
            delete_before_replace=True,
        ),
    )
    return made


def _explain(cluster: str, drifts: Mapping[str, Drift], live: Live, parent: pulumi.Resource, scope: Scope) -> None:
    """Says what differs in the ruler. Where it has no group of the stack, the resources themselves say so.

    Rules name the nodes: where those are secret, only that there is a difference.
    """
    if isinstance(live, str):
        pulumi.log.warn(f"{cluster}: what the ruler has now is not known, and so no change of others: {live}", parent)
    elif live:
        for name, drift in drifts.items():
            diff = "" if scope.hides_nodes else drift.diff
            pulumi.log.info("\n".join(filter(None, (f"{cluster}: {name} {drift.reason}", diff))), parent)
