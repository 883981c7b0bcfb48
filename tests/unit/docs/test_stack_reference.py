"""The StackReference example, on Pulumi's mocks, against the outputs that an audit-logging stack really has."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, settings
from pulumi.runtime.stack import Stack

from auditlog.observe.dashboards import DashboardOptions, all_dashboards
from auditlog.observe.queries import loki_queries, on_node_search
from auditlog.settings import LogSettings
from auditlog.settings.outputs import OUTPUTS
from tests.unit.docs.pages import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "stack_reference" / "__main__.py"
PROJECT = "who-did-what"
REFERENCED = "organization/kubernetes-audit/prod"
DASHBOARDS = all_dashboards(DashboardOptions())
THE_STACKS_OUTPUTS = {
    "cluster": "prod",
    "dashboards": {each.uid: {"title": each.title, "path": each.path} for each in DASHBOARDS},
    "queries": loki_queries(),
    "onNodeSearch": on_node_search(LogSettings()),
    "nodes": {
        "cp1": {"host": "10.0.20.11", "policySha256": "aa"},
        "cp2": {"host": "10.0.20.12", "policySha256": "bb"},
        "cp3": {"host": "10.0.20.13", "state": "gone"},
    },
}


class _Mocks(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        assert (args.typ, args.inputs["name"]) == ("pulumi:pulumi:StackReference", REFERENCED)
        return args.name, {**args.inputs, "outputs": THE_STACKS_OUTPUTS}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"the program calls {args.token}")


@pytest.fixture
def exported() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    kept = settings.SETTINGS
    try:
        pulumi.runtime.set_mocks(_Mocks(), PROJECT, "prod")
        given = {"auditStack": REFERENCED, "grafana": "https://grafana.example.com/"}
        pulumi.runtime.set_all_config({f"{PROJECT}:{key}": value for key, value in given.items()})

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def run() -> None:
            runpy.run_path(str(EXAMPLE))

        run()
        stack = settings.get_root_resource()
        assert isinstance(stack, Stack)

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def read_outputs() -> pulumi.Output[Any]:
            return pulumi.Output.all(**stack.outputs).apply(found.update)

        read_outputs()
        yield found
    finally:
        settings.configure(kept)
        settings.ROOT.set(None)  # mocks would put the resources of a later program below this one's stack


def test_it_makes_links_queries_and_a_check_of_the_outputs(exported: dict[str, Any]) -> None:
    assert exported["cluster"] == "prod"
    assert len(exported["dashboards"]) == len(DASHBOARDS)
    assert all(link.startswith("https://grafana.example.com/d/") for link in exported["dashboards"].values())
    assert exported["whoDeleted"] == loki_queries()["whoDeleted"]
    assert exported["withoutLoki"] == "sudo grep NAME /var/log/kubernetes/audit/audit.log"
    assert exported["nodesByPolicy"] == {"aa": ["cp1"], "bb": ["cp2"]}


def test_it_reads_no_output_that_the_stack_does_not_have() -> None:
    tree = ast.parse(Path(EXAMPLE).read_text())
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "require_output"
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(read) >= 4
    assert read <= {output.name for output in OUTPUTS}
