"""Marks in the graphs: what changed in a cluster, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries.common import CLUSTER
from auditlog.observe.dashboards.queries.pipeline import POLICY_HASHES, POLICY_LABEL, ROLLED_OUT

_STEP = 60


def changes(options: DashboardOptions) -> tuple[Mapping[str, Any], ...]:
    """Marks for restarts of API servers, for policies that a cluster lacked a minute before, and for roll-outs.

    The last two require kube-state-metrics. Roll-outs are off by default, because some clusters have hundreds a day. No
    mark queries Loki, which would read the whole range for a few marks.
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
