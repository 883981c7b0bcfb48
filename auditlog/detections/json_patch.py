"""Regular expressions for JSON patches, which the log holds as they were sent: `[{"op":"add","path":…,"value":…}]`.

A patch names the place it changes, so the path holds the key that a detection looks for. The members of an operation
have any order. Operations that copy or move a value do not show it.
"""

from __future__ import annotations

COPIES_UNSEEN = "a JSON patch that copies or moves the value from elsewhere in the object"

_OPERATION = r'("op":"[a-z]+",)?'


def sets(pointer: str, value: str) -> str:
    """An operation that gives `value`, a regular expression for JSON, to a place whose path ends as `pointer` does."""
    path = rf'"path":"[^"]*{pointer}"'
    return rf'({path},{_OPERATION}"value":{value}|"value":{value},{_OPERATION}{path})'


def removes(pointer: str) -> str:
    """An operation that removes a place whose path ends as `pointer` does."""
    path, operation = rf'"path":"[^"]*{pointer}"', '"op":"remove"'
    return rf"({path},{operation}|{operation},{path})"
