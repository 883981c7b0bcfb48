"""One name for everything that an ``up`` would do and everything that was read to decide it."""

from __future__ import annotations

from auditlog.apiserver import node_scripts
from auditlog.apiserver.desired import sha256
from auditlog.apiserver.plan import Plan
from auditlog.settings import Settings


def plan_digest(plan: Plan, settings: Settings) -> str:
    """64 hexadecimal digits. An ``up`` that is given the digest of a preview does just what that preview showed.

    Every field of the plan counts, the live texts and their times among them, the settings, and the scripts that would
    run on the nodes (design decision 4).
    """
    return sha256("\0".join((repr(plan), repr(settings), node_scripts.bundle())))
