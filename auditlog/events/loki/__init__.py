"""Audit events from Loki instead of files, for the same questions and the same answers. ``store`` reads them."""

from auditlog.events.loki.access import DeniedError, LokiAccess, LokiError
from auditlog.events.loki.client import LokiClient

__all__ = ["DeniedError", "LokiAccess", "LokiClient", "LokiError"]
