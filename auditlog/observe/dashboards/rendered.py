"""A dashboard as a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenderedDashboard:
    """A dashboard as Grafana reads it. ``uid`` is the same on every Grafana; ``json`` ends with a newline."""

    uid: str
    title: str
    json: str

    @property
    def path(self) -> str:
        """Where Grafana shows it, below its own address."""
        return f"/d/{self.uid}"

    @property
    def file_name(self) -> str:
        """Its key in a ConfigMap and its name in a folder."""
        return f"{self.uid}.json"
