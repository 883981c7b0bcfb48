"""Asks the lab's Loki over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError

_PAGE = 1000
"""Loki allows 5000 entries, but its parts exchange at most 4 MiB: 1.5 kB an event with its structured metadata."""
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry: nanoseconds since 1970, the line, its stream's labels and its structured metadata.

    ``parsed`` is what the query itself has made of the line.
    """

    time: int
    line: str
    labels: dict[str, str]
    metadata: dict[str, str]
    parsed: dict[str, str]


def entries(url: str, query: str, start: int, end: int, size: int = _PAGE) -> Iterator[Entry]:
    """All entries of a log query from ``start`` to before ``end``, both nanoseconds since 1970, oldest first.

    Loki answers in pages of ``size``. Entries of one nanosecond may lie on two of them. So each page begins with the
    last nanosecond of the one before, without the entries already seen.
    """
    seen: list[tuple[str, str]] = []
    while True:
        page = _page(url, query, start, end, size)
        for entry in page:
            if entry.time == start and (entry.line, entry.metadata.get("auditID", "")) in seen:
                seen.remove((entry.line, entry.metadata.get("auditID", "")))
                continue
            yield entry
        if len(page) < size:
            return
        if page[-1].time == start:
            raise LabError(f"Loki has more than {size} entries at one nanosecond, {start}")
        start = page[-1].time
        seen = [(each.line, each.metadata.get("auditID", "")) for each in page if each.time == start]


def _page(url: str, query: str, start: int, end: int, size: int) -> list[Entry]:
    parameters: dict[str, str | int] = {
        "query": query,
        "start": start,
        "end": end,
        "limit": size,
        "direction": "forward",
    }
    result = _get(url, "query_range", parameters)["result"]
    found = [
        Entry(
            int(moment),
            line,
            stream["stream"],
            *((more[0] if more else {}).get(kind, {}) for kind in ("structuredMetadata", "parsed")),
        )
        for stream in result
        for moment, line, *more in stream["values"]
    ]
    return sorted(found, key=lambda entry: entry.time)


def instant(url: str, query: str, time: int | None = None) -> list[dict[str, Any]]:
    """The samples of a metric query at ``time`` (nanoseconds since 1970; now when None)."""
    parameters: dict[str, str | int] = {"query": query} | ({} if time is None else {"time": time})
    samples: list[dict[str, Any]] = _get(url, "query", parameters)["result"]
    return samples


def _get(url: str, endpoint: str, parameters: dict[str, str | int]) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310
        f"{url}/loki/api/v1/{endpoint}?{urllib.parse.urlencode(parameters)}",
        # Without it structured metadata comes mixed with the labels.
        headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            data: dict[str, Any] = json.load(answer)["data"]
            return data
    except urllib.error.HTTPError as error:
        raise LabError(
            f"Loki refuses {parameters['query']}: {error.read().decode(errors='replace').strip()}"
        ) from error
    except (urllib.error.URLError, OSError) as error:
        raise LabError(f"Loki at {url} does not answer: {error}") from error
