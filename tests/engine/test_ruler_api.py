"""Rules through the API of real Loki's ruler, under the real engine: created, changed, repaired, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.engine.audited_cluster import Cluster, succeed
from tests.engine.engine_stack import EngineStack, Run
from tests.engine.guarded_ruler import GuardedRuler, guarding
from tests.observability.pipeline import running

pytest_plugins = ("tests.engine.cluster_fixtures",)

TENANT, OTHERS = "team-a", "team-b"
OURS = "kubernetes-audit-test"
USER = "user-of-rules"
# Whatever may be in a password: what a shell, curl's own format and a log would trip over.
PASSWORD = "p\"a\\s's $(id) `w`;#"
THEIRS = {
    "name": "theirs",
    "interval": "1m",
    "rules": [{"alert": "Theirs", "expr": 'count_over_time({a="b"}[1m]) > 0'}],
}
SWEEP, SESSIONS = f"{OURS}-credentials-150s", f"{OURS}-sessions"


@pytest.fixture(scope="module")
def ruler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedRuler]:
    folder: Path = tmp_path_factory.mktemp("ruler") / "pipeline"
    with running(folder, takes_rules=True) as loki, guarding(loki.loki_url, USER, PASSWORD) as guarded:
        yield guarded


def rules_by_api(ruler: GuardedRuler, **alerts: Any) -> dict[str, Any]:
    """Arguments of a program. The secret belongs to the run in which it is made."""
    loki = {"url": ruler.url, "tenant": TENANT, "username": USER, "password": pulumi.Output.secret(ruler.password)}
    return {"loki": loki, "alloy": {"mode": "off"}, "alerts": {"loki": "ruler-api", **alerts}}


def changed(run: Run) -> dict[str, set[str]]:
    """The properties that change, by the Command's name."""
    return {step.name: set(step.diff) for step in run.steps if step.operation not in ("same", "read")}


def declaring(cluster: Cluster, ruler: GuardedRuler, **alerts: Any) -> Any:
    def declare() -> None:
        cluster.more = rules_by_api(ruler, **alerts)
        cluster.program()

    return declare


def test_the_life_of_rules(audited: EngineStack, cluster: Cluster, ruler: GuardedRuler) -> None:
    for tenant, namespace in ((TENANT, "of-somebody-else"), (OTHERS, OURS)):
        ruler.put(tenant, namespace, THEIRS)
    program = declaring(cluster, ruler)
    foreseen = succeed(audited.preview(program))
    assert ruler.groups(TENANT).keys() == {"of-somebody-else"}, "a preview changes nothing"
    assert "credentials-150s" in foreseen.text

    created = succeed(audited.up(program))
    live = ruler.groups(TENANT)[OURS]
    assert len(live) > 15
    assert live[SWEEP]["rules"][0]["expr"].endswith("> 20")
    assert changed(succeed(audited.preview(program))) == {}

    # Somebody deletes one group and changes another.
    ruler.delete(TENANT, OURS, SWEEP)
    ruler.put(TENANT, OURS, {**live[SESSIONS], "interval": "7m"})
    drift = succeed(audited.preview(program))
    assert changed(drift).keys() == {"east-loki-rules-credentials-150s", "east-loki-rules-sessions"}
    said = "\n".join(drift.messages("info"))
    assert f"test: {SWEEP} is not in the ruler" in said
    assert f"test: {SESSIONS} differs in the ruler" in said
    assert "\n-interval: 420\n+interval: 60\n" in said
    assert "curl" not in drift.text, "of a Command only what the stack itself changes is shown"
    succeed(audited.up(program))
    assert ruler.groups(TENANT)[OURS] == live
    assert changed(succeed(audited.preview(program))) == {}
    ruler.delete(TENANT, OURS, SWEEP)
    assert changed(succeed(audited.preview(program))).keys() == {"east-loki-rules-credentials-150s"}, "once more"
    succeed(audited.up(program))

    # The stack changes a threshold, and has no rule of a kind any more.
    other = declaring(cluster, ruler, thresholds={"secret-sweep": 35}, disable=["no-events-from-node"])
    assert "stdin" in changed(succeed(audited.preview(other)))["east-loki-rules-credentials-150s"]
    succeed(audited.up(other))
    assert ruler.groups(TENANT)[OURS][SWEEP]["rules"][0]["expr"].endswith("> 35")
    assert live.keys() - ruler.groups(TENANT)[OURS].keys() == {f"{OURS}-pipeline"}, "which had this rule alone"

    # Neither what is printed nor the state has the password.
    state = audited.state()
    for text in (created.text, drift.text, said, foreseen.text, state):
        assert PASSWORD not in text
        assert "$(id)" not in text
        assert USER not in text

    succeed(audited.destroy())
    assert ruler.groups(TENANT).keys() == {"of-somebody-else"}
    assert ruler.groups(OTHERS) == {OURS: {"theirs": ruler.groups(OTHERS)[OURS]["theirs"]}}


def test_a_new_password_reaches_the_state_and_a_wrong_one_is_told(
    audited: EngineStack, cluster: Cluster, ruler: GuardedRuler
) -> None:
    program = declaring(cluster, ruler, disable=[])
    succeed(audited.up(program))
    before = audited.state()
    known, ruler.password = ruler.password, "another"
    try:
        for properties in changed(succeed(audited.preview(program))).values():
            assert {name.partition(".")[0] for name in properties} == {"environment"}
        succeed(audited.up(program))
        assert audited.state() != before
        cluster_says = declaring(cluster, GuardedRuler(ruler.loki, USER, "wrong", ruler.url))
        preview = succeed(audited.preview(cluster_says))
        (warning,) = [each for each in preview.messages("warning") if "ruler" in each]
        assert "what the ruler has now is not known" in warning
        assert "loki.username or loki.password may be missing or wrong" in warning
        refused = audited.up(cluster_says)
        assert refused.error is not None
        assert "answers 401: who are you?" in refused.error
        assert "wrong" not in refused.error.replace("missing or wrong", "")
        succeed(audited.destroy())
        assert OURS not in ruler.groups(TENANT)
    finally:
        ruler.password = known
