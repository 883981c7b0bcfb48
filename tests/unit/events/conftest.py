"""What tests of several questions share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.events.generate import encode
from tests.unit.events.incident import incident


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of the incident."""
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(map(encode, incident())))
    return path
