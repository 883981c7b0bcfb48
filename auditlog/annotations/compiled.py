"""The expressions that an API server does not compile, as errors in the files that they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditlog.annotations.model import Entry

SUFFIX = "-dry-run"
"""The end of a policy's name in a dry run, so that the cluster has no policy of that name yet."""
_REFUSED = re.compile(
    r'ValidatingAdmissionPolicy\S* "(?P<name>[^"]+)" is invalid: (?P<reasons>.*?)(?=\n\s*Error from server|\Z)',
    re.DOTALL,
)
_PLACE = r"spec\.(?:variables|auditAnnotations)\["
_REASON = re.compile(
    rf"spec\.(?P<list>variables|auditAnnotations)\[(?P<index>\d+)\]\.\w+: (?P<said>.*?)(?=, {_PLACE}|\Z)", re.DOTALL
)
_VALUE = re.compile(r'(?:Invalid value|Required value): ".*?(?<!\\)": ', re.DOTALL)
_COMPILER = re.compile(r"compilation failed: (?:ERROR: )?(?:<input>:\d+:\d+: )?")


def mistakes_in(said: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """One line for each refused expression, with file, key, expression and reason.

    ``said`` is what kubectl printed about the policies of ``entries``, whose names end in ``SUFFIX`` there. Expressions
    that only use a refused one are left out.
    """
    by_name = {f"{entry.policy_name}{SUFFIX}": entry for entry in entries}
    found = []
    for refused in _REFUSED.finditer(said):
        entry = by_name.get(refused["name"])
        if entry is not None:
            found += list(_of_entry(entry, refused["reasons"])) or [
                f"{entry.file}: {' '.join(refused['reasons'].split())}"
            ]
    return tuple(found)


def _of_entry(entry: Entry, reasons: str) -> Iterator[str]:
    told: set[str] = set()
    for match in _REASON.finditer(reasons):
        key, expression = _place(entry, match["list"], int(match["index"]))
        # The sentinel, and what reads a variable that is refused, fail for the same cause.
        if not key or key in told or any(f"variables.{name.rpartition('.')[2]}" in expression for name in told):
            continue
        told.add(key)
        reason = _COMPILER.sub("", _VALUE.sub("", match["said"], count=1)).strip().splitlines()[0]
        yield (
            f"{entry.file}: {key}: {expression!r}: the API server does not compile it: {reason}; "
            "allowed: CEL of type string (https://kubernetes.io/docs/reference/using-api/cel/)"
        )


def _place(entry: Entry, kind: str, index: int) -> tuple[str, str]:
    """The key of an expression in its file, and the expression; empty for the sentinel."""
    own = list(entry.variables.items())
    if kind == "variables" and index < len(own):
        return f"variables.{own[index][0]}", own[index][1]
    at = index - len(own) if kind == "variables" else index
    if at < len(entry.annotations):
        annotation = entry.annotations[at]
        return f"annotations.{annotation.key}.value", annotation.value
    return "", ""
