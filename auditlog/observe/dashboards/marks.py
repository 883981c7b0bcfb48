"""Marks in the graphs: what happened to the API servers while something else changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import CLUSTER
from auditlog.observe.dashboards.queries.pipeline import POLICY_HASHES, POLICY_LABEL

_STEP = 60


def changes(options: DashboardOptions) -> tuple[Mapping[str, Any], ...]:
    """Restarts of API servers, and policies that a cluster did not have a minute before (needs kube-state-metrics)."""
    started = f"process_start_time_seconds{{{CLUSTER}, {options.api_server}}}"
    policies = f"sum by (cluster, {POLICY_LABEL}) ({POLICY_HASHES})"
    earlier = f"sum by (cluster, {POLICY_LABEL}) ({POLICY_HASHES.replace('}', f'}} offset {_STEP}s', 1)})"
    return (
        _marks("API server started", "orange", f"time() - {started} < {_STEP}", "{{cluster}} {{instance}}"),
        _marks("Policy changed", "purple", f"{policies} unless {earlier}", f"{{{{cluster}}}} {{{{{POLICY_LABEL}}}}}"),
    )


def _marks(name: str, colour: str, expression: str, text: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "datasource": {"type": "prometheus", "uid": "${prometheus}"},
        "enable": True,
        "expr": expression,
        "step": f"{_STEP}s",
        "iconColor": colour,
        "titleFormat": name,
        "textFormat": text,
    }
