"""The one error type of the lab."""

from __future__ import annotations


class LabError(Exception):
    """Something the lab needs is missing or failed; the message says what, and what to do about it."""
