"""A node's log as the API server leaves it behind, with times of the last minutes, for the ledger to be tried on."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ODD_IDS = ('client "sent"', "a\\b", "<&>", "ünï", "x", "", "two words", "y" * 70, "tab\there", "a" * 36)
"""What clients may send as Audit-ID."""


@dataclass
class Logs:
    """Writes events into ``folder``: rotated and compressed files, and the log itself."""

    folder: Path
    begin: datetime
    seed: int = 1
    written: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count()
        self._random = random.Random(self.seed)  # noqa: S311

    @property
    def live(self) -> Path:
        return self.folder / "audit.log"

    def event(self, moment: datetime, audit_id: str | None = None, **others: Any) -> str:
        """The line of one event."""
        number = next(self._numbers)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": self._uuid() if audit_id is None else audit_id,
            "stage": "RequestReceived" if number % 7 == 0 else "ResponseComplete",
            "requestURI": f"/api/v1/namespaces/default/configmaps/number-{number}",
            "verb": "get",
            "user": {"username": "kubernetes-admin", "groups": ["system:authenticated"]},
            "sourceIPs": ["10.0.0.1"],
            "userAgent": "kubectl/v1.37.2",
            "objectRef": {"resource": "configmaps", "namespace": "default", "name": f"number-{number}"},
            "responseStatus": {"metadata": {}, "code": 200},
            **others,
            "requestReceivedTimestamp": stamp,
            "stageTimestamp": stamp,
            "annotations": {"authorization.k8s.io/decision": "allow"},
        }
        self.written.append(event)
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n"

    def lines(self, since: float, until: float, rate: float = 20) -> list[str]:
        """Events from ``since`` to ``until``, in seconds from the beginning."""
        count = int((until - since) * rate)
        return [
            self.event(self.begin + timedelta(seconds=since + each / rate, microseconds=7)) for each in range(count)
        ]

    def rotated(self, lines: list[str], at: float, *, compress: bool = False, canary: bool = False) -> Path:
        """A file that was rotated so many seconds after the beginning."""
        stamp = (self.begin + timedelta(seconds=at)).strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        path = self.folder / f"audit{'-canary' if canary else ''}-{stamp}.log"
        if compress:
            path = path.with_name(f"{path.name}.gz")
            path.write_bytes(gzip.compress("".join(lines).encode()))
        else:
            path.write_text("".join(lines))
        return path

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def edited(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Gives a file other lines, compressed as it was."""
    if path.suffix == ".gz":
        lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
        path.write_bytes(gzip.compress("".join(change(lines)).encode()))
    else:
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


def minutes_ago(count: float) -> datetime:
    """The beginning of a minute so long ago."""
    now = datetime.now(UTC) - timedelta(minutes=count)
    return now.replace(second=0, microsecond=0)


def ids(lines: list[str]) -> Iterator[str]:
    """The auditIDs of lines."""
    return (json.loads(line)["auditID"] for line in lines)
