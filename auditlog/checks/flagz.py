"""Whether the API server that answers is the one whose process and manifest the node shows."""

from __future__ import annotations

from collections.abc import Iterator

from auditlog.checks.api_server import ApiServer
from auditlog.checks.finding import Finding
from auditlog.checks.process import flag_text
from auditlog.nodes.flagz import Contradiction, contradictions


def flagz_findings(server: ApiServer) -> Iterator[Finding]:
    """One finding for all audit flags that /flagz contradicts."""
    found = list(contradictions(server.facts, server.flags))
    if found:
        shown = "its process" if server.facts.processes else "its manifest"
        yield Finding(
            "flagz-differs",
            f"the API server that answers on this node says {', '.join(_said(each, shown) for each in found)}",
            "another API server answers in place of the one that this node shows, so events may go elsewhere",
            remedy="find what else listens on the API's port (ss -ltnp), and what redirects it (iptables -t nat -S)",
        )


def _said(each: Contradiction, shown: str) -> str:
    given = f"no --{each.name}" if each.given is None else flag_text(each.name, each.given)
    return f"{flag_text(each.name, each.said)} where {shown} has {given}"
