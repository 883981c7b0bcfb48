"""Whose the admission policies are that a cluster has under the names of a stack's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditlog.annotations.model import Entry
from auditlog.annotations.render import declared
from auditlog.errors import AuditlogError

_OTHERWISE = "or use other entries (annotations.leaveOut, annotations.files)"


class TakenError(AuditlogError):
    """The cluster has policies or bindings of these names that are another's. One line for each owner."""


def check_owners(entries: Iterable[Entry], owners: Mapping[str, str | None], own: str, take_over: str | None) -> None:
    """Raises TakenError if a policy or binding of ``entries`` is there and neither ``own`` nor ``take_over`` made it.

    ``owners`` are the stacks that made those in the cluster, by KIND/NAME, as in `Facts.admission_policy_owners`. Of
    those that an earlier version of this program made only the engine knows whose they are.
    """
    taken: dict[str, set[str]] = {}
    for name in declared(entries):
        owner = owners.get(name, own)
        if owner is not None and owner not in (own, take_over):
            taken.setdefault(owner, set()).add(name.partition("/")[2])
    if taken:
        raise TakenError("\n".join(_reason(sorted(names), owner, own) for owner, names in sorted(taken.items())))


def _reason(names: list[str], owner: str, own: str) -> str:
    listed = ", ".join(names)
    if owner:
        return (
            f"{listed}: made by the stack {owner!r}, and this is {own!r}: two stacks would undo each other's changes; "
            f"destroy that stack first, set takeOver: {owner} to take them over, {_OTHERWISE}"
        )
    return (
        f"{listed}: made by no stack, or its mark is gone; if nobody needs them, run kubectl delete "
        f"validatingadmissionpolicies,validatingadmissionpolicybindings {' '.join(names)}, {_OTHERWISE}"
    )
