"""Who may send requests, as far as the rules of a policy can distinguish senders.

Kubernetes gives every kind of user its groups (`k8s.io/apiserver/pkg/authentication/user`,
https://kubernetes.io/docs/reference/access-authn-authz/authentication/). A request whose authentication failed has
neither user nor groups. Other users are in `system:authenticated` and in any groups that their certificate or identity
provider names. The groups of nodes, service accounts and anonymous requests count as reserved for those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from auditlog.policy.model import PolicyRule
from auditlog.policy.partition import OTHER
from auditlog.policy.phrase import groups_of

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
CONTROL_PLANE = frozenset(
    {"system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
)
"""The components of the control plane that have separate user names."""

CONTROL_PLANE_GROUPS = frozenset({"system:nodes", "system:serviceaccounts:kube-system"})
"""The groups of kubelets and of the controllers in kube-system."""

_ACCOUNT = "system:serviceaccount:"
_NODE = "system:node:"
_RESERVED = frozenset({AUTHENTICATED, "system:unauthenticated", "system:nodes", "system:serviceaccounts"})
_MOST_NAMES = 6
_MOST_GROUPS = 2
"""One for the rule that decides and one for the question: more change no outcome (`auditlog.policy.partition`)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A user with all groups; `user` is None when authentication failed, and ends in OTHER for "any other"."""

    user: str | None
    groups: frozenset[str] = frozenset()

    @property
    def is_unauthenticated(self) -> bool:
        """Whether no credentials were accepted."""
        return self.user is None or self.user == ANONYMOUS

    @property
    def is_control_plane(self) -> bool:
        """Whether it is a part of Kubernetes: a component, a kubelet, or a controller of kube-system."""
        return self.user in CONTROL_PLANE or not self.groups.isdisjoint(CONTROL_PLANE_GROUPS)

    @property
    def is_workload(self) -> bool:
        """Whether it is a ServiceAccount outside of kube-system."""
        return "system:serviceaccounts" in self.groups and not self.is_control_plane

    def meets(self, rule: PolicyRule) -> bool:
        """Whether the rule's users and groups hold for this sender."""
        if rule.users and self.user not in rule.users:
            return False
        return not rule.user_groups or not self.groups.isdisjoint(rule.user_groups)

    def __str__(self) -> str:
        if self.user is None:
            return "users whose authentication failed"
        if self.user in CONTROL_PLANE:
            return self.user
        if self.user.startswith(_NODE) and self.user.endswith(OTHER):
            return "nodes"
        if self.user.startswith(_ACCOUNT) and self.user.endswith(OTHER):
            namespace = self.user.removeprefix(_ACCOUNT).partition(":")[0]
            return "service accounts" if namespace == OTHER else f"service accounts of {namespace}"
        groups = sorted(group for group in self.groups - _RESERVED if not _is_of_accounts(group))
        name = "other users" if self.user == OTHER else self.user
        return f"{name} in {' and '.join(groups)}" if groups else name


def free_groups(rules: Sequence[PolicyRule]) -> tuple[str, ...]:
    """The groups that rules name and that anybody can be put into."""
    groups = dict.fromkeys(group for rule in rules for group in rule.user_groups)
    return tuple(group for group in groups if group not in _RESERVED and not _is_of_accounts(group))


def senders(
    rules: Sequence[PolicyRule], users: Sequence[str] = (), most_groups: int = _MOST_GROUPS
) -> Iterator[Sender]:
    """Every sender that the rules can distinguish, with each set of groups that makes a difference.

    `users` are distinguished too. Whoever is in more than `most_groups` of the free groups is left out, since the first
    ones represent them, unless whole senders are compared.
    """
    named = dict.fromkeys((*users, *(user for rule in rules for user in rule.users)))
    groups = dict.fromkeys(group for rule in rules for group in rule.user_groups)
    namespaces = [group.removeprefix("system:serviceaccounts:") for group in groups if _is_of_accounts(group)]
    others = [OTHER, f"{_NODE}{OTHER}", *(f"{_ACCOUNT}{each}:{OTHER}" for each in (*namespaces, OTHER))]
    free = free_groups(rules)
    yield Sender(None)
    for user in dict.fromkeys((OTHER, ANONYMOUS, *sorted(CONTROL_PLANE), *filter(can_exist, named), *others)):
        own = frozenset(groups_of(user))
        if user in CONTROL_PLANE or own != {AUTHENTICATED}:
            # Components are in no other group.
            yield Sender(user, own)
            continue
        for count in range(min(most_groups, len(free)) + 1):
            yield from (Sender(user, own | frozenset(chosen)) for chosen in combinations(free, count))


def can_exist(user: str) -> bool:
    """Whether somebody can have this name: `system:` begins those that Kubernetes itself gives, and they are known."""
    kind, _, rest = user.removeprefix("system:").partition(":")
    if not user.startswith("system:"):
        return bool(user) and "*" not in user
    if kind == "serviceaccount":
        return rest.count(":") == 1 and all(rest.split(":")) and "*" not in rest
    if kind == "node":
        return bool(rest) and "*" not in rest
    return user not in (*_RESERVED, "system:unsecured") and kind != "serviceaccounts" and "*" not in user


def described(who: Iterable[Sender]) -> str:
    """The senders by name, at most six of them: people first, the control plane last."""
    found = list(dict.fromkeys(who))
    parts = {str(sender) for sender in found if sender.is_control_plane}
    is_whole = len(parts) > len(CONTROL_PLANE)
    ordered = sorted(found, key=lambda each: (each.is_control_plane, each.is_workload))
    names = ["the control plane" if is_whole and str(sender) in parts else str(sender) for sender in ordered]
    names = list(dict.fromkeys(names))
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    words = [*names[:_MOST_NAMES], *more]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _is_of_accounts(group: str) -> bool:
    return group.startswith("system:serviceaccounts:")
