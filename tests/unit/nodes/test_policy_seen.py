"""What an account that only reads can tell of the policy in force, and what becomes of it when it is kept."""

from __future__ import annotations

import dataclasses
import json

from auditlog.events.history_text import kept_text
from auditlog.events.in_force import NO_POLICY, read_history
from auditlog.manifest.desired import sha256
from auditlog.nodes.facts import Facts
from auditlog.nodes.policy_seen import moment_of
from auditlog.policy.presets import preset_text
from auditlog.policy.validate import policy_as_read
from tests.unit.plan.nodes import POLICY, applied, remote, untouched

LOWERED = preset_text("minimal")
ANEW = "the API server was started anew unobserved"


def seen(policy: str, changed: int, started: int) -> Facts:
    """A node with this policy file and an API server of this age."""
    facts = applied(policy)
    processes = tuple(dataclasses.replace(each, started=started) for each in facts.processes)
    return dataclasses.replace(facts, policy=remote(policy, changed), processes=processes)


def known(*looks: tuple[int, Facts]) -> list[tuple[int | None, int | None, list[str], str]]:
    """The periods that regular looks make: from, to, policies, and why it is not known."""
    kept: dict[str, str] = {}
    for moment, facts in looks:
        text = kept_text(kept, {"cp1": moment_of("cp1", facts, moment)})
        kept = {node: "\n".join(lines) for node, lines in json.loads(text)["nodes"].items()}
    return [
        (
            int(each.start.timestamp()) if each.start else None,
            int(each.end.timestamp()) if each.end else None,
            [policy.source.removeprefix("policy ") for policy in each.policies],
            each.unknown,
        )
        for each in read_history(kept, policy_as_read).of("cp1")
    ][1:-1]


def short(policy: str) -> str:
    return sha256(policy)[:12]


def test_an_edit_by_hand_happened_somewhere_between_two_looks() -> None:
    looks = (5000, seen(POLICY, 2000, 2010)), (9000, seen(LOWERED, 7000, 7100)), (13000, seen(LOWERED, 7000, 7100))
    assert known(*looks) == [
        (2010, 5001, [short(POLICY)], ""),
        (5001, 7100, [short(POLICY), short(LOWERED)], ANEW),
        (7100, 13001, [short(LOWERED)], ""),
    ]


def test_an_edit_without_a_restart_changes_nothing_that_is_in_force() -> None:
    looks = (5000, seen(POLICY, 2000, 2010)), (9000, seen(LOWERED, 7000, 2010))
    assert known(*looks) == [(2010, 9001, [short(POLICY)], "")]


def test_one_look_after_an_edit_without_a_restart_knows_nothing() -> None:
    ((start, end, policies, unknown),) = known((9000, seen(LOWERED, 7000, 2010)))
    assert (start, end, policies) == (2010, 9001, [])
    assert unknown.startswith("the policy file was changed after the API server had read it")


def test_without_the_flag_nothing_is_recorded() -> None:
    assert known((5000, untouched())) == [(1100, 5001, [NO_POLICY.source], "")]


def test_a_policy_elsewhere_is_not_the_one_that_was_read() -> None:
    elsewhere = dataclasses.replace(seen(POLICY, 2000, 2010), policy_path="/etc/other.yaml")
    assert known((5000, elsewhere)) == [(2010, 5001, [], "the text of the policy was not kept")]


def test_a_clock_ahead_of_this_machines_is_no_damage() -> None:
    assert known((5000, seen(POLICY, 5990, 6000))) == [(6000, 6001, [short(POLICY)], "")]


def test_a_node_without_an_api_server_says_nothing() -> None:
    assert moment_of("cp1", dataclasses.replace(untouched(), processes=()), 5000) == ""
