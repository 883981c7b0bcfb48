"""An API server that cannot start with what the stack brings ends in the old one running again."""

from __future__ import annotations

import pytest

from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.test_first_stack import LOG, POLICY, hashes, process_arguments


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    return hashes(node)


def test_everything_is_put_back_and_the_error_holds_the_api_servers_own_words(
    lab: Lab, node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    arguments = process_arguments(node)
    node.run(f"mkdir -p {LOG}")  # a folder where the log file should be: no check of the policy can see it
    result = stack.run("up", "--yes", "--skip-preview", check=False)
    assert result.returncode != 0
    assert "the API server cannot start" in result.stdout
    assert "The earlier manifest runs again" in result.stdout
    assert f"open {LOG}: is a directory" in result.stdout
    assert hashes(node) == before
    assert process_arguments(node) == arguments
    assert node.run(f"ls {POLICY} 2>/dev/null || true").stdout == ""
    lab.wait_ready()


def test_the_next_up_completes_once_the_cause_is_gone(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    node.run(f"rmdir {LOG}")
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
