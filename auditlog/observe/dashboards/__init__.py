"""Grafana dashboards over the audit log in Loki, and over the metrics of the way there."""

from auditlog.observe.dashboards.options import DashboardOptions, options_for
from auditlog.observe.dashboards.rendered import RenderedDashboard

__all__ = ["DashboardOptions", "RenderedDashboard", "all_dashboards", "options_for"]


def all_dashboards(options: DashboardOptions) -> tuple[RenderedDashboard, ...]:
    """Every dashboard. The same options give the same bytes."""
    # Here, since the SDK that they are built with takes long to load and many stacks have no dashboards.
    from auditlog.observe.dashboards.pipeline import pipeline_dashboard
    from auditlog.observe.dashboards.security import security_dashboard
    from auditlog.observe.dashboards.volume import volume_dashboard
    from auditlog.observe.dashboards.who import who_dashboard

    return (who_dashboard(), security_dashboard(options), volume_dashboard(options), pipeline_dashboard(options))
