"""Marks in the graphs: what happened to the API servers while something else changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import CLUSTER
from auditlog.observe.dashboards.queries.pipeline import POLICY_HASHES, POLICY_LABEL, ROLLED_OUT

_STEP = 60


def changes(options: DashboardOptions) -> tuple[Mapping[str, Any], ...]:
    """Restarts of API servers; policies that a cluster did not have a minute before; and what was rolled out in it.

    The last two need kube-state-metrics. Roll-outs are off until somebody switches them on: some clusters have hundreds
    a day. None asks Loki, which would read the whole range for a few marks.
    """
    started = f"process_start_time_seconds{{{CLUSTER}, {options.api_server}}}"
    policies = f"sum by (cluster, {POLICY_LABEL}) ({POLICY_HASHES})"
    earlier = f"sum by (cluster, {POLICY_LABEL}) ({POLICY_HASHES.replace('}', f'}} offset {_STEP}s', 1)})"
    return (
        _marks("API server started", "orange", f"time() - {started} < {_STEP}", "{{cluster}} {{instance}}"),
        _marks("Policy changed", "purple", f"{policies} unless {earlier}", f"{{{{cluster}}}} {{{{{POLICY_LABEL}}}}}"),
        _marks(
            "Deployment rolled out",
            "super-light-blue",
            f"time() - {ROLLED_OUT} < {_STEP}",
            "{{cluster}} {{namespace}}/{{replicaset}}",
            is_on=False,
        ),
    )


def _marks(name: str, colour: str, expression: str, text: str, *, is_on: bool = True) -> Mapping[str, Any]:
    return {
        "name": name,
        "datasource": {"type": "prometheus", "uid": "${prometheus}"},
        "enable": is_on,
        "expr": expression,
        "step": f"{_STEP}s",
        "iconColor": colour,
        "titleFormat": name,
        "textFormat": text,
    }
