"""Readings of the API server's counter in Prometheus: two of them within a range, without a restart between.

A sample's time is when its scrape began. The API server gave the value at some moment before the scrape ended.
``scrape_duration_seconds`` shows when it ended (https://prometheus.io/docs/concepts/jobs_instances).
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from auditlog.events.http_access import AccessError, HttpAccess, Names
from auditlog.events.http_connection import opener
from auditlog.ledger.counter import Count, Window
from auditlog.ledger.minutes import Span, stamp_of
from auditlog.units import MINUTE

METRIC = "apiserver_audit_event_total"
LONGEST_SCRAPE = 10.0
"""The most seconds that a scrape takes, if Prometheus does not have its duration: the default timeout."""

HALVES = 5
"""How many beginnings of a time are tried. Each costs one more comparison for every event that a node reads."""

NONE_IN_PROMETHEUS = "Prometheus has no two samples of it without a restart between"


class PrometheusError(AccessError):
    """Prometheus cannot be asked; the message names its address."""


OPTIONS = Names(
    "--prometheus", "--prometheus-tenant", "--prometheus-user", "--prometheus-token-file", "--prometheus-ca"
)


@dataclass(frozen=True, slots=True)
class PrometheusAccess(HttpAccess):
    """Address and credentials of a Prometheus, or of a server with its API."""

    API = "/api/v1"
    EXAMPLE = "http://prometheus:9090"
    ERROR = PrometheusError

    timeout: float = 60
    names: Names = OPTIONS


@dataclass(frozen=True, slots=True)
class Sample:
    """The counter's value at a moment in seconds since 1970."""

    at: float
    value: float


class _Series(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}
    values: list[tuple[float, str]] = []


class _Data(msgspec.Struct, frozen=True):
    result: list[_Series]


class _Answer(msgspec.Struct, frozen=True):
    data: _Data


@dataclass(frozen=True, slots=True)
class PrometheusReader:
    """Asks one Prometheus for the series of a selector, such as ``job="apiserver"``."""

    access: PrometheusAccess
    selector: str

    def windows(self, span: Span, nodes: Mapping[str, frozenset[str]]) -> dict[str, tuple[Window, ...]]:
        """Pairs of readings of each node that has them, the longest time first.

        There are several, because only reading a node's files shows how far back they reach. Before that, the times up
        to which events are counted must be known. ``nodes`` has the names and addresses of each node. Raises
        PrometheusError.
        """
        self.access.check()
        counted = self._samples(METRIC, span)
        durations = self._samples("scrape_duration_seconds", span)
        found = {}
        for node, names in nodes.items():
            series = [(labels, samples) for labels, samples in counted if names & _names(labels)]
            if len(series) != 1:
                continue
            instance = series[0][0].get("instance", "")
            of_instance = [samples for labels, samples in durations if labels.get("instance") == instance]
            took = {sample.at: sample.value for sample in of_instance[0]} if len(of_instance) == 1 else {}
            pairs = candidates(series[0][1])
            if pairs:
                found[node] = tuple(
                    Window(*(_count(sample, took.get(sample.at, LONGEST_SCRAPE)) for sample in pair)) for pair in pairs
                )
        return found

    def _samples(self, metric: str, span: Span) -> list[tuple[dict[str, str], list[Sample]]]:
        query = {"query": f"{metric}{{{self.selector}}}[{len(span) * MINUTE}s]", "time": span.until}
        url, access = self.access.url, self.access
        request = urllib.request.Request(  # noqa: S310 - http or https, checked
            f"{url.rstrip('/')}{access.API}/query?{urlencode(query)}", headers=access.headers()
        )
        try:
            with opener(access).open(request, timeout=access.timeout) as response:
                answer = msgspec.json.decode(response.read(), type=_Answer)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(500).decode(errors="replace").strip()
            if 300 <= error.code < 400:
                said = f"it redirects to {error.headers.get('Location')}; allowed: Prometheus' own address"
            raise PrometheusError(f"{url} answers {error.code}: {said}{access.hint(error.code)}") from error
        except (OSError, http.client.HTTPException) as error:
            raise PrometheusError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise PrometheusError(
                f"{url} does not answer as Prometheus does; allowed: Prometheus' own address"
            ) from error
        return [(each.metric, [Sample(at, float(value)) for at, value in each.values]) for each in answer.data.result]


def candidates(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Pairs of samples without a restart between, the longest time first.

    The pairs are of the longest time without a restart and of the last one. Each time gives the whole, its second half,
    its last quarter and so on. The list is empty if no two samples are of the same process.
    """
    rises: list[list[Sample]] = []
    for sample in samples:
        if not rises or sample.value < rises[-1][-1].value:
            rises.append([])
        rises[-1].append(sample)
    chosen = [*sorted(rises, key=_length)[-1:], *rises[-1:]]
    pairs = dict.fromkeys(pair for rise in chosen for pair in _halves(rise))
    return sorted(pairs, key=_length, reverse=True)


def _halves(rise: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    end = rise[-1]
    wanted = [end.at - _length(rise) / 2**times for times in range(HALVES)]
    return [(begin, end) for at in wanted if (begin := next(each for each in rise if each.at >= at)) is not end]


def _length(samples: Sequence[Sample]) -> float:
    return samples[-1].at - samples[0].at


def _names(labels: Mapping[str, str]) -> set[str]:
    """The names by which a series may identify its node."""
    return {labels.get("node", ""), labels.get("instance", "").rpartition(":")[0].strip("[]")} - {""}


def _count(sample: Sample, took: float) -> Count:
    return Count(stamp_of(sample.at), int(sample.value), stamp_of(sample.at + took), "")
