"""What a person decides by: what changes, how long the API is away, what is gained and lost, how to undo it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from auditlog.nodes.facts import Facts
from auditlog.plan.plan import make_plan
from auditlog.plan.removal import plan_removal
from auditlog.policy.presets import preset_text
from auditlog.review.decision import decide, decide_removal
from auditlog.review.in_short import in_short, read_in_short
from auditlog.review.topic import Decision
from auditlog.settings import AlertSettings, LokiRules, PolicySettings, RestartMode, RestartSettings, Settings
from tests.unit.plan.nodes import OWNER, applied, settings, untouched

HOUR = 3600


def of(facts: Facts, *names: str, preset: str = "low-write", **changes: Any) -> Decision:
    wanted: Settings = dataclasses.replace(settings(*names), policy=PolicySettings(preset), **changes)
    found = {node.name: dataclasses.replace(facts, hostname=node.name) for node in wanted.nodes}
    return decide(make_plan(wanted, preset_text(preset), found, OWNER), wanted, found)


def said(decision: Decision, topic: str) -> str:
    return "; ".join(next((each.sentences for each in decision.topics if each.name == topic), ()))


def test_nothing_is_said_where_nothing_changes() -> None:
    assert not of(applied())


def test_the_first_change_names_files_nodes_and_the_way_back() -> None:
    decision = of(untouched(), "cp1", "cp2")
    assert said(decision, "changes").startswith("policy file and manifest of cp1, cp2 (2 of 2 nodes); kubeadm-config")
    assert "1 of 2 answer meanwhile" in said(decision, "API")
    assert said(decision, "rehearsed") == "yes, a second API server runs with the new files first, on 2 of 2"
    assert said(decision, "recorded no more") == "nothing"
    assert "enabled: false" in said(decision, "undo")


def test_on_a_single_node_the_whole_api_is_away_unless_it_is_redirected() -> None:
    assert "the cluster's API is away" in said(of(untouched()), "API")
    restart = RestartSettings(RestartMode.SEAMLESS)
    seamless = of(dataclasses.replace(untouched(), redirect_tool="nft"), restart=restart)
    assert "the API stays reachable" in said(seamless, "API")
    assert "is away" not in said(seamless, "API")


def test_without_a_rehearsal_it_says_why() -> None:
    restart = RestartSettings(RestartMode.DRAIN, rehearsal=False)
    assert said(of(untouched(), restart=restart), "rehearsed") == "no on cp1 (1 of 1 node): switched off"


def test_a_change_of_the_policy_says_what_is_known_and_which_alerts_see_more() -> None:
    alerts = AlertSettings(loki=LokiRules.CONFIGMAP, disable=("mass-deletion",))
    decision = of(applied(), preset="standard", alerts=alerts)
    assert said(decision, "changes") == "policy file and manifest of cp1 (1 of 1 node)"
    assert "who read a Secret" in said(decision, "recorded from now on")
    assert re.search(r"see all now: [a-z-]+, ", said(decision, "alerts"))
    assert "the earlier settings" in said(decision, "undo")
    assert said(of(applied(), preset="standard"), "alerts") == "off, no rule is deployed"


def test_what_one_node_lacks_names_that_node() -> None:
    wanted = settings("cp1", "cp2")
    facts = {name: dataclasses.replace(applied(), hostname=name) for name in ("cp1", "cp2")}
    facts["cp2"] = dataclasses.replace(untouched(), hostname="cp2", owner=OWNER)
    decision = decide(make_plan(wanted, preset_text("low-write"), facts, OWNER), wanted, facts)
    assert said(decision, "recorded from now on").startswith("who changed a Secret (on cp2); ")


def test_a_live_policy_that_cannot_be_read_is_compared_with_nothing() -> None:
    facts = applied()
    assert facts.policy is not None
    broken = dataclasses.replace(facts, policy=dataclasses.replace(facts.policy, text="rules: ["))
    assert said(of(broken), "recorded").startswith("cannot be known")


def test_days_come_from_what_the_node_wrote_so_far_and_are_not_guessed() -> None:
    assert "is known after an hour" in said(of(untouched()), "disk")
    wrote = dataclasses.replace(applied(), log_written_bytes=10 * 2**20 * 100, log_written_seconds=48 * HOUR)
    disk = said(of(wrote, preset="standard"), "disk")
    assert "rotated files hold 2.0 days of it" in disk
    assert "not known here" in disk


def test_a_removal_says_what_is_lost() -> None:
    wanted = settings()
    facts = {"cp1": applied()}
    decision = decide_removal(plan_removal(wanted, facts, OWNER), wanted, facts)
    assert "audit logging is taken off cp1 (1 of 1 node)" in said(decision, "changes")
    assert "who changed a Secret" in said(decision, "recorded no more")
    assert said(decision, "recorded from now on") == "nothing"


@pytest.mark.parametrize("nodes", [("cp1",), ("cp1", "cp2", "cp3", "cp4", "cp5", "cp6", "cp7")])
def test_what_the_program_writes_the_page_reads(nodes: tuple[str, ...]) -> None:
    decision = of(untouched(), *nodes, preset="standard")
    text = in_short(decision)
    assert read_in_short(text.split("\n")) == decision
    assert max(map(len, text.split("\n")[1:])) <= 110
    assert read_in_short(("cp1: restart",)) is None
