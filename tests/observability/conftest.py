"""The lab with Loki, Prometheus and Alloy's image beside it, for the tests of the way from the log to the answer."""

from __future__ import annotations

import pytest

from lab.api import Lab
from lab.observability import stack as observability_stack
from lab.observability.stack import Observability
from tests.lab.conftest import lab, node, running_lab, stack

__all__ = ["lab", "node", "observability", "running_lab", "servers", "stack"]


@pytest.fixture(scope="module")
def servers(running_lab: Lab) -> Observability:
    """Loki and Prometheus beside the lab, up; nothing ships to them, so that no Alloy has to be built."""
    return observability_stack.start_servers(running_lab.paths)


@pytest.fixture(scope="module")
def observability(running_lab: Lab) -> Observability:
    """Loki and Prometheus beside the lab, up, and Alloy's image on its nodes."""
    return observability_stack.up(running_lab.paths)
