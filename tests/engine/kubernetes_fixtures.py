"""Fixtures for tests against a real API server; a test module names this module in its ``pytest_plugins``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.kubernetes_api import KubernetesApi, serving
from tests.engine.kubernetes_stack import Stack


@pytest.fixture(scope="session")
def kubernetes_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesApi]:
    """One API server for all tests of a run; each test keeps to a namespace of its own."""
    with serving(tmp_path_factory.mktemp("kubernetes-api")) as api:
        yield api


@pytest.fixture
def namespace(kubernetes_api: KubernetesApi) -> str:
    """The name of a namespace of the test's own."""
    return kubernetes_api.new_namespace()


@pytest.fixture
def stack(engine_environment: dict[str, str], tmp_path: Path) -> Stack:
    """An empty stack."""
    return Stack(engine_environment, tmp_path / "program")
