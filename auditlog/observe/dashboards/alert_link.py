"""The link from an alert to the dashboard with the events or metrics behind it."""

from __future__ import annotations

from urllib.parse import quote

from auditlog.detections.model import Detection, Events
from auditlog.observe.dashboards.addresses import SEARCHED, TAG, TYPED, typed_in_full

_TIME = "from=now-1h&to=now"


def alert_link(grafana: str, cluster: str, detection: Detection) -> str:
    """An address in Grafana with the alert's own values as filters, in the templates of Prometheus' rules.

    ``grafana`` is Grafana's address. An alert on metrics leads to *Pipeline*.
    """
    root = f"{grafana.rstrip('/')}/d/{TAG}"
    of_cluster = f"&var-cluster={quote(cluster, safe='')}" if cluster else ""
    source = detection.source
    if not isinstance(source, Events):
        return f"{root}-pipeline?{_TIME}{of_cluster}"
    filters = ""
    for field in source.by:
        if field in SEARCHED:
            value = f"{{{{ $labels.{field} | urlquery }}}}"
            filters += f"&var-{field}={typed_in_full(value) if field in TYPED else value}"
    return f"{root}-who?{_TIME}{of_cluster}{filters}"
