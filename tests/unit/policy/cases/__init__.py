"""Cases as files: one behaviour each, named as a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.policy.model import SUPPORTED_MINORS, Request
from auditlog.policy.phrase import parse_phrase

_FOLDER = Path(__file__).parent


def cases(folder: str) -> list[Any]:
    """The parameters of a test over a folder of cases, with the file name as the test's name."""
    files = sorted((_FOLDER / folder).glob("*.yaml"))
    return [pytest.param(yaml.safe_load(file.read_text(encoding="utf-8")), id=file.stem) for file in files]


def request_of(case: str | dict[str, Any]) -> Request:
    """A request given as a phrase, or by the fields of Request where a phrase cannot say it."""
    return parse_phrase(case) if isinstance(case, str) else Request(**{"user": None, **case})


def minors_of(case: dict[str, Any]) -> list[int]:
    """The Kubernetes minor versions a case holds for."""
    return list(case.get("minors", SUPPORTED_MINORS))
