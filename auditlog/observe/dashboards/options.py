"""What differs between installations in the dashboards' queries."""

from __future__ import annotations

from dataclasses import dataclass

from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.promql import USUAL_API_SERVER_JOBS
from auditlog.settings import DEFAULT_LOG_PATH, Settings

_DISK = next(each for each in DETECTIONS if each.id == "audit-disk-usage")


@dataclass(frozen=True, slots=True)
class DashboardOptions:
    """How the scraped metrics are named, and how much space the log may take on a node."""

    api_server: str = USUAL_API_SERVER_JOBS
    """The PromQL matcher of kube-apiserver's own metrics. Aggregated API servers export the same names."""
    log_path: str = DEFAULT_LOG_PATH
    """The log file on the node."""
    log_budget: int = 1100
    """MiB that kube-apiserver keeps in the active file and the rotated ones; 0 for no limit or no file."""
    disk_percent: float = _DISK.threshold
    """The threshold of the alert `audit-disk-usage`."""


def options_for(settings: Settings) -> DashboardOptions:
    """The options of a stack's dashboards."""
    log = settings.log
    is_bounded = log is not None and log.is_file and log.max_backup > 0
    return DashboardOptions(
        api_server=settings.dashboards.api_server_metrics or USUAL_API_SERVER_JOBS,
        log_path=settings.log_file or DEFAULT_LOG_PATH,
        log_budget=log.max_size * (log.max_backup + 1) if log is not None and is_bounded else 0,
        disk_percent=settings.alerts.thresholds.get(_DISK.id, _DISK.threshold),
    )
