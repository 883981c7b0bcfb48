"""The PromQL of a detection: where its metrics come from is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def api_server_selector(selectors: Mapping[str, str]) -> str:
    """The matchers of the API servers' series: the stack's own, or else the usual ones."""
    return selectors.get("apiServer", _DEFAULT_SELECTORS["apiServer"])


@dataclass(frozen=True, slots=True)
class MetricsScope:
    """Whose metrics are looked at.

    `addresses` are names and addresses of the control-plane nodes: node_exporter runs on workers too, whose disks hold
    no audit log. `selectors` are a stack's own and replace the usual ones. `tenant` is the tenant of the events in
    Loki, "" if it is not known.
    """

    cluster: str
    log_path: str
    addresses: tuple[str, ...]
    selectors: Mapping[str, str]
    tenant: str = ""


def value_query(metrics: Metrics, scope: MetricsScope) -> str:
    """What is compared with the threshold.

    Where one Prometheus has several clusters, their series have the label `cluster`, and only this one's are looked at.
    Where it has one, they need no such label. Loki's series are those of one Loki for all clusters.
    """
    log = PurePosixPath(scope.log_path)
    selectors = {
        **_DEFAULT_SELECTORS,
        **({"nodeExporter": f'instance=~"({_any_of(scope.addresses)})(:[0-9]+)?"'} if scope.addresses else {}),
        **scope.selectors,
    }
    if scope.cluster:
        own = f', cluster=~"|{_literal(scope.cluster)}"'
        selectors = {name: matchers + (own if name != "loki" else "") for name, matchers in selectors.items()}
    filled_in = {
        **selectors,
        "logFolders": f'mountpoint=~"{_any_of([str(folder) for folder in log.parents])}"',
        "ruleGroups": f'rule_group=~".*kubernetes-audit-{_groups_of(scope.cluster)}"',
        "tenant": f'tenant=~"{_literal(scope.tenant) or ".*"}"',
    }
    return Template(metrics.expression).substitute(filled_in)


def _groups_of(cluster: str) -> str:
    """The end of the names of a cluster's rule groups: an area, and an interval that is not the usual one."""
    return f"{_literal(cluster)}-[a-z]+(-[0-9]+[smhd])?" if cluster else ".*"


def _any_of(texts: Sequence[str]) -> str:
    return "|".join(map(_literal, texts))


def _literal(text: str) -> str:
    """A regular expression for the text itself, inside of a PromQL string."""
    return re.escape(text).replace("\\-", "-").replace("\\", "\\\\")
