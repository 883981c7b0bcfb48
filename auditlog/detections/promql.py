"""The PromQL of a detection: where its metrics come from is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from string import Template

from auditlog.detections.model import Metrics

USUAL_API_SERVER_JOBS = 'job=~"apiserver|kube-apiserver|kubernetes-apiservers"'
"""The job names of kube-prometheus-stack, of kubernetes-mixin and of Prometheus' own example."""
_DEFAULT_SELECTORS = {
    "apiServer": USUAL_API_SERVER_JOBS,
    "nodeExporter": 'job=~".*node-?exporter.*"',
    "alloy": 'job=~".*alloy.*"',
    "loki": 'job=~".*loki.*"',
}
SELECTORS = tuple(_DEFAULT_SELECTORS)
"""The names of the selectors that a stack can replace."""


def value_query(metrics: Metrics, log_path: str, addresses: Sequence[str], selectors: Mapping[str, str]) -> str:
    """What is compared with the threshold.

    `addresses` are names and addresses of the control-plane nodes: node_exporter runs on workers too, whose disks hold
    no audit log. `selectors` are a stack's own and replace the usual ones.
    """
    log = PurePosixPath(log_path)
    filled_in = {
        **_DEFAULT_SELECTORS,
        **({"nodeExporter": f'instance=~"({_any_of(addresses)})(:[0-9]+)?"'} if addresses else {}),
        **selectors,
        "logFolders": f'mountpoint=~"{_any_of([str(folder) for folder in log.parents])}"',
    }
    return Template(metrics.expression).substitute(filled_in)


def _any_of(texts: Sequence[str]) -> str:
    return "|".join(map(_literal, texts))


def _literal(text: str) -> str:
    """A regular expression for the text itself, inside of a PromQL string."""
    return re.escape(text).replace("\\-", "-").replace("\\", "\\\\")
