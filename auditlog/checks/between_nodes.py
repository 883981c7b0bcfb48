"""What control-plane nodes do not have in common.

A client meets any of them, so the same request then leaves other traces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditlog.checks.finding import Finding


@dataclass(frozen=True, slots=True)
class NodeTraits:
    """What is compared: the API server's version ("1.36.3"), the policy's hash, and the audit flags."""

    name: str
    kubernetes: str | None
    policy_sha256: str | None
    audit_flags: Mapping[str, str]


def differences(nodes: Sequence[NodeTraits]) -> Iterator[Finding]:
    """One finding for each thing in which the nodes differ; it names who has what."""
    yield from version_differences(nodes)
    yield from audit_differences(nodes)


def version_differences(nodes: Sequence[NodeTraits]) -> Iterator[Finding]:
    """Kubernetes versions."""
    yield from _differing(
        "nodes-differ-kubernetes",
        "Kubernetes versions",
        {node.name: node.kubernetes or "unknown" for node in nodes},
        "an upgrade is under way or was not finished; a policy has to be valid for all of them",
    )


def audit_differences(nodes: Sequence[NodeTraits]) -> Iterator[Finding]:
    """Policies and audit flags, the log's path among them."""
    yield from _differing(
        "nodes-differ-policy",
        "policies",
        {node.name: f"sha256 {node.policy_sha256[:12]}" if node.policy_sha256 else "none" for node in nodes},
        "what is recorded of a request depends on the node that answers it",
    )
    for flag in sorted({name for node in nodes for name in node.audit_flags}):
        yield from _differing(
            "nodes-differ-flags",
            f"values of --{flag}",
            {node.name: node.audit_flags.get(flag, "unset") for node in nodes},
            "what is recorded, or how long it is kept, depends on the node that answers",
        )


def _differing(finding: str, what: str, values: Mapping[str, str], consequence: str) -> Iterator[Finding]:
    counted = Counter(values.values())
    if len(counted) < 2:
        return
    seen = ", ".join(f"{name}: {value}" for name, value in values.items())
    usual, times = counted.most_common(1)[0]
    others = [name for name, value in values.items() if value != usual]
    outliers = f"; {' and '.join(others)} {'differs' if len(others) == 1 else 'differ'} from the rest"
    yield Finding(
        finding,
        f"the nodes have different {what}: {seen}{outliers if times > len(values) / 2 else ''}",
        consequence,
    )
