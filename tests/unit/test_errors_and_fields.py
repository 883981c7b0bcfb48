"""What holds for every module: one base of all errors, and a line for each field of the large records."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditlog.errors import AuditlogError

ROOT = Path(__file__).parents[2]
RECORDS = (
    "auditlog/nodes/fact_types.py",
    "auditlog/nodes/fact_types.py",
    "auditlog/nodes/facts.py",
    "auditlog/plan/node_files.py",
    "auditlog/plan/node_plan.py",
    "auditlog/plan/plan.py",
    "auditlog/policy/settings.py",
    "auditlog/settings/alerts.py",
    "auditlog/settings/dashboards.py",
    "auditlog/settings/delivery.py",
    "auditlog/settings/hosts.py",
    "auditlog/settings/log.py",
    "auditlog/settings/parse.py",
    "auditlog/settings/proof.py",
    "auditlog/settings/restart.py",
    "auditlog/settings/shipping.py",
    "auditlog/settings/webhook.py",
)


def classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))


def test_every_error_has_the_same_base() -> None:
    bases = {
        found.name: [ast.unparse(base) for base in found.bases]
        for path in (ROOT / "auditlog").rglob("*.py")
        for found in classes(path)
        if found.name.endswith("Error")
    }
    base = AuditlogError.__name__
    assert len(bases) > 20
    assert [name for name, of in bases.items() if name != base and not {base, *(bases.keys() - {name})} & {*of}] == []


@pytest.mark.parametrize("file", RECORDS)
def test_every_field_has_its_line(file: str) -> None:
    without = [
        f"{found.name}.{ast.unparse(field.target)}"
        for found in classes(ROOT / file)
        for field, after in zip(found.body, [*found.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and after.value.value)
    ]
    assert without == []
