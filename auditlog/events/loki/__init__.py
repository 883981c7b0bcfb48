"""Audit events from Loki instead of files: the same questions, the same answers, which are those of ``store``."""

from auditlog.events.loki.access import DeniedError, LokiAccess, LokiError
from auditlog.events.loki.client import LokiClient

__all__ = ["DeniedError", "LokiAccess", "LokiClient", "LokiError"]
