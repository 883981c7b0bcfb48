"""The steps of the transaction, as the node's scripts themselves name them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditlog.nodes.node_scripts import bundle
from tests.lab.faults.halt import Rename, Side

WAY_BACK = ("put-back", "restored")


def step_names() -> tuple[str, ...]:
    """Every step of a change that succeeds, in their order."""
    (names,) = re.findall(r'^STEPS="([^"]+)"$', bundle(), re.MULTILINE)
    return tuple(names.split())


def recorded_by_name() -> frozenset[str]:
    """The steps that the scripts record one by one, outside that list: those of the way back."""
    return frozenset(re.findall(r"\bstep ([a-z][a-z-]*)\b", _code()))


@dataclass(frozen=True, slots=True)
class Moment:
    """Right before or right after a rename that the node's scripts make."""

    name: str
    side: Side
    rename: Rename

    def __str__(self) -> str:
        return self.name


def before(step: str) -> Moment:
    """All of the step before has been done, and the journal does not know."""
    return Moment(f"before {step}", "before", _recorded(step))


def after(step: str) -> Moment:
    """The journal says that this step begins, and nothing of it has been done."""
    return Moment(f"after {step}", "after", _recorded(step))


def _recorded(step: str) -> Rename:
    return Rename("*/journal.new", f"step={step}")


POLICY_HALF_WRITTEN = Moment("before the policy's rename", "before", Rename("*/.audit-policy.yaml.kubernetes-audit*"))
"""The new policy lies beside the one in use, under a name that nothing reads."""
_MANIFESTS = Rename("*/displaced-kube-apiserver.yaml", tool="perl")
BEFORE_THE_MANIFEST = Moment("before the manifest", "before", _MANIFESTS)
"""The manifest was compared, and is about to be exchanged."""
AFTER_THE_MANIFEST = Moment("after the manifest", "after", _MANIFESTS)
"""The new manifest is in place, and what came out has not been looked at."""
BETWEEN_TWO_MANIFESTS = Moment("after placed-first", "after", _MANIFESTS)
"""A quick restart has put the manifest in place that differs by one annotation, and nothing else yet."""
OLD_ONE_KILLED = Moment("before the exact manifest", "before", Rename("*/displaced-placed-first.yaml", tool="perl"))
"""The old API server has been killed then too."""


def every_moment() -> tuple[Moment, ...]:
    """The moments of a change that succeeds, in their order."""
    return tuple(at(step) for step in step_names() for at in (before, after))


def after_each_record() -> tuple[Moment, ...]:
    """For each step the moment when the journal names it and nothing of it is done."""
    return tuple(after(step) for step in step_names())


def every_guarded_moment() -> tuple[Moment, ...]:
    """Those at which there is a guard: the worker opens the journal, and then starts one."""
    return every_moment()[2:]


def after_each_guarded_record() -> tuple[Moment, ...]:
    """The same of each record."""
    return after_each_record()[1:]


def _code() -> str:
    return "\n".join(line for line in bundle().splitlines() if not line.lstrip().startswith("#"))
