"""Audit events from Loki instead of files: the same questions, the same answers."""

from auditlog.events.loki.access import DeniedError, LokiAccess, LokiError
from auditlog.events.loki.client import LokiClient
from auditlog.events.loki.store import LokiStore

__all__ = ["DeniedError", "LokiAccess", "LokiClient", "LokiError", "LokiStore"]
