"""The texts that several settings hold: paths, durations, what goes into HTTP headers, URLs."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from auditlog.settings.duration import DURATION, is_duration
from auditlog.settings.kinds import Text

ABSOLUTE_PATH = r"(/[^/]+){2,}"
"""Pattern of an absolute path below a folder of the root."""
HEADER_VALUE = "[!-~]+"
"""Pattern of what an HTTP header can hold as one word: printable ASCII without spaces."""


def is_absolute(value: str) -> bool:
    """Whether this is a plain absolute path below a folder of the root, without ".." and unprintable characters."""
    path = PurePosixPath(value)
    return (
        value.startswith("/")
        and ".." not in path.parts
        and str(path) == value
        and len(path.parts) > 2
        and value.isprintable()
    )


def plain_url(value: str) -> SplitResult | None:
    """The parts of an http:// or https:// URL with a host, and without user, password and fragment; None for others."""
    try:
        parts = urlsplit(value)
        has_port = parts.port != 0
    except ValueError:
        return None
    plain = not (parts.username or parts.password or parts.fragment)
    return parts if parts.scheme in ("https", "http") and parts.hostname and has_port and plain else None


DURATION_TEXT = Text("a duration as in '500ms', '5s' or '1m30s'", DURATION, is_duration)
PATH_ON_NODES = Text("an absolute path on the nodes", ABSOLUTE_PATH, is_absolute)
