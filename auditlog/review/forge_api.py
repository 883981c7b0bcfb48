"""A forge's HTTP API: JSON with a token, page by page."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from auditlog.errors import AuditlogError
from auditlog.events.http_connection import NoRedirect

_SECONDS = 30
_A_PAGE = 100
_MOST_PAGES = 50
"""A pull request with more comments than this gets a further one."""


class ForgeError(AuditlogError):
    """The forge cannot be asked, or refuses; the message says what it answered, and what the token must allow."""


@dataclass(frozen=True, slots=True)
class ForgeApi:
    """One forge, as ``token`` may use it."""

    url: str
    """The API's address, without a slash at its end."""
    headers: Mapping[str, str] = field(repr=False)
    """What identifies the caller; holds the token."""
    allows: str
    """What the token has to allow, for the message of a refusal."""

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """One request and its answer's JSON. Raises ForgeError."""
        if not self.url.startswith(("https://", "http://")):
            raise ForgeError(f"{self.url!r} is no address of a forge's API; allowed: an http or https URL")
        request = urllib.request.Request(  # noqa: S310 - http or https, checked
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "auditlog", **self.headers},
        )
        try:
            with urllib.request.build_opener(NoRedirect()).open(request, timeout=_SECONDS) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as problem:
            with problem:
                text = " ".join(problem.read(500).decode(errors="replace").split())
            hint = f"; the token must allow {self.allows}" if problem.code in (401, 403, 404) else ""
            raise ForgeError(f"{method} {self.url}{path} answers {problem.code}: {text}{hint}") from problem
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise ForgeError(f"{method} {self.url}{path}: {getattr(problem, 'reason', None) or problem}") from problem

    def pages(self, path: str) -> Iterator[Any]:
        """Every entry of a list, oldest first. Raises ForgeError."""
        for page in range(1, _MOST_PAGES + 1):
            entries = self.call("GET", f"{path}?{urlencode({'per_page': _A_PAGE, 'page': page})}")
            yield from entries
            if len(entries) < _A_PAGE:
                return
