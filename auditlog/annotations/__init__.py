"""Audit annotations: what admission policies add to events at Metadata, so that no body has to be recorded."""
