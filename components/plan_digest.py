"""The plan's digest: what a preview prints, and what an update that is given one compares with its own plan."""

from __future__ import annotations

import os

import pulumi

from auditlog.plan.digest import asked_digest, named_digest
from components.scope import Scope

VARIABLE = "KUBERNETES_AUDIT_PLAN_DIGEST"


def check_plan_digest(digest: str, scope: Scope) -> None:
    """Logs the digest in previews, on the component that it is of.

    Raises RunError if the environment asks for another one.
    """
    name = named_digest(scope.component, digest)
    if pulumi.runtime.is_dry_run():
        pulumi.log.info(f"plan digest: {name}", resource=scope.parent)
    asked = asked_digest(os.environ.get(VARIABLE, ""), scope.component)
    if asked not in (None, digest):
        raise pulumi.RunError(
            f"The plan is not the one that was previewed; nothing was changed. Its digest is {name}, "
            f"{asked or 'the digest of another component'} was asked for: nodes, configuration or program have changed "
            "since. Preview again."
        )
