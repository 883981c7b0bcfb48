"""Loki's HTTP API, the part that reading needs (https://grafana.com/docs/loki: query, query_range, series)."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

from auditlog.events.http_connection import opener
from auditlog.events.loki.access import DeniedError, LokiAccess, LokiError

Decoded = TypeVar("Decoded")

_BUSY = frozenset({429, 502, 503, 504})
"""Codes worth another try: Loki limits the rate of queries, restarts, or waits for its parts."""

_DENIED = frozenset({401, 403})

_PAUSES = (1.0, 3.0)
"""Seconds before each further try."""


class Stream(Struct, frozen=True):
    """Lines with the same labels: pairs of a time in nanoseconds and the line."""

    stream: dict[str, str] = {}
    values: list[tuple[str, str]] = []


class Series(Struct, frozen=True):
    """Numbers with the same labels: pairs of a time in seconds and the number; `value` for one moment alone."""

    metric: dict[str, str] = {}
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _Streams(Struct, frozen=True):
    result_type: str = field(name="resultType")
    result: list[Stream]


class _Numbers(Struct, frozen=True):
    result_type: str = field(name="resultType")
    result: list[Series]


class _Answer(Struct, frozen=True):
    status: str
    data: msgspec.Raw


class TooLargeError(LokiError):
    """The answer is too large for Loki's parts to exchange. Ask for fewer lines."""


class MissingError(LokiError):
    """Nothing is at this address. The message quotes Loki, or whatever else answers there."""


class LokiClient:
    """Asks one Loki. Every method raises LokiError with a message for people.

    ``received`` is the bytes of all its answers.
    """

    def __init__(self, access: LokiAccess) -> None:
        access.check()
        self.received = 0
        self._access = access
        self._headers = access.headers()
        self._opener = opener(access)

    def lines(self, query: str, start: int, end: int, limit: int, *, newest_first: bool = False) -> list[Stream]:
        """Lines from `start` to before `end`, both in nanoseconds, at most `limit` of all streams together."""
        parameters = {
            "query": query,
            "start": start,
            "end": end,
            "limit": limit,
            "direction": "backward" if newest_first else "forward",
        }
        return self._decode(self._get("query_range", parameters), _Streams).result

    def numbers(self, query: str, start: int, end: int, step: int) -> list[Series]:
        """A metric query at `start`, every `step` seconds after it, and at `end`, in seconds."""
        parameters = {"query": query, "start": start, "end": end, "step": step}
        return self._decode(self._get("query_range", parameters), _Numbers).result

    def numbers_at(self, query: str, moment: int) -> list[Series]:
        """A metric query at one moment, in nanoseconds."""
        return self._decode(self._get("query", {"query": query, "time": moment}), _Numbers).result

    def label_sets(self, selector: str, start: int, end: int) -> list[dict[str, str]]:
        """The labels of the streams there are from `start` to `end`, in nanoseconds."""
        found = self._get("series", {"match[]": selector, "start": start, "end": end})
        return self._decode(found, list[dict[str, str]])

    def text(self, url: str) -> bytes:
        """The unparsed answer of an address of this Loki. Raises MissingError if nothing is there."""
        return self._fetch(url, url)

    def _get(self, path: str, parameters: Mapping[str, object]) -> msgspec.Raw:
        url = f"{self._access.url.rstrip('/')}/loki/api/v1/{path}"
        body = self._fetch(url, f"{url}?{urlencode(parameters)}")
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise LokiError(f"{url} does not answer as Loki does; allowed: Loki's own address") from problem
        return answer.data

    def _fetch(self, name: str, url: str) -> bytes:
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - http or https, checked
        for pause in (*_PAUSES, None):
            try:
                with self._opener.open(request, timeout=self._access.timeout) as response:
                    content: bytes = response.read()
                    self.received += len(content)
                    return content
            except urllib.error.HTTPError as problem:
                with problem:
                    text = problem.read(2000).decode(errors="replace").strip()
                if pause is not None and problem.code in _BUSY:
                    time.sleep(pause)
                    continue
                raise self._refusal(name, problem, text) from problem
            except (OSError, http.client.HTTPException) as problem:
                reason = getattr(problem, "reason", None) or problem
                raise LokiError(f"{name} cannot be reached: {reason}") from problem
        raise AssertionError("the last try ends the loop")

    def _decode(self, data: msgspec.Raw, kind: type[Decoded]) -> Decoded:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise LokiError(f"{self._access.url} does not answer as Loki does: {problem}") from problem

    def _refusal(self, name: str, problem: urllib.error.HTTPError, text: str) -> LokiError:
        code = problem.code
        if 300 <= code < 400:
            return LokiError(f"{name} redirects to {problem.headers.get('Location')}; allowed: Loki's own address")
        if code == 500 and "larger than max" in text:
            return TooLargeError(f"{name}: {text}")
        kind = DeniedError if code in _DENIED else MissingError if code == 404 else LokiError
        return kind(f"{name} answers {code}: {text or 'without a reason'}{self._access.hint(code)}")
