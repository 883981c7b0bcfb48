"""Regions of requests in words: `alice, bob: create, update of pods/exec in namespace prod`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from auditlog.policy.model import NEWEST_MINOR, Request
from auditlog.policy.partition import OTHER, RARE_RESOURCE_VERBS, AxisName, Target, Value
from auditlog.policy.regions import Membership, Region
from auditlog.policy.resources import find_resource

_MANY = 6
_LONGEST = 130
_LEFT_OUT = 2


def describe(region: Region) -> str:
    """The requests of a region in one line."""
    return f"{who(region)}: {verbs(region)} of {what(region)}{where(region)}"


def request_words(request: Request) -> str:
    """One request in one line: `alice (system:authenticated) delete configmaps prod/app-config`."""
    user = "nobody known" if request.user is None else request.user
    groups = f" ({', '.join(request.groups)})" if request.groups else ""
    if not request.resource_request:
        return f"{user}{groups} {request.verb} {request.path}"
    name = qualified_name(request.resource, request.api_group)
    target = f"{name}/{request.subresource}" if request.subresource else name
    place = f" {request.namespace}/{request.name}" if request.namespace else f" {request.name}" * bool(request.name)
    return f"{user}{groups} {request.verb} {target}{place}"


def who(region: Region) -> str:
    """Users and their groups."""
    users, everyone = region.values[AxisName.USER], region.universe[AxisName.USER]
    if region.membership.one_of:
        # Whoever is not known has no groups.
        users, everyone = users - {None}, everyone - {None}
    names = sorted(str(user) for user in users if user not in (None, OTHER))
    if users == everyone:
        words = "anyone"
    elif OTHER in users:
        left_out = sorted(str(user) for user in everyone - users if user is not None)
        unknown = "" if None in users else "any known user"
        words = " but ".join(filter(None, (unknown or "anyone", ", ".join(left_out))))
    else:
        words = ", ".join([*names, *(["nobody known"] if None in users else [])])
    return words + _membership(region.membership)


def _membership(membership: Membership) -> str:
    words = [f"in {_listed(sorted(groups), 'or')}" for groups in membership.one_of]
    if membership.none_of:
        words.append(f"not in {_listed(sorted(membership.none_of), 'or')}")
    return f" ({' and '.join(words)})" if words else ""


def verbs(region: Region) -> str:
    """Verbs, or what is left of them."""
    chosen, every = region.values[AxisName.VERB], region.universe[AxisName.VERB]
    kind = "verb" if region.resource_requests else "method"
    if chosen == every:
        return f"any {kind}"
    rest = set(RARE_RESOURCE_VERBS) if region.resource_requests else {OTHER}
    if rest <= chosen:
        return f"any {kind} but {', '.join(_ordered(every - chosen))}"
    return ", ".join(_ordered(chosen))


def _ordered(chosen: Iterable[Value]) -> list[str]:
    names = [str(verb) for verb in chosen]
    return [_RARE_WORDS.get(verb, verb) for verb in sorted(names, key=_VERB_ORDER.index)]


_VERB_ORDER = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy", ""),
    *("head", "post", "put", "options", "trace", "connect", OTHER),
)
_RARE_WORDS = {"": "methods without a verb", OTHER: "other methods"}


def where(region: Region) -> str:
    """Namespaces, empty for all."""
    if not region.resource_requests:
        return ""
    chosen, every = region.values[AxisName.NAMESPACE], region.universe[AxisName.NAMESPACE]
    if chosen == every:
        return ""
    if OTHER in chosen:
        return f" outside {_namespaces(every - chosen)}"
    return f" in {_namespaces(chosen)}"


def _namespaces(values: Iterable[Value]) -> str:
    names = sorted(str(value) for value in values)
    named = [name for name in names if name]
    words = []
    if named:
        words.append(f"namespace{'s' if len(named) > 1 else ''} {', '.join(named)}")
    if "" in names:
        words.append("no namespace (all of them at once, or objects without one)")
    return " or ".join(words)


def what(region: Region) -> str:
    """Resources or URLs."""
    return shortened_what(region, None)


def shortened_what(region: Region, most: int | None) -> str:
    """Resources or URLs, at most so many by name, with how many more there are."""
    chosen, every = region.values[AxisName.TARGET], region.universe[AxisName.TARGET]
    if not region.resource_requests:
        return _shorter(chosen, every, "any URL", _urls, most)
    return _shorter(chosen, every, "any resource", _resources, most)


def _shorter(
    chosen: frozenset[Value],
    every: frozenset[Value],
    everything: str,
    name: Callable[[frozenset[Value], frozenset[Value]], list[str]],
    most: int | None,
) -> str:
    """What is in, or, where that is shorter, what is not."""
    if chosen == every:
        return everything
    inside = name(chosen, every)
    outside = name(every - chosen, every)
    all_but = f"{everything} but {_some(outside, most)}"
    if not _is_open(chosen):
        return _some(inside, most)
    if most is None:
        return all_but if len(outside) <= len(inside) + _MANY else _some(inside, most)
    return min(all_but, _some(inside, most), key=len)


def _some(words: list[str], most: int | None) -> str:
    """The words. A shortened list has those that fit, with how many more there are."""
    if most is None:
        return ", ".join(words)
    short = [_shortened(word) for word in words]
    shown = 1
    while shown < len(short) and shown < most and len(", ".join(short[: shown + 1])) <= _LONGEST:
        shown += 1
    # One more name takes no more room than saying that there is one.
    if shown + 1 >= len(short):
        return ", ".join(short)
    return f"{', '.join(short[:shown])} and {len(short) - shown} more"


def _shortened(word: str) -> str:
    """`any resource of apps but daemonsets, deployments and 2 more`."""
    everything, but, rest = word.partition(" but ")
    left_out = rest.replace(" and ", ", ").split(", ")
    if not but or len(left_out) <= _LEFT_OUT + 1:
        return word
    return f"{everything}{but}{', '.join(left_out[:_LEFT_OUT])} and {len(left_out) - _LEFT_OUT} more"


def _is_open(values: frozenset[Value]) -> bool:
    """Whether what no rule names is among them."""
    return any(
        (value.group == OTHER and value.resource == OTHER) if isinstance(value, Target) else value == f"/{OTHER}"
        for value in values
    )


def _urls(chosen: frozenset[Value], every: frozenset[Value]) -> list[str]:
    paths = {str(path) for path in chosen}
    words = []
    for path in sorted(paths, key=lambda each: (len(each), each)):
        if path not in paths:
            continue
        prefix = path.removesuffix(OTHER)
        if prefix == path:
            words.append(path)
            continue
        below = {str(other) for other in every if str(other).startswith(prefix)}
        if prefix == "/":
            words.append("any other URL")
        elif below <= paths:
            words.append(f"{prefix}*")
            paths -= below - {path}
        else:
            words.append(f"any other URL below {prefix}")
    return words


def _resources(chosen: frozenset[Value], every: frozenset[Value]) -> list[str]:
    words: list[str] = []
    universe = sorted(value for value in every if isinstance(value, Target))
    targets = {value for value in chosen if isinstance(value, Target)}
    for group in dict.fromkeys(target.group for target in universe):
        members = [target for target in universe if target.group == group]
        words += _of_group(group, targets.intersection(members), members)
    return words


def _of_group(group: str, chosen: set[Target], members: Sequence[Target]) -> list[str]:
    if not chosen:
        return []
    if len(chosen) == len(members):
        return [f"any resource of {_group(group)}"]
    in_group = f" of {_group(group)}" if group == OTHER else ""
    others = {target for target in members if target.resource == OTHER}
    if others <= chosen:
        left_out = _of_group(group, set(members) - chosen, members)
        return [f"any resource of {_group(group)} but {_listed(left_out, 'and')}"]
    words = []
    left = set(chosen)
    for subresource in sorted({target.subresource for target in chosen} - {"", OTHER}):
        of_any = {target for target in members if target.subresource == subresource}
        if of_any <= left:
            words.append(f"*/{subresource}{'' if group in ('', OTHER) else f' of {group}'}")
            left -= of_any
    for resource in sorted({target.resource for target in left}):
        own = [target for target in members if target.resource == resource]
        words += _of_resource(resource, {target for target in left if target.resource == resource}, own)
    return [f"{word}{in_group}" for word in words]


def _of_resource(resource: str, chosen: set[Target], members: Sequence[Target]) -> list[str]:
    group = members[0].group
    name = qualified_name(resource, group) if resource != OTHER else f"any other resource of {_group(group)}"
    if len(chosen) == len(members):
        return [f"{name}/*"]
    words = []
    subresources = dict.fromkeys(target.subresource for target in members)
    full = [each for each in subresources if all(target in chosen for target in members if target.subresource == each)]
    if OTHER in full:
        left_out = [f"/{each}" if each else "itself" for each in subresources if each not in full]
        words.append(f"{name}/* but {', '.join(left_out)}")
    else:
        words += [f"{name}/{each}" if each else name for each in full]
    for subresource in subresources:
        if subresource in full:
            continue
        plain = f"{name}/{subresource}" if subresource not in ("", OTHER) else name
        if subresource == OTHER:
            plain = f"any other subresource of {name}"
        cells = [target for target in members if target.subresource == subresource]
        named = [target.name for target in cells if target in chosen]
        if OTHER in named:
            words.append(f"{plain} not named {_listed([each.name for each in cells if each not in chosen], 'or')}")
        elif named:
            words.append(f"{plain} named {_listed(named, 'or')}")
    return words


def qualified_name(resource: str, group: str) -> str:
    """The name as kubectl takes it: with the group where the bare name means another one."""
    usual = find_resource(resource, NEWEST_MINOR)
    if group == OTHER or (usual and (usual.resource, usual.group) == (resource, group)):
        return resource
    if not group:
        return resource if usual is None else f"{resource} (of the core group)"
    return f"{resource}.{group}"


def _group(group: str) -> str:
    return {"": "the core group", OTHER: "any other group"}.get(group, group)


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1])))
