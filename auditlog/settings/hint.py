"""What a person may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_CLOSE = 0.6


def did_you_mean(written: object, names: Iterable[str]) -> str:
    """``, did you mean 'NAME'`` with the nearest of ``names``; empty where none is near.

    Upper and lower case, hyphens and underscores do not count: ``hostkey`` is ``hostKey``. A path such as
    ``policy.preset`` is what ``pulumi config set`` makes a key of without ``--path``.
    """
    if not isinstance(written, str):
        return ""
    names = [*names]
    first = re.split(r"[.\[]", written, maxsplit=1)[0]
    if first in names and first != written:
        return f", did you mean --path {written!r}"
    by_letters = {letters(name): str(name) for name in names}
    close = difflib.get_close_matches(letters(written), by_letters, n=1, cutoff=_CLOSE)
    return f", did you mean {by_letters[close[0]]!r}" if close else ""


def letters(name: str) -> str:
    """The name without what is easily written otherwise."""
    return name.casefold().replace("-", "").replace("_", "")
