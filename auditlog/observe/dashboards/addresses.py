"""How the search of *Who did it* is addressed: by its own panels, by other dashboards and by alerts."""

from __future__ import annotations

TAG = "kubernetes-audit"
"""Every dashboard carries it, and its uid begins with it; the dashboards link to each other by it."""

TYPED = ("user", "namespace", "name", "subresource", "sourceIP", "groups", "userAgent")
"""Fields that a person types a part of, as a regular expression: `^prod$` is exactly prod."""

CHOSEN = ("verb", "resource", "code")
"""Fields of which a person chooses values."""

SEARCHED = (*TYPED, *CHOSEN)
"""Fields of an event that the search has a filter for."""


def typed_in_full(value: str) -> str:
    """An encoded value of a typed field, to be found in full: what stands between `\\Q` and `\\E` is no pattern."""
    return f"%5E%5CQ{value}%5CE%24"
