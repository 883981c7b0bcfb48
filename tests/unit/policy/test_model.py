from __future__ import annotations

import itertools

import pytest

from auditlog.policy.model import Level


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(Level, 2)))
def test_a_level_is_less_than_one_that_records_more(lower: Level, higher: Level) -> None:
    assert lower < higher
    assert lower <= higher
    assert higher > lower
    assert higher >= lower
    assert not higher < lower
    assert not higher <= lower
    assert max(higher, lower) is higher


def test_a_level_compares_with_its_name() -> None:
    assert Level.REQUEST > "Metadata"
    assert Level.REQUEST < "RequestResponse"
