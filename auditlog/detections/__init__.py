"""What is worth an alert: the catalogue of detections, and which of them a policy makes blind.

`catalogue.DETECTIONS` holds them all, and one module per area defines them. `cross_check` compares them with a policy.
`auditlog.observe.rules` turns them into rules for Loki and Prometheus.
"""
