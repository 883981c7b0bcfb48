"""Values with `*` for any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def pattern(text: str) -> Callable[[str], bool]:
    """A test for a pattern in which `*` matches any text. An empty pattern matches everything."""
    if not text:
        return lambda _: True
    if "*" not in text:
        return text.__eq__
    expression = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
    return lambda value: expression.fullmatch(value) is not None


def any_pattern(texts: Sequence[str]) -> Callable[[str], bool]:
    """A test for values that match one of several patterns. An empty list matches everything."""
    if texts and not any("*" in text or not text for text in texts):
        return frozenset(texts).__contains__
    patterns = [pattern(text) for text in texts]
    return lambda value: not patterns or any(fits(value) for fits in patterns)
