"""The checksum of auditIDs: the same in Python and in every awk there is; real Loki is asked in tests/observability."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from auditlog.ledger.checksum import PRIMES, WIDTH, checksum, loki_template
from auditlog.ledger.files import parse_reading
from auditlog.nodes import node_scripts
from tests.observability.ledger_logs import ODD_IDS

AWKS = [words for words in (["mawk"], ["gawk"], ["original-awk"], ["busybox", "awk"]) if shutil.which(words[0])]


def log_of(ids: list[str]) -> str:
    stamp = "2026-11-29T10:00:30.000001Z"
    events = (
        {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": audit_id, "stage": "Panic"}
        | {"requestReceivedTimestamp": stamp, "stageTimestamp": stamp}
        for audit_id in ids
    )
    return "".join(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in events)


@pytest.mark.parametrize("awk", AWKS, ids=" ".join)
def test_every_awk_computes_what_python_does(awk: list[str], tmp_path: Path) -> None:
    ids = [*(str(uuid.uuid4()) for _ in range(2000)), *ODD_IDS, "\U0001f600", "\u2028", "\x7f" * 40, "\uffff" * 12]
    log = tmp_path / "audit.log"
    log.write_text(log_of(ids), encoding="utf-8")
    tool = tmp_path / "bin" / "awk"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {" ".join(awk)} "$@"\n')
    tool.chmod(0o700)
    script = node_scripts.bundle().replace("PATH=/usr/local/sbin", f"PATH={tool.parent}:/usr/local/sbin", 1)
    times = ("since=2026-11-29T10:00:00.000000Z", "until=2026-11-29T10:01:00.000000Z", "after=0")
    ran = subprocess.run(
        ["sh", "-s", "ledger", f"log={log}", *times], input=script, capture_output=True, text=True, check=True
    )
    (found,) = parse_reading(ran.stdout).sums.values()
    assert found.count == len(ids)
    assert found.checksum == sum(map(checksum, ids))
    assert found.bytes == sum(len(line.encode()) for line in log_of(ids).removesuffix("\n").split("\n"))


def test_the_order_does_not_matter_and_one_bit_does() -> None:
    ids = [str(uuid.UUID(int=each)) for each in range(100)]
    shuffled = random.Random(1).sample(ids, len(ids))  # noqa: S311
    assert sum(map(checksum, ids)) == sum(map(checksum, shuffled))
    flipped = [f"{ids[0][:-1]}1", *ids[1:]]
    assert sum(map(checksum, flipped)) != sum(map(checksum, ids))


def test_sums_of_a_million_events_are_exact_in_a_double() -> None:
    assert 1_300_000 * sum(PRIMES) < 2**53
    assert len(str(uuid.uuid4())) == WIDTH


def test_loki_is_asked_for_the_same() -> None:
    assert all(str(prime) in loki_template() for prime in PRIMES)
    assert '"' not in loki_template()
