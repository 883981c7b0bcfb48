"""What follows from a budget for the log's files, and what contradicts it."""

from __future__ import annotations

from typing import Any

import pytest

from auditlog.settings import LogSettings, SettingsError, parse_settings

NODE = {
    "name": "cp1",
    "host": "10.0.0.1",
    "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
}


def log(budget: dict[str, Any], **given: Any) -> LogSettings:
    settings = parse_settings({"cluster": "prod", "nodes": [NODE], "auditLog": {"budget": budget, **given}}, ())
    assert settings.log is not None
    return settings.log


@pytest.mark.parametrize(
    ("size", "given", "files"),
    [
        ("10GiB", {}, (100, 101)),
        ("50MiB", {}, (4, 11)),
        ("10GiB", {"maxSize": 500}, (500, 19)),
        ("10GiB", {"maxBackup": 3}, (2560, 3)),
        ("100MiB", {"maxBackup": 9}, (10, 9)),
        ("10GiB", {"maxSize": 50, "maxBackup": 3}, (50, 3)),
    ],
)
def test_the_files_follow_from_it_where_they_are_not_given(
    size: str, given: dict[str, int], files: tuple[int, int]
) -> None:
    found = log({"days": 30, "size": size}, **given)
    assert (found.max_size, found.max_backup) == files
    assert found.budget is not None
    assert found.max_size * (found.max_backup + 1) * 1024**2 <= found.budget.bytes


def test_files_are_kept_for_its_days_at_least() -> None:
    assert log({"days": 90, "size": "10GiB"}).max_age == 90
    assert log({"days": 7, "size": "10GiB"}).max_age == 30
    assert log({"days": 90, "size": "10GiB"}, maxAge=0).max_age == 0


@pytest.mark.parametrize(
    ("budget", "given", "message"),
    [
        ({"days": 30, "size": "1MiB"}, {}, "auditLog.budget.size: is '1MiB'; allowed: a size of 2MiB or more"),
        ({"days": 30, "size": "ten"}, {}, "auditLog.budget.size: is 'ten'; allowed: a size of 2MiB or more"),
        ({"days": 0, "size": "1GiB"}, {}, "auditLog.budget.days: is 0; allowed: a whole number from 1"),
        ({"days": 30}, {}, "auditLog.budget.size: is missing"),
        ({"days": 30, "size": "1GiB"}, {"maxAge": 10}, "auditLog.maxAge: is 10; allowed: 0, or 30 (budget.days)"),
        ({"days": 30, "size": "1GiB"}, {"maxBackup": 0}, "auditLog.maxBackup: is 0, which keeps every file"),
        (
            {"days": 30, "size": "1GiB"},
            {"maxSize": 100, "maxBackup": 10},
            "auditLog.maxBackup: makes the files take 1100 MB; allowed: maxBackup with which the files take at most",
        ),
        ({"days": 30, "size": "1GiB"}, {"path": "-"}, "auditLog.budget: is given with path '-'"),
    ],
)
def test_what_contradicts_it_is_named(budget: dict[str, Any], given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        log(budget, **given)
    assert message in str(caught.value)
