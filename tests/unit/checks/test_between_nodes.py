"""Who differs from whom."""

from __future__ import annotations

from auditlog.checks.between_nodes import NodeTraits, differences


def node(name: str, kubernetes: str = "1.36.3", policy: str | None = "a" * 64, **flags: str) -> NodeTraits:
    return NodeTraits(name, kubernetes, policy, {name.replace("_", "-"): value for name, value in flags.items()})


def test_equal_nodes_and_a_single_one_do_not_differ() -> None:
    assert list(differences([node("cp1")])) == []
    assert list(differences([node("cp1", audit_log_path="/a"), node("cp2", audit_log_path="/a")])) == []


def test_the_one_that_differs_is_named() -> None:
    (finding,) = differences([node("cp1"), node("cp2", "1.35.4"), node("cp3")])
    assert finding.id == "nodes-differ-kubernetes"
    assert finding.what == (
        "the nodes have different Kubernetes versions: cp1: 1.36.3, cp2: 1.35.4, cp3: 1.36.3; cp2 differs from the rest"
    )


def test_of_two_nobody_can_say_which_is_right() -> None:
    (finding,) = differences([node("cp1"), node("cp2", policy=None)])
    assert finding.what == f"the nodes have different policies: cp1: sha256 {'a' * 12}, cp2: none"


def test_a_log_path_of_its_own() -> None:
    nodes = [node("cp1", audit_log_path="/a"), node("cp2", audit_log_path="/b"), node("cp3", audit_log_path="/a")]
    (finding,) = differences(nodes)
    assert finding.id == "nodes-differ-flags"
    assert "--audit-log-path: cp1: /a, cp2: /b, cp3: /a; cp2 differs from the rest" in finding.what
