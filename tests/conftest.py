"""Settings of all tests."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# How fast an example runs says nothing on a machine that compiles or boots a control plane beside the tests. In CI the
# examples are the same in every run, so that a change does not fail for what it has nothing to do with.
settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("project")

# A shell without job control, as the one of .ci/test, has what it puts in the background ignore SIGINT, and all that is
# started from there. Pulumi ends its plugins by SIGINT, and waits five seconds for each that goes on.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Pulumi programs that the tests run are compiled once, as a user's are, and not at every run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


_STARTED = pytest.StashKey[float]()
_LOOP = asyncio.new_event_loop()


def _processor_seconds() -> float:
    """What this process has used, and those that it started and waited for, as `pulumi` runs."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_STARTED] = _processor_seconds()
    # asyncio.run of an earlier test leaves the thread without an event loop, and Pulumi's mocks do not make one.
    asyncio.set_event_loop(_LOOP)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    # For tests/durations.py: the rest of a test's time it waited.
    if call.when == "teardown":
        item.user_properties.append(("processor", f"{_processor_seconds() - item.stash[_STARTED]:.3f}"))
    return (yield)
