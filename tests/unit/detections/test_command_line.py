"""`auditlog detections`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from auditlog.cli import main
from auditlog.detections.catalogue import DETECTIONS

RECORDS_ALL = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  - level: RequestResponse\n"


def test_without_a_policy_it_lists_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.id for each in DETECTIONS]
    assert main(["detections", "--format", "json"]) == 0
    by_id = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert by_id["secret-sweep"]["runbook"] == "docs/runbooks/secret-sweep.md"
    assert by_id["secret-sweep"]["needs"][0]["resources"] == [{"group": "", "resources": ["secrets"], "names": []}]
    assert by_id["shipper-down"]["metricsOf"] == "Alloy"


def test_the_exit_code_says_whether_one_can_never_fire(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "policy.yaml"
    good.write_text(RECORDS_ALL)
    assert main(["detections", "--policy", str(good)]) == 0
    assert f"\n{len(DETECTIONS)} detections: 52 sees all" in capsys.readouterr().out
    assert main(["detections", "--policy", "preset:low-write"]) == 1
    assert "secret-sweep: can never fire" in capsys.readouterr().out
    assert main(["detections", "--policy", "preset:low-write", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["policy"] == "preset:low-write"


def test_it_offers_rules_that_go_in_front_of_the_policys_own(capsys: pytest.CaptureFixture[str]) -> None:
    main(["detections", "--policy", "preset:low-write", "--format", "rules"])
    rules = yaml.safe_load(capsys.readouterr().out)
    assert rules[0]["level"] == "RequestResponse"
    assert rules[-1] == {
        "level": "Metadata",
        "users": ["system:apiserver"],
        "verbs": ["update"],
        "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
        "namespaces": ["kube-system"],
    }


def test_it_writes_rule_files_for_use_without_a_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", "--format", "loki", "--cluster", "prod", "--node", "cp1", "--node", "cp2"]) == 0
    text = capsys.readouterr().out
    assert 'absent_over_time({job="kubernetes-audit", cluster="prod", node="cp2"} [1m])' in text
    assert main(["detections", "--format", "prometheus"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["groups"][0]["name"] == "kubernetes-audit-pipeline"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "rules"], "-o rules needs --policy"),
        (["--format", "loki", "--policy", "preset:standard"], "-o loki has every rule and takes no --policy"),
        (["--policy", "standard"], "did you mean preset:standard?"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detections", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replay", "--cost"], "--replay and --cost are both given"),
        (["--gigabytes-per-day", "5"], "--gigabytes-per-day is for --cost"),
        (["--cost", "--gigabytes-per-day", "-1"], "--gigabytes-per-day is -1; allowed: a number above 0"),
        (["--cost", "-o", "loki"], "-o is loki; allowed: table"),
        (["--replay", "-o", "rules"], "-o is rules; allowed: table"),
        (["--since", "2h"], "are for --replay; name it too"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detections", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_cost_is_in_proportion_to_the_volume(capsys: pytest.CaptureFixture[str]) -> None:
    costs = []
    for volume in ("1", "500"):
        assert main(["detections", "--cost", "--gigabytes-per-day", volume, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        costs.append(sum(each["gigabytesReadPerDay"] for each in answer["rules"]))
    assert costs[1] == pytest.approx(500 * costs[0], rel=0.01)
    assert main(["detections", "--cost"]) == 0
    assert f"Rules: {costs[0]:.1f} GB a day, {costs[0]:.1f} times the log" in capsys.readouterr().out
