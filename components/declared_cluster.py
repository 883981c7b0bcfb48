"""What one cluster came to in a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi


@dataclass(frozen=True, slots=True)
class Declared:
    """The resources of one cluster after they were declared.

    ``outputs`` are those of ``auditlog.outputs`` by their names. ``last`` are the resources after which all is done.
    """

    outputs: Mapping[str, Any]
    last: Sequence[pulumi.Resource]
