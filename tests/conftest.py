"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# How fast an example runs says nothing on a machine that compiles or boots a control plane beside the tests. In CI the
# examples are the same in every run, so that a change does not fail for what it has nothing to do with.
settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("project")
