"""The first lines of a preview: what a person decides by."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from auditlog.review.in_short import in_short
from auditlog.review.topic import Decision
from components.scope import Scope


def say_in_short(decide: Callable[[], Decision], scope: Scope) -> None:
    """Logs the decision on the stack or its component, in previews only, where nothing else works it out.

    The engine prints messages about the stack before messages about its resources.
    """
    if pulumi.runtime.is_dry_run() and (decision := decide()):
        pulumi.log.info(in_short(decision), resource=scope.parent)
