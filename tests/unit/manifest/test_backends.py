"""What the audit flags mean, by version."""

from __future__ import annotations

import pytest

from auditlog.manifest.backends import LogBackend, WebhookBackend, log_backend, webhook_backend

MEGABYTE = 1024 * 1024
PATH = {"audit-log-path": "/var/log/audit.log"}
ROTATION = ("audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize")


def test_no_path_is_no_backend() -> None:
    assert log_backend({"audit-log-maxage": "30"}, 36) is None
    assert log_backend({"audit-log-path": ""}, 36) is None
    assert webhook_backend({"audit-webhook-mode": "batch"}) is None


def test_what_is_not_set_before_1_36() -> None:
    backend = log_backend(PATH, 35)
    assert backend == LogBackend("/var/log/audit.log", "blocking", 0, 0, 100, ROTATION)
    assert backend.worst_case_bytes is None


def test_what_is_not_set_since_1_36() -> None:
    backend = log_backend(PATH, 36)
    assert backend == LogBackend("/var/log/audit.log", "blocking", 366, 100, 100, ROTATION)
    assert backend.worst_case_bytes == 101 * 100 * MEGABYTE


@pytest.mark.parametrize(("minor", "size"), [(30, 100), (35, 100), (36, None)])
def test_a_size_of_zero_is_a_hundred_megabytes_until_it_turns_rotation_off(minor: int, size: int | None) -> None:
    backend = log_backend({**PATH, "audit-log-maxsize": "0", "audit-log-maxbackup": "3"}, minor)
    assert backend is not None
    assert backend.max_size == size
    assert backend.worst_case_bytes == (None if size is None else 4 * 100 * MEGABYTE)


def test_the_worst_case_counts_the_file_that_is_being_written() -> None:
    flags = {**PATH, "audit-log-maxage": "30", "audit-log-maxbackup": "10", "audit-log-maxsize": "100"}
    backend = log_backend(flags, 30)
    assert backend is not None
    assert backend.worst_case_bytes == 11 * 100 * MEGABYTE
    assert backend.unset == ()


def test_standard_output_takes_no_disk_of_its_own() -> None:
    backend = log_backend({"audit-log-path": "-", "audit-log-maxbackup": "10", "audit-log-mode": "batch"}, 36)
    assert backend is not None
    assert (backend.path, backend.mode, backend.worst_case_bytes) == ("-", "batch", None)


def test_a_webhook_sends_batches_unless_told_otherwise() -> None:
    assert webhook_backend({"audit-webhook-config-file": "/etc/hook"}) == WebhookBackend("/etc/hook", "batch")
    flags = {"audit-webhook-config-file": "/etc/hook", "audit-webhook-mode": "blocking"}
    assert webhook_backend(flags) == WebhookBackend("/etc/hook", "blocking")
