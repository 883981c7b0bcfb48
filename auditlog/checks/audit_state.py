"""Whether an API server records anything, by its flags."""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import POLICY_FLAG
from auditlog.manifest.backends import log_backend, webhook_backend
from auditlog.nodes.facts import Facts
from auditlog.policy.model import NEWEST_MINOR


def audit_is_on(facts: Facts, flags: Mapping[str, str]) -> bool:
    """Whether the running API server, or without one ``flags``, has a policy and a backend."""
    running = manifest.flag_values(facts.processes[-1].arguments) if facts.processes else flags
    return (
        bool(running.get(POLICY_FLAG)) and (log_backend(running, NEWEST_MINOR) or webhook_backend(running)) is not None
    )
