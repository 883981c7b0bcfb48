"""Sizes and what the API server keeps."""

from __future__ import annotations

import pytest

from auditlog.events.budget import BudgetError, DiskBudget, parse_size


def test_the_disk_holds_the_rotated_files_and_the_one_being_written() -> None:
    assert DiskBudget(maxsize=100, maxbackup=10).bytes == 1100 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("500MB", 500_000_000), ("10GiB", 10 * 2**30), ("1.5 Ti", 1.5 * 2**40), ("2k", 2000)],
)
def test_sizes_are_read_with_their_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "10 apples", "-1", "0", "1e9", "0.1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BudgetError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"maxsize": 0, "maxbackup": 10}, "--audit-log-maxsize is 0; 1 or more is needed: 0 means no limit"),
        ({"maxsize": 100, "maxbackup": 0}, "--audit-log-maxbackup is 0"),
        ({"maxsize": 100, "maxbackup": 10, "maxage": -1}, "--audit-log-maxage is -1; 0 or more is needed"),
    ],
)
def test_settings_without_a_limit_give_no_budget(settings: dict[str, int], message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        DiskBudget(**settings)
