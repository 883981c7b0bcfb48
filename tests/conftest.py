"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How fast an example runs says nothing on a machine that compiles or boots a control plane beside the tests.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
