"""What differs between installations in the dashboards' queries."""

from __future__ import annotations

from dataclasses import dataclass

TAG = "kubernetes-audit"
"""Every dashboard carries it; the dashboards link to each other by it."""


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """How the metrics are named where they are scraped, and what the log may take on a node.

    ``api_server`` is the PromQL matcher of kube-apiserver's own metrics: aggregated API servers export the same names.
    Its default knows the job names of kube-prometheus-stack, kubernetes-mixin and Prometheus' own example.
    ``log_path`` is the log file on the node. ``log_budget`` is what kube-apiserver keeps of it in MiB: the written file
    and the rotated ones; 0 where it keeps everything.
    """

    api_server: str = 'job=~"apiserver|kube-apiserver|kubernetes-apiservers"'
    log_path: str = "/var/log/kubernetes/audit/audit.log"
    log_budget: int = 1100
