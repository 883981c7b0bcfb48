"""The queries of the dashboards, one module a dashboard; panels and thresholds are elsewhere."""
