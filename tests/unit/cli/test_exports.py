"""`auditlog dashboards` and `auditlog rules`: plain files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from auditlog.cli import main
from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.rules import RuleScope
from auditlog.observe.rules_loki import loki_rules
from lab.paths import REPOSITORY


def test_dashboards_are_written_as_they_are_deployed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "a" / "b"
    assert main(["dashboards", "--out", str(folder)]) == 0
    made = {each.file_name: each.json for each in all_dashboards(DashboardOptions())}
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in made]
    for text in made.values():
        dashboard = json.loads(text)
        # Grafana 11 to 13 read this form; an id would be that of another Grafana.
        assert 39 <= dashboard["schemaVersion"] <= 42
        assert dashboard.get("id") is None
        assert "__inputs" not in dashboard


def test_rules_are_written_for_a_cluster(tmp_path: Path) -> None:
    assert main(["rules", "--out", str(tmp_path), "--cluster", "prod", "--node", "cp1"]) == 0
    assert (tmp_path / "loki-rules.yaml").read_text() == loki_rules(RuleScope("prod", ("cp1",), ("cp1",))).text
    assert yaml.safe_load((tmp_path / "prometheus-rules.yaml").read_text())["groups"]
    (graver, _) = yaml.safe_load((tmp_path / "alertmanager-inhibition.yaml").read_text())["inhibit_rules"]
    assert graver["equal"] == ["cluster", "act", "user"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["rules", "--out", str(tmp_path / "file")]) == 2
    assert f"--out {tmp_path / 'file'}: cannot be written" in capsys.readouterr().err


def test_a_stack_gives_its_cluster_its_nodes_and_its_thresholds(tmp_path: Path) -> None:
    stack = str(REPOSITORY / "Pulumi.prod.yaml")
    assert main(["rules", "--out", str(tmp_path), "--stack", stack]) == 0
    assert 'cluster="prod"' in (tmp_path / "loki-rules.yaml").read_text()
    assert main(["dashboards", "--out", str(tmp_path), "--stack", stack]) == 0
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_a_stack_has_its_own_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--out", str(tmp_path), "--stack", "prod", "--cluster", "prod"]) == 2
    assert "--cluster and --node are for rules without --stack" in capsys.readouterr().err
