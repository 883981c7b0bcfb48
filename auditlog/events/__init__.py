"""Recorded audit events: reading them from logs, counting them, and answering questions about them."""
