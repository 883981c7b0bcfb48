"""The queries of the dashboards, with a module for each dashboard. Panels and thresholds are elsewhere."""
