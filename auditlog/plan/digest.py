"""One name for everything that an ``up`` would do and everything that was read to decide it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.plan.plan import Plan
from auditlog.plan.removal import RemovalPlan
from auditlog.settings import Settings


def plan_digest(plan: Plan | RemovalPlan, settings: Settings, in_cluster: Sequence[str] = ()) -> str:
    """64 hexadecimal digits. An ``up`` that is given the digest of a preview does just what that preview showed.

    Every field of the plan counts, live texts and their times included. So do the settings, the scripts that would run
    on the nodes, and the texts that would be kept ``in_cluster``. Credentials do not: a preview may have others.
    """
    return sha256("\0".join((repr(plan), repr(settings), node_scripts.bundle(), *in_cluster)))


def named_digest(component: str, digest: str) -> str:
    """The digest as a preview prints it: alone, or ``NAME=DIGEST`` for a component of this name."""
    return f"{component}={digest}" if component else digest


def asked_digest(written: str, component: str) -> str | None:
    """The digest that ``written`` asks for. None if it asks for none, "" if for those of other components only.

    ``written`` is a list of digests, separated by commas or spaces. One without a name is for every cluster of the
    program.
    """
    entries = [entry.rpartition("=") for entry in re.split(r"[,\s]+", written) if entry]
    if not entries:
        return None
    names = {name: digest for name, _, digest in entries}
    return names.get(component, names.get("", ""))
