"""What one cluster came to in a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pulumi


class Part(Enum):
    """What a cluster's resources are for. One part may be done before another."""

    NODES = "nodes"
    SHIPPING = "shipping"
    DASHBOARDS = "dashboards"
    ALERTS = "alerts"
    ANNOTATIONS = "annotations"


@dataclass(frozen=True, slots=True)
class ClusterResources:
    """The resources of one cluster after they were declared.

    ``outputs`` are those of ``auditlog.settings.outputs`` by their names. ``last`` are the resources after which a
    part is done.
    """

    outputs: Mapping[str, Any]
    last: Mapping[Part, Sequence[pulumi.Resource]]
