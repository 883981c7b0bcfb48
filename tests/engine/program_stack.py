"""A stack of the project's own program under the real engine: how tests run it, configure it and look into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.engine.fake_node import FakeNode

STACK = "organization/kubernetes-audit/test"
OWNER = "kubernetes-audit/test"
DELETES = {"restore-manifest", "restore-kubeadm-config", "remove-policy", "uninstall"}
Run = Callable[..., str]
"""Runs ``pulumi WORDS`` on the stack, which succeeds; gives what it printed."""


def urn(run: Run, name: str) -> str:
    """The URN of the stack's Command of this name."""
    resources = json.loads(run("stack", "export"))["deployment"]["resources"]
    (found,) = [each["urn"] for each in resources if each["urn"].endswith(f"::{name}")]
    return str(found)


def deletions(node: FakeNode) -> list[str]:
    """The deletions that the node was told, each with whether it was locked then."""
    return [line for line in node.told() if line.split()[0] in DELETES]


def configure(stack_file: Path, **values: object) -> None:
    """Writes these settings into the stack file."""
    document = yaml.safe_load(stack_file.read_text())
    document["config"] |= {f"kubernetes-audit:{key}": value for key, value in values.items()}
    stack_file.write_text(yaml.safe_dump(document))


def urns(run: Run) -> list[str]:
    return [each["urn"] for each in json.loads(run("stack", "export"))["deployment"]["resources"]]
