"""Every sentence of a difference is checked: on all requests of a small world, and on presets by the API server's code.

What the sentences say is what they hold (`Sentence`); that the words are those of just these requests is shown by
`test_other_requests_have_other_words` and `test_other_callers_have_other_words`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.partition import OTHER, AxisName, request_of
from auditlog.policy.presets import preset_names, preset_text
from auditlog.policy.senders import Sender, senders
from auditlog.policy.summary import Direction, Sentence, Summary, summarize, to_lines
from auditlog.policy.summary.callers import who
from auditlog.policy.summary.sentences import Part
from auditlog.policy.validate import policy_as_read
from tests.differential.oracle import Question, ask
from tests.unit.policy.analysis.strategies import ALL_REQUESTS, GROUPS, POLICIES
from tests.unit.policy.public_mistakes import EXAMINED, Mistake

AUTHENTICATED = "system:authenticated"
POSSIBLE = tuple(
    Request(
        each.user,
        (*each.groups, AUTHENTICATED) if each.user else (),
        each.verb,
        each.resource_request,
        each.api_group,
        each.api_version,
        each.resource,
        each.subresource,
        each.namespace,
        each.name,
        each.path,
    )
    for each in ALL_REQUESTS
)


def level(policy: Policy, request: Request) -> Level:
    decision = evaluate(policy, request)
    return Level.NONE if len(decision.omit_stages) == len(Stage) else decision.level


def assert_said(found: Summary, request: Request, old: Level, new: Level) -> None:
    """That a request changes exactly as the sentences about it say."""
    about = found.about(request)
    assert about is not None, request
    for sentence in about:
        assert old in sentence.old, (request, sentence)
        assert new in sentence.new, (request, sentence)
        assert old >= new if sentence.direction is Direction.LESS else old <= new
    direction = Direction.LESS if old > new else Direction.MORE
    assert old is new or any(sentence.direction is direction for sentence in about), (request, old, new)


@settings(max_examples=60, deadline=None)
@given(POLICIES, POLICIES, st.randoms(use_true_random=False))
def test_requests_change_exactly_as_the_sentences_say(old: Policy, new: Policy, chance: random.Random) -> None:
    found = summarize(old, new)
    assert all(sentence.weight > 0 for sentence in found.sentences)
    for request in chance.sample(POSSIBLE, 500):
        assert_said(found, request, level(old, request), level(new, request))


@settings(max_examples=60, deadline=None)
@given(POLICIES, POLICIES)
def test_stages_and_managed_fields_change_as_is_said(old: Policy, new: Policy) -> None:
    found = summarize(old, new)
    seen = set()
    for request in POSSIBLE[::7]:
        before, after = evaluate(old, request), evaluate(new, request)
        if Level.NONE in (level(old, request), level(new, request)):
            continue
        words = [
            f"{'without' if stage in after.omit_stages else 'with'} {stage.value}"
            for stage in Stage
            if (stage in before.omit_stages) != (stage in after.omit_stages)
        ]
        if min(before.level, after.level) >= Level.REQUEST and before.omit_managed_fields != after.omit_managed_fields:
            words.append(f"{'without' if after.omit_managed_fields else 'with'} managedFields")
        seen.add(tuple(words))
    said = {each.details for each in found.details}
    assert seen - {()} <= said
    if any(each.everywhere for each in found.details):
        assert seen <= said


@settings(max_examples=60, deadline=None)
@given(POLICIES)
def test_a_policy_does_not_differ_from_itself(policy: Policy) -> None:
    assert not summarize(policy, policy)


def concrete(found: Summary, sentence: Sentence, part: Part, chance: random.Random) -> Request:
    """One request that the part names."""
    plane = found.grid.planes[part.plane]
    targets = [index for index in range(part.box.targets.bit_length()) if part.box.targets >> index & 1]
    places = [sorted(part.box.verbs), targets, sorted(part.box.namespaces)]
    values = [
        chance.choice(axis.choices[chance.choice(indices)].values)
        for axis, indices in zip(plane.axes, places, strict=False)
    ]
    caller = found.grid.callers[chance.choice(sorted(sentence.callers))]
    sender: Sender = chance.choice(caller.senders)
    axes = (*plane.axes, *(_Axis(name) for name in (AxisName.USER, AxisName.GROUPS)))
    request = request_of(_Diagram(axes), [*values, sender.user, sender.groups])  # type: ignore[arg-type]
    changed = {
        field: getattr(request, field).replace(OTHER, "other")
        for field in ("user", "verb", "api_group", "resource", "subresource", "namespace", "name", "path")
        if getattr(request, field) is not None
    }
    return Request(
        **{**{name: getattr(request, name) for name in ("groups", "resource_request")}, "user": None, **changed}
    )


class _Axis:
    def __init__(self, name: AxisName) -> None:
        self.name = name


class _Diagram:
    def __init__(self, axes: object) -> None:
        self.axes = axes


def judged_by_the_api_server(old: str, new: str, minor: int) -> Iterator[tuple[Summary, Request, Level, Level]]:
    """Requests that the sentences about two texts name, with the levels that the API server's own code gives them."""
    found = summarize(policy_as_read(old, "old"), policy_as_read(new, "new"))
    chance = random.Random(26)  # noqa: S311 - the same requests each time
    requests = tuple(
        concrete(found, sentence, part, chance)
        for sentence in found.sentences
        for part in sentence.parts
        for _ in range(10)
    )
    answers = ask(minor, [Question(old, requests), Question(new, requests)])
    for request, before, after in zip(requests, answers[0].decisions, answers[1].decisions, strict=True):
        levels = [Level.NONE if len(each.omit_stages) == len(Stage) else Level(each.level) for each in (before, after)]
        yield found, request, levels[0], levels[1]


@pytest.mark.parametrize(("old", "new"), list(permutations(preset_names(), 2)))
def test_the_api_server_decides_as_the_sentences_about_presets_say(old: str, new: str) -> None:
    for found, request, before, after in judged_by_the_api_server(preset_text(old), preset_text(new), 37):
        assert_said(found, request, before, after)


STARTING = tuple(mistake for mistake in EXAMINED if 37 in mistake.starts)


@pytest.mark.parametrize("mistake", STARTING, ids=lambda each: each.name)
def test_the_api_server_decides_as_the_sentences_about_a_mistake_say(mistake: Mistake) -> None:
    for text in (preset_text("standard"), preset_text("minimal")):
        for found, request, before, after in judged_by_the_api_server(mistake.policy, text, 37):
            assert_said(found, request, before, after)


def test_from_a_preset_to_another_or_to_a_mistake_and_back_takes_at_most_20_lines_of_requests() -> None:
    presets = [policy_as_read(preset_text(name), name) for name in preset_names()]
    mistakes = [policy_as_read(mistake.policy, mistake.name) for mistake in STARTING]
    pairs = [*permutations(presets, 2), *product(presets, mistakes), *product(mistakes, presets)]
    most = max(len(to_lines(summarize(old, new))) for old, new in pairs)
    assert most <= 20


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_other_callers_have_other_words(data: st.DataObject) -> None:
    rules = (
        PolicyRule(Level.NONE, users=("alice", "system:kube-scheduler")),
        PolicyRule(Level.NONE, user_groups=GROUPS),
    )
    everyone = tuple(senders(rules, most_groups=3))
    chosen = st.sets(st.sampled_from(everyone), min_size=1)
    one, other = data.draw(chosen), data.draw(chosen)
    assert (one == other) == (who(one, everyone, GROUPS) == who(other, everyone, GROUPS))


RULES = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
EVERYTHING = "- level: Metadata\n"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (
            EVERYTHING,
            "- level: None\n  namespaces: [load-test]\n" + EVERYTHING,
            ["everyone: any verb of any resource in namespace load-test: nothing is recorded any more (was Metadata)"],
        ),
        (
            EVERYTHING,
            "- level: None\n  userGroups: ['system:nodes', 'system:unauthenticated']\n" + EVERYTHING,
            [
                "nodes and system:anonymous: any verb of any resource; any method of any URL: nothing is recorded any "
                "more (was Metadata)"
            ],
        ),
        (
            "- level: None\n  verbs: [get, list, watch]\n" + EVERYTHING,
            "- level: Metadata\n  resources: [{group: '', resources: [secrets]}]\n"
            "- level: None\n  verbs: [get, list, watch]\n" + EVERYTHING,
            ["everyone: get, list, watch of secrets: Metadata from now on (was None)"],
        ),
        (
            "- level: Request\n",
            "- level: Metadata\n  userGroups: [dev, ops]\n- level: Request\n",
            [
                "members of dev and members of ops: any verb of any resource; any method of any URL: Metadata only "
                "from now on (was Request)"
            ],
        ),
    ],
)
def test_one_cause_is_one_sentence(old: str, new: str, lines: list[str]) -> None:
    found = summarize(policy_as_read(RULES + old, "old"), policy_as_read(RULES + new, "new"))
    assert to_lines(found) == lines


def test_members_of_more_groups_than_are_told_apart_are_said_to_be_unknown() -> None:
    rules = tuple(PolicyRule(Level.METADATA, user_groups=(f"group-{number}",)) for number in range(60))
    found = summarize(Policy(rules), Policy((*rules[:-1], PolicyRule(Level.NONE, user_groups=("group-59",)))))
    assert to_lines(found)[-1] == (
        "not known here: what changes for members of more than 2 of 60 groups (auditlog diff --full)"
    )
