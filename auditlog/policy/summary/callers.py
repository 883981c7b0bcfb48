"""Callers in words: people, workloads, nodes, the control plane, nobody known; and whoever differs from their kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from auditlog.policy.senders import CONTROL_PLANE, Sender


class Kind(StrEnum):
    """Kinds of callers, in the order in which people care."""

    PEOPLE = "people"
    WORKLOADS = "workloads"
    NODES = "nodes"
    CONTROL_PLANE = "the control plane"
    NOBODY = "nobody known"


def kind_of(sender: Sender) -> Kind:
    """The kind of a sender."""
    if sender.is_unauthenticated:
        return Kind.NOBODY
    if "system:nodes" in sender.groups:
        return Kind.NODES
    if sender.user in CONTROL_PLANE or "system:serviceaccounts:kube-system" in sender.groups:
        return Kind.CONTROL_PLANE
    return Kind.WORKLOADS if "system:serviceaccounts" in sender.groups else Kind.PEOPLE


def who(chosen: Iterable[Sender], everyone: Sequence[Sender], free: Sequence[str]) -> str:
    """The senders in words. `everyone` are all there are, `free` the groups that people can be in."""
    picked = set(chosen)
    others = set(everyone) - picked
    if not others:
        return "everyone"
    words = _listed(_kinds(picked, everyone, free))
    but = _listed(_kinds(others, everyone, free))
    # "but" in "but" would leave open what it belongs to.
    return words if " but " in but else min(words, f"everyone but {but}", key=len)


def _kinds(picked: set[Sender], everyone: Sequence[Sender], free: Sequence[str]) -> list[str]:
    words = []
    for kind in Kind:
        members = [sender for sender in everyone if kind_of(sender) is kind]
        inside = [sender for sender in members if sender in picked]
        outside = [sender for sender in members if sender not in picked]
        if not inside:
            continue
        if not outside:
            words.append(kind.value)
            continue
        named = _names(inside, members, free)
        without = f"{kind.value} but {_listed(_names(outside, members, free))}"
        has_rest = any(_is_rest(sender) for sender in inside)
        words += [without] if has_rest else named
    return words


def _is_rest(sender: Sender) -> bool:
    """Whether it stands for those of its kind that no rule names."""
    return str(sender) in ("other users", "service accounts", "nodes", "users whose authentication failed")


def _names(chosen: Sequence[Sender], members: Sequence[Sender], free: Sequence[str]) -> list[str]:
    """Groups whose members are all among the chosen, users likewise, and one by one what is left."""
    left = list(dict.fromkeys(chosen))
    names = []
    for group in free:
        with_group = [sender for sender in members if group in sender.groups]
        if with_group and all(sender in chosen for sender in with_group):
            names.append(f"members of {group}")
            left = [sender for sender in left if sender not in with_group]
    for user in dict.fromkeys(sender.user for sender in left):
        of_user = [sender for sender in members if sender.user == user]
        if len(of_user) > 1 and all(sender in chosen for sender in of_user) and not _is_rest(of_user[0]):
            names.append(str(user))
            left = [sender for sender in left if sender.user != user]
    return [*names, *(str(sender) for sender in left)]


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""
