"""Which steps are chosen, which are refused, and what is said when nothing is enough."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditlog.annotations.read import catalogue
from auditlog.events.budget import Budget
from auditlog.events.kinds import Amount, Kind, Kinds, KindSettings, Mark, Sample
from auditlog.events.replay import ReplaySettings, count
from auditlog.events.sources import find_logs
from auditlog.policy.model import GroupResources, Level, Policy, PolicyRule, Request, Stage
from auditlog.policy.overlay import Overlay, build_policy
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.tuning.knowledge import Area
from auditlog.tuning.marks import Marks
from auditlog.tuning.report import overlay, prediction_error
from auditlog.tuning.search import NodeKinds, Plan, Tuning, losses, search
from auditlog.tuning.steps import joined
from auditlog.tuning.tune import TuneError, TuneReport, tune
from tests.unit.events.generate import ALICE, METRICS, NODES, OPERATOR, Caller
from tests.unit.tuning.logs import RELEASE_BOT, by_hand, request, written

EVERYTHING = Policy((PolicyRule(Level.METADATA),), omit_stages=(Stage.REQUEST_RECEIVED,))
BODIES = Policy((PolicyRule(Level.REQUEST_RESPONSE),), omit_stages=(Stage.REQUEST_RECEIVED,))
NOTHING = Budget(3650, 1000)


def repeated(
    count: int, caller: Caller, verb: str, resource: str, group: str = "", **more: Any
) -> list[dict[str, Any]]:
    """The same request all over three hours."""
    return [request(caller, verb, resource, group, at=10_800 * n / count, **more) for n in range(count)]


def with_bodies(response: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The same update all over three hours, with its object as both bodies, or with another response."""
    body = {"data": {"key": "value" * 200}}
    more = {"level": "RequestResponse", "request_object": body, "response_object": response or body}
    return repeated(100, OPERATOR, "update", "widgets", "example.org", **more)


def found(folder: Path, events: list[dict[str, Any]], budget: Budget = NOTHING, **wanted: Any) -> TuneReport:
    tuning = replace(Tuning(EVERYTHING, budget), **wanted)
    return tune(find_logs([written(folder, sorted(events, key=lambda each: str(each["stageTimestamp"])))]), tuning)


def chosen(plan: Plan) -> list[str]:
    return [str(each.step) for each in plan.chosen]


def test_no_step_is_taken_where_the_budget_is_met(tmp_path: Path) -> None:
    report = found(tmp_path, repeated(50, METRICS, "list", "widgets", "example.org"), Budget(1, 10**9))
    assert report.plan.met
    assert report.plan.policy == EVERYTHING
    assert overlay(report.plan) == ""


def test_the_fewest_that_are_enough_are_taken_the_cheapest_first(tmp_path: Path) -> None:
    noise = repeated(300, METRICS, "list", "endpointslices", "discovery.k8s.io")
    pods = repeated(100, METRICS, "list", "pods")
    report = found(tmp_path, [*noise, *pods], Budget(30, 40_000_000))
    assert report.plan.met
    assert chosen(report.plan) == [
        "drop list of endpointslices.discovery.k8s.io by system:serviceaccount:monitoring:prometheus"
    ]


def test_a_step_that_a_later_one_makes_needless_is_taken_back(tmp_path: Path) -> None:
    """The small one loses less for each byte; with the large one, which alone is enough, it is not needed."""
    small = repeated(20, METRICS, "list", "endpointslices", "discovery.k8s.io")
    large = repeated(400, METRICS, "list", "pods")
    report = found(tmp_path, [*small, *large], Budget(30, 30_000_000))
    assert chosen(report.plan) == ["drop list of pods by system:serviceaccount:monitoring:prometheus"]


@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        (request(METRICS, "list", "pods", at=5000, code=403), "denied"),
        (request(METRICS, "list", "pods", at=5000, impersonated="alice"), "in another's name"),
        (request(by_hand(METRICS), "list", "pods", at=5000), "of a program's identity in a person's tool"),
    ],
)
def test_one_event_that_must_not_be_lost_refuses_the_step(tmp_path: Path, hidden: dict[str, Any], reason: str) -> None:
    report = found(tmp_path, [*repeated(100, METRICS, "list", "pods"), hidden])
    assert chosen(report.plan) == []
    (refused,) = report.plan.refused
    assert refused.reasons[0].startswith(reason)
    assert not report.plan.met


def test_it_is_refused_in_the_part_that_is_tried_on_as_well(tmp_path: Path) -> None:
    late = request(METRICS, "list", "pods", at=10_700, code=403)
    assert chosen(found(tmp_path, [*repeated(100, METRICS, "list", "pods"), late]).plan) == []


def test_other_verbs_of_the_same_resource_can_go(tmp_path: Path) -> None:
    events = [
        *repeated(100, METRICS, "list", "pods"),
        *repeated(100, METRICS, "watch", "pods"),
        request(METRICS, "list", "pods", at=5000, code=403),
    ]
    assert chosen(found(tmp_path, events).plan) == ["drop watch of pods by system:serviceaccount:monitoring:prometheus"]


def test_a_person_in_the_group_of_nodes_is_no_node(tmp_path: Path) -> None:
    intruder = Caller("mallory", ("system:nodes", "system:authenticated"), "client/1", "10.9.9.9")
    events = [*repeated(100, NODES[0], "list", "pods"), request(intruder, "list", "pods", at=5000)]
    (refused,) = found(tmp_path, events).plan.refused
    assert refused.reasons[0].startswith("of a person")


def test_a_controller_in_a_persons_name_is_left_alone_until_somebody_says_what_it_is(tmp_path: Path) -> None:
    events = [*repeated(100, RELEASE_BOT, "list", "pods"), *repeated(10, ALICE, "list", "pods")]
    plan = found(tmp_path, events).plan
    assert chosen(plan) == []
    assert [each.caller for each in plan.blockers] == ["release-bot", "alice@example.org"]
    named = found(tmp_path, events, programs=frozenset({"release-bot"})).plan
    assert chosen(named) == ["drop list of pods by release-bot"]
    assert [each.caller for each in named.blockers] == ["alice@example.org"]


def test_what_a_detection_counts_goes_only_where_detections_are_not_required(tmp_path: Path) -> None:
    events = repeated(100, METRICS, "get", "secrets")
    (refused,) = found(tmp_path, events, required=frozenset({Area.DETECTIONS})).plan.refused
    assert "detection secret" in refused.reasons[0]
    (refused,) = found(tmp_path, events, required=frozenset({Area.CIS})).plan.refused
    assert refused.reasons[0].startswith("cis: 3.2.2")
    (refused,) = found(tmp_path, events, required=frozenset({Area.QUESTIONS})).plan.refused
    assert "questions: secrets" in refused.reasons
    plan = found(tmp_path, events, required=frozenset()).plan
    assert chosen(plan)
    assert plan.loss.questions == ("secrets",)


def test_a_body_goes_and_the_event_stays(tmp_path: Path) -> None:
    events = with_bodies()
    plan = found(tmp_path, events, Budget(30, 30_000_000), policy=BODIES).plan
    assert plan.met
    assert chosen(plan) == [
        "lower update of widgets.example.org by system:serviceaccount:platform:deployer to Metadata"
    ]
    lowered = found(tmp_path, events, Budget(30, 60_000_000), policy=BODIES).plan
    assert chosen(lowered) == [
        "lower update of widgets.example.org by system:serviceaccount:platform:deployer to Request"
    ]


def test_a_step_that_another_one_contains_is_not_named_beside_it(tmp_path: Path) -> None:
    events = with_bodies(response={"kind": "Status"})
    plan = found(tmp_path, events, policy=BODIES).plan
    assert not plan.met
    assert [each.split(" to ")[1] for each in chosen(plan)] == ["Metadata"]


def test_a_body_that_a_detection_looks_into_stays(tmp_path: Path) -> None:
    events = repeated(100, OPERATOR, "create", "pods", level="Request", code=201, request_object={"spec": "x" * 500})
    policy = read_policy(preset_text("standard"), "standard")
    plan = found(tmp_path, events, policy=policy).plan
    assert chosen(plan) == []
    assert "detection privileged-container" in plan.refused[0].reasons[0]


def test_annotations_stand_for_the_bodies_of_everybody(tmp_path: Path) -> None:
    body = {"data": {"key": "value" * 200}}
    events = repeated(100, ALICE, "update", "configmaps", level="RequestResponse", request_object=body)
    assert chosen(found(tmp_path, events, policy=BODIES).plan) == []
    plan = found(tmp_path, events, policy=BODIES, annotations=catalogue()).plan
    assert chosen(plan) == ["lower update of configmaps to Metadata"]
    assert plan.chosen[0].step.annotations == ("configmap",)


def test_a_step_that_would_record_more_of_any_request_is_none(tmp_path: Path) -> None:
    quiet = PolicyRule(Level.NONE, resources=(GroupResources("example.org", ("widgets",)),), namespaces=("quiet",))
    policy = replace(BODIES, rules=(quiet, *BODIES.rules))
    body = {"data": "x" * 500}
    events = repeated(100, OPERATOR, "update", "widgets", "example.org", level="RequestResponse", request_object=body)
    assert chosen(found(tmp_path, events, policy=policy).plan) == []


def test_a_stage_that_repeats_the_next_one_goes_first(tmp_path: Path) -> None:
    policy = Policy((PolicyRule(Level.METADATA),))
    events = [
        event
        for stage in ("RequestReceived", "ResponseComplete")
        for event in repeated(100, ALICE, "list", "pods", stage=stage)
    ]
    plan = found(tmp_path, events, policy=policy).plan
    assert chosen(plan) == ["omit stage RequestReceived"]
    assert "omitStages: [RequestReceived]" in overlay(plan)


def test_nothing_is_concluded_about_what_there_was_no_room_for() -> None:
    def kinds(most: int) -> Kinds:
        found = Kinds(most=most)
        for caller, agent, groups in (
            ("system:nodes", "kubelet/1", ("system:nodes",)),
            ("system:serviceaccount:a:b", "client/1", ("system:serviceaccounts",)),
            ("mallory", "client/1", ("system:nodes",)),
        ):
            user = "system:node:a" if caller == "system:nodes" else caller
            sent = Request(user, groups, "list", resource="widgets", api_group="example.org")
            marks = (Mark("of a person"),) if caller == "mallory" else ()
            kind = Kind(caller, "list", "example.org", "widgets", "", Level.METADATA, Stage.RESPONSE_COMPLETE, 0, marks)
            found.add(kind, Amount(10, 1000), Sample("2025", sent, agent), tried=False)
        return found

    tuning = Tuning(EVERYTHING, NOTHING, required=frozenset())
    whole, cut = (search(tuning, [NodeKinds("cp1", kinds(most), 1, 1)]) for most in (3, 2))
    of_account = "drop list of widgets.example.org by system:serviceaccount:a:b"
    assert chosen(whole) == chosen(cut) == [of_account]
    assert [each.reasons[0][:11] for each in whole.refused] == ["of a person"]
    assert cut.refused == ()


def test_the_overlay_makes_the_policy_that_was_judged(tmp_path: Path) -> None:
    events = [
        *repeated(100, METRICS, "list", "pods"),
        *repeated(100, METRICS, "watch", "pods"),
        *repeated(100, OPERATOR, "list", "pods"),
        *repeated(100, METRICS, "list", "endpointslices", "discovery.k8s.io"),
        *repeated(100, NODES[1], "patch", "pods", "", subresource="status"),
    ]
    policy = read_policy(preset_text("forensic"), "forensic")
    plan = found(tmp_path, events, policy=policy).plan
    assert len(plan.chosen) == 5
    rules = tuple(rule for rule, _ in joined(each.step for each in plan.chosen))
    assert len(rules) < 5
    text = build_policy(Overlay(custom_text=preset_text("forensic"), rules_before=rules))
    assert read_policy(text, "new").rules == plan.policy.rules


def test_every_step_keeps_what_the_evaluator_says_must_stay(tmp_path: Path) -> None:
    """`losses` is the judge: it finds what a policy would lose that drops everything."""
    path = written(tmp_path, [*repeated(5, ALICE, "list", "pods"), *repeated(5, METRICS, "list", "pods")])
    counted = count(find_logs([path]), ReplaySettings(policy=EVERYTHING), kinds=KindSettings(Marks()))
    entries = list(itertools.chain(*(each.kinds.entries.items() for each in counted.nodes.values())))
    (lost,) = losses(EVERYTHING, Policy((PolicyRule(Level.NONE),)), entries)
    assert lost.startswith("of a person: 2025-02-21T00:00:00Z alice@example.org list pods shop/thing with kubectl")
    assert losses(EVERYTHING, EVERYTHING, entries) == ()


def test_the_same_log_gives_the_same_answer_by_one_process_and_by_two(tmp_path: Path) -> None:
    events = [event for seed in range(3) for event in repeated(200, (METRICS, OPERATOR, ALICE)[seed], "list", "pods")]
    path = written(tmp_path, sorted(events, key=lambda each: str(each["stageTimestamp"])))
    one, two = (tune(find_logs([path]), Tuning(EVERYTHING, NOTHING), processes) for processes in (1, 2))
    assert one == two


def test_the_prediction_is_compared_with_the_part_that_was_left_out(tmp_path: Path) -> None:
    steady = repeated(300, METRICS, "list", "pods")
    more_at_the_end = [request(ALICE, "get", "pods", at=9000 + n) for n in range(100)]
    (rates,) = found(tmp_path, [*steady, *repeated(30, ALICE, "get", "pods"), *more_at_the_end]).plan.rates
    error = prediction_error(rates)
    assert error is not None
    assert -1 < error < -0.8


def test_standard_input_and_a_log_of_a_minute_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match="standard input"):
        tune(find_logs(["-"]), Tuning(EVERYTHING, NOTHING))
    short = [request(ALICE, "get", "pods", at=at) for at in (0, 30)]
    with pytest.raises(TuneError, match="over a minute"):
        found(tmp_path, short)
