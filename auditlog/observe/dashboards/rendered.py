"""A dashboard as text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenderedDashboard:
    """A dashboard in Grafana's format. ``uid`` is the same on every Grafana. ``json`` ends with a newline."""

    uid: str
    title: str
    json: str

    @property
    def path(self) -> str:
        """The dashboard's path below Grafana's address."""
        return f"/d/{self.uid}"

    @property
    def file_name(self) -> str:
        """Its key in a ConfigMap and its name in a folder."""
        return f"{self.uid}.json"
