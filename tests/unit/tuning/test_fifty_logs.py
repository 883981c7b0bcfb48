"""Fifty generated logs, each with an attack in a noisy program's identity: what `tune` must never drop stays."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.cross_check import sights
from auditlog.events.budget import Budget
from auditlog.events.event import Event, to_request
from auditlog.events.sources import find_logs
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Level, Policy, Stage
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.tuning.search import Plan, Tuning
from auditlog.tuning.tune import tune
from tests.unit.events.generate import encode
from tests.unit.tuning.logs import events, written

_POLICIES = {name: read_policy(preset_text(name), name) for name in ("standard", "forensic", "cis")}
_sights = cache(lambda policy: sights(policy, DETECTIONS))
_IMPOSSIBLE = Budget(3650, 1000)
"""Nothing is left but what may not go."""


@pytest.mark.parametrize("seed", range(50))
def test_no_forbidden_event_is_dropped_and_no_detection_blinded(seed: int, tmp_path: Path) -> None:
    policy = list(_POLICIES.values())[seed % len(_POLICIES)]
    log, hidden = events(seed)
    plan = _tuned(tmp_path, log, policy)

    lost = [each for each in log if _is_written(policy, each) and not _is_written(plan.policy, each)]
    assert not [each for each in lost if _is_forbidden(each)]
    assert not [each for each in hidden if each in lost]
    able = [each for each, sight in zip(DETECTIONS, _sights(policy), strict=True) if sight.can_fire]
    assert all(sight.can_fire for sight in sights(plan.policy, able))


def test_the_logs_put_it_to_the_test(tmp_path: Path) -> None:
    """Without what protects them, attacks of these logs would be dropped: the steps are about their identities."""
    touched = 0
    for seed in range(3):
        policy = _POLICIES["forensic"]
        log, hidden = events(seed)
        plan = _tuned(tmp_path, log, policy)
        dropped = [each for each in log if _is_written(policy, each) and not _is_written(plan.policy, each)]
        touched += any(each["user"]["username"] == hidden[0]["user"]["username"] for each in dropped)
    assert touched


def _tuned(folder: Path, log: list[dict[str, Any]], policy: Policy) -> Plan:
    return tune(find_logs([written(folder, log)]), Tuning(policy, _IMPOSSIBLE)).plan


def _is_written(policy: Policy, event: dict[str, Any]) -> bool:
    decision = evaluate(policy, to_request(msgspec.json.decode(encode(event), type=Event)))
    return decision.level is not Level.NONE and Stage(event["stage"]) not in decision.omit_stages


def _is_forbidden(event: dict[str, Any]) -> bool:
    """Of a person, of an unknown identity, or denied; said here in other words than the program's own."""
    user: str = event["user"]["username"]
    known = user.startswith(("system:serviceaccount:", "system:node:", "system:kube-"))
    return not known or event["responseStatus"]["code"] in (401, 403)
