"""What is the matter with the Alloy of a node."""

from __future__ import annotations

import pytest

from auditlog.ledger.alloy import AlloyPod, AlloyState, alloy_trouble

READY, WAITING = AlloyPod("cp1", "Running", True), AlloyPod("cp1", "Pending", False, "ImagePullBackOff")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (AlloyState(), "there is no pod of Alloy; kubectl -n audit describe daemonset alloy-audit says why"),
        (AlloyState((AlloyPod("cp2", "Running", True),)), "no pod of Alloy is on this node, only on cp2"),
        (AlloyState((WAITING,)), "the pod of Alloy is not ready: Pending (ImagePullBackOff)"),
        (AlloyState((READY,), "status=401"), "Alloy runs, and last complained: status=401"),
        (AlloyState((READY,)), "Alloy runs and complains of nothing"),
    ],
)
def test_what_is_the_matter_with_alloy(state: AlloyState, words: str) -> None:
    assert alloy_trouble(state, "CP1", "audit").startswith(words)


def test_where_nothing_seems_to_be_the_matter_it_says_where_to_look() -> None:
    its_log = "kubectl -n audit logs daemonset/alloy-audit"
    assert alloy_trouble(AlloyState((READY,)), "cp1", "audit").endswith(f"; {its_log}")
    assert alloy_trouble(AlloyState((READY,)), "cp1", "audit", "the weather").endswith(f"; {its_log}, or the weather")
