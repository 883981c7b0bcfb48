"""What most checks look at: an API server as its manifest makes it, on the node that has these facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.manifest import manifest
from auditlog.nodes.facts import Facts


@dataclass(frozen=True, slots=True)
class ApiServer:
    """``text`` is the manifest, live or planned; ``minor`` the 36 of Kubernetes 1.36."""

    facts: Facts
    text: str
    arguments: tuple[str, ...]
    flags: Mapping[str, str]
    minor: int

    @classmethod
    def of(cls, facts: Facts, text: str, minor: int) -> ApiServer:
        """Raises ManifestError when ``text`` is not the API server's manifest."""
        arguments = manifest.arguments(text)
        return cls(facts, text, arguments, manifest.flag_values(arguments), minor)
