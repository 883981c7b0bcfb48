"""The command: its answer in every form, its exit codes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.cli import main
from auditlog.policy.read import read_policy
from tests.unit.events.generate import ALICE, METRICS
from tests.unit.tuning.logs import RELEASE_BOT, written
from tests.unit.tuning.test_search import repeated

BUDGET = ("--keep", "30d", "--in", "30MB")
POLICY = ("--policy", "preset:forensic")
STACK = """config:
  kubernetes-audit:cluster: prod
  kubernetes-audit:nodes:
    - name: cp1
      host: 10.0.0.1
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh
  kubernetes-audit:auditLog:
    budget: {days: 30, size: 30MB}
  kubernetes-audit:policy:
    preset: forensic
"""


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A noisy program, a person, and a controller in a person's name."""
    events = [
        *repeated(200, METRICS, "list", "pods"),
        *repeated(20, ALICE, "get", "pods"),
        *repeated(20, RELEASE_BOT, "list", "pods"),
    ]
    return written(tmp_path, sorted(events, key=lambda each: str(each["stageTimestamp"])))


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["tune", *words])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_the_text_has_rates_steps_what_is_blinded_and_the_overlay(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = said(capsys, log, *BUDGET, *POLICY)
    assert code == 0
    for words in (
        "Budget: 30 days in 30.0 MB on each node",
        "With these steps it meets the budget.",
        "1. drop list of pods by system:serviceaccount:monitoring:prometheus",
        "for example 2025-02-21T00:00:00Z system:serviceaccount:monitoring:prometheus list pods",
        "can fire, but not for the requests above",
        "    # Saves ",
        "    - level: None",
        "nothing is recorded any more",
        "The log spans 3.0 hours",
    ):
        assert words in " ".join(text.split()) or words in text, words


def test_the_overlay_is_a_part_of_a_stack_file(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = said(capsys, log, *BUDGET, *POLICY, "-o", "overlay")
    stack = yaml.safe_load(STACK)
    stack["config"]["kubernetes-audit:policy"] |= yaml.safe_load(text)["policy"]
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(yaml.safe_dump(stack))
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    assert main(["config", "check", str(file)]) == 0
    capsys.readouterr()
    _, policy, _ = said(capsys, log, *BUDGET, *POLICY, "-o", "policy")
    assert read_policy(policy, "tuned").rules[0].users == ("system:serviceaccount:monitoring:prometheus",)


def test_what_cannot_be_met_is_said_with_what_would(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = said(capsys, log, "--keep", "30d", "--in", "1MB", *POLICY)
    assert code == 1
    assert "NOT MET: " in text
    assert "for 30 days, or " in text
    assert "--program release-bot" in " ".join(text.split())
    code, text, _ = said(capsys, log, "--keep", "30d", "--in", "1MB", *POLICY, "--program", "release-bot", "-o", "json")
    value: dict[str, Any] = json.loads(text)
    assert (code, value["met"]) == (1, False)
    assert [each["user"] for each in value["takenForPeople"]] == ["alice@example.org"]
    assert {"now", "after"} == value["nodes"][0]["bytesPerDay"].keys()


def test_a_stack_has_policy_and_budget(log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(STACK)
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    _, of_stack, _ = said(capsys, log, "--stack", str(file), "-o", "json")
    _, named, _ = said(capsys, log, *BUDGET, *POLICY, "-o", "json")
    assert json.loads(of_stack)["budget"] == json.loads(named)["budget"]
    assert json.loads(of_stack)["steps"] == json.loads(named)["steps"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (BUDGET, "the policy the log was written under is missing; --policy takes a policy file"),
        (("--keep", "30d", *POLICY), "--in is missing; allowed: --keep 30d --in 10GiB, or a --stack with"),
        (("--in", "1GB", *POLICY), "--keep is missing"),
        (("--keep", "soon", "--in", "1GB", *POLICY), "--keep: 'soon' is no time; allowed: days or weeks above 0"),
        (("--keep", "30d", "--in", "much", *POLICY), "'much' is not a size"),
        ((*BUDGET, *POLICY, "--since", "1h"), "--since and --until are for --loki"),
        ((*BUDGET, *POLICY, "--loki", "http://localhost:1"), "--loki and LOG"),
    ],
)
def test_what_it_refuses(log: str, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = said(capsys, log, *words)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_an_area_that_is_none_is_refused(log: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tune", log, *BUDGET, *POLICY, "--require", "detections,all"])
    assert ended.value.code == 2
    assert "'all'; allowed: detections, cis, questions with commas between" in capsys.readouterr().err
