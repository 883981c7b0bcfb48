"""What a node knows about the Alloy that ships from it (``node/prove.sh``), in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlloyPod:
    """A pod of Alloy and the node that it is on. ``reason`` is why its container waits; "" if it does not."""

    node: str
    phase: str
    ready: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlloyState:
    """The pods of Alloy in the whole cluster, and the last error or warning in the log of the one on this node."""

    pods: tuple[AlloyPod, ...] = ()
    complaint: str = ""


def parse_pod(words: Iterable[str]) -> AlloyPod:
    """A pod as the node writes it: NODE PHASE READY REASON. The last ones may be missing."""
    node, phase, ready, reason = (*words, "", "", "", "")[:4]
    return AlloyPod(node, phase, ready == "true", reason)


def alloy_trouble(state: AlloyState, hostname: str, namespace: str, otherwise: str = "") -> str:
    """What is wrong with the Alloy that ships from the node with the name ``hostname``.

    ``otherwise`` is where else to look if nothing seems wrong.
    """
    if not state.pods:
        return f"there is no pod of Alloy; kubectl -n {namespace} describe daemonset alloy-audit says why"
    here = [pod for pod in state.pods if pod.node == hostname.lower()]
    if not here:
        others = ", ".join(sorted(pod.node or "no node" for pod in state.pods))
        return f"no pod of Alloy is on this node, only on {others}; its labels have to fit alloy.nodeSelector"
    if not all(pod.ready for pod in here):
        seen = ", ".join(f"{pod.phase}{f' ({pod.reason})' if pod.reason else ''}" for pod in here if not pod.ready)
        return f"the pod of Alloy is not ready: {seen}; kubectl -n {namespace} describe pods says why"
    if state.complaint:
        return f"Alloy runs, and last complained: {state.complaint}"
    its_log = f"kubectl -n {namespace} logs daemonset/alloy-audit"
    return f"Alloy runs and complains of nothing; {', or '.join(filter(None, (its_log, otherwise)))}"
