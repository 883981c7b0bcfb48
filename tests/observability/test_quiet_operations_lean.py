"""The same under the preset `lean`: annotations make no detection fire in a healthy cluster either."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditlog.annotations.read import catalogue
from auditlog.detections.catalogue import DETECTIONS
from auditlog.detections.model import Detection
from lab.api import Lab
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.test_quiet_operations import Operations, assert_silent, operated

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope="module")
def operations(
    lab: Lab, observability: Observability, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operations]:
    settings = {"policy": {"preset": "lean"}, "annotations": {"delivery": "api"}}
    with operated(lab, observability, stack, tmp_path_factory.mktemp("operations"), **settings) as found:
        yield found


@pytest.mark.timeout(2700)
@pytest.mark.parametrize("detection", DETECTIONS, ids=lambda detection: detection.id)
def test_it_stays_silent_under_lean(detection: Detection, lab: Lab, operations: Operations) -> None:
    assert_silent(detection, lab, operations, catalogue())
