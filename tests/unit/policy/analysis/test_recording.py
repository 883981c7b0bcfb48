"""Whether a policy records what a question looks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import OTHER
from auditlog.policy.phrase import groups_of
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.policy.recording import Hole, Need, recording
from auditlog.policy.remedy import rules_for

SECRETS = (GroupResources("", ("secrets",)),)
_READ = PolicyRule(Level.METADATA, verbs=("get", "list", "watch"), resources=SECRETS)
READS = Need("reads of Secrets", (_READ,), advice=(_READ,))
ALL = PolicyRule(Level.METADATA)
DROP_ALL = PolicyRule(Level.NONE)


def hidden_by(policy: Policy, need: Need = READS) -> list[int | None]:
    return [hole.rule for hole in recording(policy, need).holes]


@pytest.mark.parametrize(
    ("preset", "rules", "some"),
    [("standard", [], True), ("minimal", [], True), ("secrets", [], True), ("low-write", [1], False)],
)
def test_the_presets_do_with_reads_of_secrets_what_they_say(preset: str, rules: list[int], some: bool) -> None:
    found = recording(read_policy(preset_text(preset), preset), READS)
    assert ([hole.rule for hole in found.holes], found.records_some) == (rules, some)


@pytest.mark.parametrize(
    ("rules", "hidden"),
    [
        ((), [None]),
        ((PolicyRule(Level.NONE, users=("alice",)), ALL), [0]),
        ((PolicyRule(Level.NONE, namespaces=("prod",)), ALL), [0]),
        ((PolicyRule(Level.NONE, user_groups=("dev",)), ALL), [0]),
        ((PolicyRule(Level.NONE, resources=(GroupResources("", ("secrets",), ("db",)),)), ALL), [0]),
        ((PolicyRule(Level.NONE, verbs=("watch",)), ALL), [0]),
        ((PolicyRule(Level.METADATA, resources=SECRETS), DROP_ALL), []),
        ((PolicyRule(Level.METADATA, user_groups=("system:authenticated",)), DROP_ALL), [1]),
        ((PolicyRule(Level.NONE, non_resource_urls=("*",)), ALL), []),
        ((PolicyRule(Level.NONE, resources=(GroupResources("", ("pods", "secrets/status")),)), ALL), []),
        ((PolicyRule(Level.NONE, resources=(GroupResources("apps"),)), ALL), []),
        ((ALL, DROP_ALL), []),
    ],
)
def test_the_rule_that_hides_some_request_is_named(rules: tuple[PolicyRule, ...], hidden: list[int | None]) -> None:
    assert hidden_by(Policy(rules)) == hidden


def test_everybody_who_is_known_is_authenticated() -> None:
    policy = Policy((PolicyRule(Level.METADATA, user_groups=("system:authenticated",)), DROP_ALL))
    (hole,) = recording(policy, READS).holes
    assert [str(sender) for sender in hole.senders] == ["users whose authentication failed", "system:anonymous"]


@pytest.mark.parametrize(
    ("omitted", "hidden"),
    [
        ((Stage.REQUEST_RECEIVED,), False),
        ((Stage.RESPONSE_COMPLETE,), True),
        ((Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED), True),
        ((Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE), True),
        ((Stage.REQUEST_RECEIVED, Stage.PANIC), True),
        (tuple(Stage), True),
    ],
)
def test_omitted_stages_hide_requests_too(omitted: tuple[Stage, ...], hidden: bool) -> None:
    for policy in (Policy((ALL,), omitted), Policy((PolicyRule(Level.METADATA, omit_stages=omitted),))):
        known = Need(READS.what, READS.rules, sent_by=lambda sender: sender.user is not None)
        final = Need(READS.what, READS.rules, sent_by=lambda sender: sender.user is not None, final=True)
        # RequestReceived alone shows the request; only what stands in the last event is missing.
        assert bool(recording(policy, known).holes) == (hidden and Stage.REQUEST_RECEIVED in omitted)
        assert bool(recording(policy, final).holes) == bool({Stage.RESPONSE_COMPLETE, Stage.PANIC} & set(omitted))


def test_a_failed_authentication_has_one_event_at_response_started() -> None:
    policy = Policy((ALL,), (Stage.RESPONSE_STARTED,))
    (hole,) = recording(policy, READS).holes
    assert hole == Hole(0, frozenset({Stage.RESPONSE_STARTED}), hole.senders, of_everyone=False)
    assert [sender.user for sender in hole.senders] == [None]


_USERS = ("alice", "system:apiserver", "system:serviceaccount:prod:app", "system:node:w1", "system:anonymous")
_GROUPS = ("dev", "ops", "system:authenticated", "system:nodes", "system:serviceaccounts", "system:unauthenticated")
_NAMESPACES = ("", "prod", "dev")
_NAMES = ("db", "web")


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


rules = st.builds(
    PolicyRule,
    level=st.sampled_from(list(Level)),
    users=some(_USERS),
    user_groups=some(_GROUPS),
    verbs=some(("get", "list", "watch", "delete")),
    resources=st.lists(
        st.builds(
            GroupResources,
            group=st.sampled_from(("", "apps", "*")),
            resources=some(("secrets", "secrets/*", "pods", "*")),
            resource_names=some(_NAMES),
        ),
        max_size=2,
    ).map(tuple),
    namespaces=some(_NAMESPACES),
    omit_stages=st.lists(st.sampled_from(list(Stage)), max_size=2).map(tuple),
)
policies = st.builds(Policy, rules=st.lists(rules, max_size=5).map(tuple))


@st.composite
def reads(draw: st.DrawFn) -> Request:
    user = draw(st.sampled_from((*_USERS, OTHER, None)))
    own = () if user is None else groups_of(user)
    more = draw(some(("dev", "ops"))) if own == ("system:authenticated",) else ()
    return Request(
        user=user,
        groups=(*own, *more),
        verb=draw(st.sampled_from(("get", "list", "watch"))),
        resource="secrets",
        namespace=draw(st.sampled_from((*_NAMESPACES, OTHER))),
        name=draw(st.sampled_from((*_NAMES, OTHER))),
    )


@given(policies, st.lists(reads(), min_size=1, max_size=8))
def test_a_policy_without_holes_records_every_request(policy: Policy, requests: list[Request]) -> None:
    holes = {hole.rule for hole in recording(policy, READS).holes}
    for request in requests:
        decision = evaluate(policy, request)
        written = set(Stage) - decision.omit_stages
        seen = decision.level is not Level.NONE and bool(
            written & {Stage.RESPONSE_STARTED}
            if request.user is None
            else written & {Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE}
        )
        assert seen or decision.rule_index in holes


def mended(policy: Policy, need: Need) -> Policy:
    """The policy with the remedy for every hole, the last rule's first."""
    rules = list(policy.rules)
    holes = [hole for hole in recording(policy, need).holes if not hole.omitted]
    for position, hole in sorted(
        ((len(policy.rules) if hole.rule is None else hole.rule, hole) for hole in holes),
        key=lambda each: each[0],
        reverse=True,
    ):
        rules[position:position] = rules_for(policy, need, hole)
    return Policy(tuple(rules), policy.omit_stages)


@given(policies)
def test_the_remedies_close_every_hole_of_known_senders(policy: Policy) -> None:
    known = replace(READS, sent_by=lambda sender: not sender.is_unauthenticated)
    assert [hole for hole in recording(mended(policy, known), known).holes if not hole.omitted] == []


@given(policies)
def test_the_remedies_close_every_hole_of_nobody_known(policy: Policy) -> None:
    nobody = Need("anything", (PolicyRule(Level.METADATA),), sent_by=lambda sender: sender.is_unauthenticated)
    assert [hole for hole in recording(mended(policy, nobody), nobody).holes if not hole.omitted] == []
