"""Where audit events go in the lab: Loki and Prometheus beside the nodes, and Alloy's image on them."""
