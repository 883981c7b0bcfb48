"""A text that a YAML library cannot read ends in one message, whatever the library raises for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from auditlog.annotations.read import read_entry
from auditlog.cli.stack import project_name
from auditlog.detections.foreign.falco import falco_rules
from auditlog.detections.foreign.sigma import sigma_rules
from auditlog.errors import AuditlogError
from auditlog.manifest import yaml_edit
from auditlog.policy.validate import load_policy
from auditlog.stack_file.read import parse_stack_file

MONTH_13 = "config:\n  kubernetes-audit:cluster: 2026-13-01\n"
WITHOUT_END = "[" * 20_000


def of_file(read: Callable[[Path], object]) -> Callable[[str, Path], object]:
    def reading(text: str, folder: Path) -> object:
        (folder / "own.yaml").write_text(text)
        return read(folder / "own.yaml")

    return reading


@pytest.mark.parametrize("text", [MONTH_13, WITHOUT_END], ids=["a month 13", "nesting without end"])
@pytest.mark.parametrize(
    "read",
    [
        lambda text, _: parse_stack_file(text, "kubernetes-audit"),
        lambda text, _: yaml_edit.load(text),
        lambda text, _: load_policy(text, "policy.yaml", 37),
        lambda text, _: sigma_rules(text, "rule.yaml"),
        lambda text, _: falco_rules(text, "rules.yaml"),
        of_file(project_name),
        of_file(read_entry),
    ],
    ids=["stack file", "manifest", "policy", "Sigma", "Falco", "project", "annotations"],
)
def test_it_is_one_message(read: Callable[[str, Path], object], text: str, tmp_path: Path) -> None:
    with pytest.raises(AuditlogError) as error:
        read(text, tmp_path)
    assert len(str(error.value)) < 500
