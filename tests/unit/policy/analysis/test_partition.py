"""The partition and its regions beside brute force: every request of a small world, decided one by one."""

from __future__ import annotations

from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlog.policy.difference import difference
from auditlog.policy.evaluate import compile_policy, evaluate, rule_matches
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import (
    OTHER,
    AxisName,
    Target,
    Value,
    deciders,
    partition,
    request_of,
)
from auditlog.policy.regions import Region, regions
from auditlog.policy.resources import is_resource_path
from tests.unit.policy.analysis.strategies import ALL_REQUESTS, POLICIES, RULES

_thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_thorough
@given(POLICIES, POLICIES)
def test_the_outcomes_are_those_of_all_requests(old: Policy, new: Policy) -> None:
    decide_old, decide_new = compile_policy(old), compile_policy(new)
    expected = {(decide_old(request).rule_index, decide_new(request).rule_index) for request in ALL_REQUESTS}
    assert partition((old, new)).outcomes == expected


@_thorough
@given(POLICIES)
def test_every_way_through_a_diagram_is_a_request_with_that_outcome(policy: Policy) -> None:
    for diagram in partition((policy,)).diagrams:
        node = diagram.root
        values: list[Value] = []
        while node.children:
            # The last choice is the most peculiar one: what most rules name comes first.
            values.append(diagram.axes[node.depth].choices[-1].values[-1])
            node = node.children[-1]
        request = request_of(diagram, values)
        assert node.outcomes == {(evaluate(policy, request).rule_index,)}


@_thorough
@given(st.lists(RULES, max_size=4), RULES)
def test_the_deciders_of_a_rule_are_those_of_its_requests(earlier: list[PolicyRule], rule: PolicyRule) -> None:
    decide = compile_policy(Policy(tuple(earlier)))
    expected = {decide(request).rule_index for request in ALL_REQUESTS if rule_matches(rule, request)}
    assert deciders(earlier, rule) == expected


@_thorough
@given(POLICIES, POLICIES)
def test_a_difference_names_exactly_the_requests_that_differ(old: Policy, new: Policy) -> None:
    decide_old, decide_new = compile_policy(old), compile_policy(new)
    found = difference(old, new)
    details = {pair for change in found.details for pair in change.rules}
    for request in ALL_REQUESTS:
        before, after = decide_old(request), decide_new(request)
        levels = tuple(Level.NONE if len(each.omit_stages) == len(Stage) else each.level for each in (before, after))
        named = {(change.old, change.new) for change in found.levels if _holds(change.region, request)}
        assert named == ({levels} if levels[0] is not levels[1] else set())
        written = Level.NONE not in levels
        bodies = min(before.level, after.level) >= Level.REQUEST
        differs_in_detail = written and (
            before.omit_stages != after.omit_stages
            or (bodies and before.omit_managed_fields != after.omit_managed_fields)
        )
        assert ((before.rule_index, after.rule_index) in details) == differs_in_detail


_SIX_GROUPS = ("a", "b", "c", "d", "e", "f")
_GROUP_POLICIES = st.builds(
    Policy,
    st.lists(
        st.builds(
            PolicyRule,
            level=st.sampled_from((Level.NONE, Level.METADATA)),
            user_groups=st.lists(st.sampled_from(_SIX_GROUPS), min_size=1, max_size=3, unique=True).map(tuple),
        ),
        max_size=6,
    ).map(tuple),
)


@settings(max_examples=300, deadline=None)
@given(_GROUP_POLICIES, _GROUP_POLICIES)
def test_what_is_said_about_groups_holds_for_users_in_any_number_of_them(old: Policy, new: Policy) -> None:
    found = difference(old, new).levels
    for count in range(len(_SIX_GROUPS) + 1):
        for groups in combinations(_SIX_GROUPS, count):
            request = Request("alice", groups, "get", resource="pods")
            levels = evaluate(old, request).level, evaluate(new, request).level
            named = {(change.old, change.new) for change in found if _holds(change.region, request)}
            assert named == ({levels} if levels[0] is not levels[1] else set())


@_thorough
@given(POLICIES)
def test_a_policy_does_not_differ_from_itself(policy: Policy) -> None:
    assert not difference(policy, policy)


@_thorough
@given(POLICIES)
def test_a_rule_that_never_decides_makes_no_difference(policy: Policy) -> None:
    hidden = PolicyRule(Level.REQUEST_RESPONSE, users=("alice",), user_groups=("dev",))
    catch_all = PolicyRule(Level.METADATA)
    old = Policy((*policy.rules, catch_all), policy.omit_stages, policy.omit_managed_fields)
    new = Policy((*policy.rules, catch_all, hidden), policy.omit_stages, policy.omit_managed_fields)
    assert not difference(old, new)


def test_many_groups_and_users_do_not_explode() -> None:
    rules = tuple(
        PolicyRule(Level.METADATA, users=(f"user-{number}",), user_groups=(f"group-{number}",), verbs=("get",))
        for number in range(60)
    )
    assert {outcome[0] for outcome in partition((rules,)).outcomes} == {None, *range(60)}


def test_a_difference_over_many_groups_is_found_among_all_their_sets() -> None:
    rules = tuple(
        PolicyRule(Level.NONE if number % 2 else Level.METADATA, user_groups=(f"group-{number}",))
        for number in range(16)
    )
    found = difference(Policy(rules), Policy(rules[:-1])).levels
    assert found == ()
    found = difference(Policy(rules), Policy(rules[1:])).levels
    assert {(change.old, change.new) for change in found} == {(Level.METADATA, Level.NONE)}
    everyone = tuple(f"group-{number}" for number in range(16))
    lost = Request("alice", ("group-0", "group-1"), "get", resource="pods")
    kept = Request("alice", everyone[:1] + everyone[2:3], "get", resource="pods")
    assert any(_holds(change.region, lost) for change in found)
    assert not any(_holds(change.region, kept) for change in found)


def test_groups_that_stand_in_the_same_rules_are_all_named() -> None:
    policy = Policy((PolicyRule(Level.METADATA, user_groups=("dev", "ops")),))
    (recorded, *_) = regions((policy,), lambda outcome: outcome[0])
    assert recorded.membership.one_of == (frozenset(("dev", "ops")),)


def test_paths_below_an_api_version_are_no_urls() -> None:
    paths = ("/api/v1", "/api/v1/", "/apis/apps/v1/", "/healthz", "/")
    assert [is_resource_path(path) for path in paths] == [False] * len(paths)
    assert is_resource_path("/api/v1/pods")
    assert is_resource_path("/apis/apps/v1/deployments")
    rule = PolicyRule(Level.METADATA, non_resource_urls=("/api/v1/pods", "/apis/apps/v1/namespaces/*"))
    assert deciders((), rule) == frozenset()
    below = PolicyRule(Level.METADATA, non_resource_urls=("/apis/apps/v1/*",))
    assert deciders((), below) == {None}


def test_two_rules_for_namespaces_together_hide_a_third_only_when_they_leave_nothing() -> None:
    resources = (GroupResources("", ("secrets",)),)
    earlier = [PolicyRule(Level.NONE, namespaces=(name,), resources=resources) for name in ("prod", "test")]
    both = PolicyRule(Level.METADATA, namespaces=("prod", "test"), resources=resources)
    more = PolicyRule(Level.METADATA, namespaces=("prod", "test", ""), resources=resources)
    assert deciders(earlier, both) == {0, 1}
    assert deciders(earlier, more) == {0, 1, None}


def _holds(region: Region, request: Request) -> bool:
    """Whether a request is in a region, by what the region says in values and groups."""
    if region.resource_requests != request.resource_request:
        return False
    target: Value
    if request.resource_request:
        known = {value for value in region.universe[AxisName.TARGET] if isinstance(value, Target)}
        group = request.api_group if any(each.group == request.api_group for each in known) else OTHER
        in_group = {each for each in known if each.group == group}
        resource = request.resource if any(each.resource == request.resource for each in in_group) else OTHER
        subresource = (
            request.subresource if any(each.subresource == request.subresource for each in in_group) else OTHER
        )
        named = Target(group, resource, subresource, request.name)
        target = named if named in known else named._replace(name=OTHER)
    else:
        paths = sorted((str(path) for path in region.universe[AxisName.TARGET]), key=len, reverse=True)
        exact = [path for path in paths if path == request.path and not path.endswith(OTHER)]
        below = [path for path in paths if path.endswith(OTHER) and request.path.startswith(path.removesuffix(OTHER))]
        target = (exact or below)[0]
    values: dict[AxisName, Value] = {
        AxisName.VERB: _known(request.verb, region, AxisName.VERB),
        AxisName.TARGET: target,
        AxisName.USER: _known(request.user, region, AxisName.USER),
    }
    if request.resource_request:
        values[AxisName.NAMESPACE] = _known(request.namespace, region, AxisName.NAMESPACE)
    inside = all(value in region.values[name] for name, value in values.items())
    return inside and region.membership.holds(frozenset(request.groups))


def _known(value: str | None, region: Region, name: AxisName) -> Value:
    return value if value in region.universe[name] else OTHER
