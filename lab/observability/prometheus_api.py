"""Asks the lab's Prometheus over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from lab.errors import LabError

_SECONDS = 60


def instant(url: str, query: str, time: float) -> list[dict[str, Any]]:
    """The samples of a query at ``time``, seconds since 1970. ``LabError`` when Prometheus refuses or is away."""
    parameters = urllib.parse.urlencode({"query": query, "time": f"{time:.3f}"})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=_SECONDS) as answer:  # noqa: S310
            samples: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return samples
    except urllib.error.HTTPError as error:
        raise LabError(f"Prometheus refuses {query}: {error.read().decode(errors='replace').strip()}") from error
    except (urllib.error.URLError, OSError) as error:
        raise LabError(f"Prometheus at {url} does not answer: {error}") from error
