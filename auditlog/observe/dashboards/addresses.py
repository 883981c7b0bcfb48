"""The addresses of searches in *Who did it*: for its own panels, other dashboards and alerts."""

from __future__ import annotations

TAG = "kubernetes-audit"
"""The tag of every dashboard, by which they link to each other. Their uids begin with it."""

TYPED = ("user", "namespace", "name", "subresource", "sourceIP", "groups", "userAgent")
"""Fields of which a person types a part, as a regular expression: `^prod$` is exactly prod."""

CHOSEN = ("verb", "resource", "code")
"""Fields of which a person chooses values."""

SEARCHED = (*TYPED, *CHOSEN)
"""Fields of an event that the search has a filter for."""


def typed_in_full(value: str) -> str:
    """An encoded value that a typed field matches in full: text between `\\Q` and `\\E` is no pattern."""
    return f"%5E%5CQ{value}%5CE%24"
