"""What the running API server says about its own flags, beside what its process and its manifest say.

/flagz has one flag a line, the ones left at their defaults too. Each process writes ``:``, ``: ``, ``=`` or a space
between name and value, by chance: k8s.io/apiserver pkg/server/flagz/textserializer.go. The feature gate ComponentFlagz
is alpha since Kubernetes 1.32 and on by default since 1.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from auditlog.manifest import manifest
from auditlog.manifest.audit_flags import FILE_FLAGS, means_the_same
from auditlog.nodes.facts import Facts

_LINE = re.compile(r"([a-z0-9][a-z0-9.-]*)(?:: ?|=| )(.*)")


class Witness(StrEnum):
    """Whether the API server's own account of its audit flags agrees with what else is known of them."""

    AGREES = "agrees"
    DIFFERS = "differs"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A flag for which the API server names ``said``, and its process or manifest ``given``; None for no such flag."""

    name: str
    said: str
    given: str | None


def read_flagz(text: str) -> dict[str, str]:
    """The flags that the lines of /flagz name. Lines of another form say nothing."""
    return {match[1]: match[2] for line in text.splitlines() if (match := _LINE.fullmatch(line))}


def contradictions(facts: Facts, written: Mapping[str, str]) -> Iterator[Contradiction]:
    """The audit flags that /flagz names with another value than the newest process on the node was started with.

    ``written`` are the manifest's flags, which count where no process was found. None where /flagz says nothing.
    """
    newest = max(facts.processes, key=lambda process: process.started, default=None)
    given = manifest.flag_values(newest.arguments) if newest else written
    for name, said in read_flagz(facts.flagz or "").items():
        if name in given:
            if not means_the_same(name, said, given[name] or None):
                yield Contradiction(name, said, given[name])
        elif name in FILE_FLAGS and said:
            yield Contradiction(name, said, None)


def witness(facts: Facts, written: Mapping[str, str]) -> Witness:
    """Whether ``contradictions`` has any."""
    if facts.flagz is None:
        return Witness.UNKNOWN
    return Witness.DIFFERS if any(contradictions(facts, written)) else Witness.AGREES
