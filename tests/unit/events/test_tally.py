"""Totals by name in bounded memory."""

from __future__ import annotations

from auditlog.events.tally import NOTHING, Tally, Volume


def test_totals_are_exact_while_names_are_few() -> None:
    tally = Tally(kept=2)
    for name in ("a", "b", "a", "c"):
        tally.add(name, Volume(1, 10), Volume(1, 4))
    assert list(tally.largest_first()) == [
        ("a", Volume(2, 20), Volume(2, 8)),
        ("b", Volume(1, 10), Volume(1, 4)),
        ("c", Volume(1, 10), Volume(1, 4)),
    ]
    assert (tally.forgotten, tally.undercount) == ((NOTHING, NOTHING), 0)


def test_nothing_is_lost_of_the_sum_and_what_a_name_lost_is_bounded() -> None:
    tally = Tally(kept=10)
    true = dict.fromkeys((f"name-{index:03d}" for index in range(100)), 0)
    for turn in range(2000):
        index = turn * 7 % 100 if turn % 3 else turn % 5
        name = f"name-{index:03d}"
        true[name] += 10
        tally.add(name, Volume(1, 10), NOTHING)
    totals = {name: recorded.bytes for name, recorded, _ in tally.largest_first()}
    assert len(totals) <= 20
    assert sum(totals.values()) + tally.forgotten[0].bytes == 20_000
    assert tally.undercount > 0
    for name, size in totals.items():
        assert true[name] - tally.undercount <= size <= true[name]
    assert set(list(totals)[:5]) == {f"name-{index:03d}" for index in range(5)}


def test_merging_is_the_same_as_adding_to_one() -> None:
    one, other, both = Tally(), Tally(), Tally()
    for turn in range(50):
        name, volume = f"name-{turn % 7}", Volume(1, turn)
        (one if turn % 2 else other).add(name, volume, NOTHING)
        both.add(name, volume, NOTHING)
    one.merge(other)
    assert list(one.largest_first()) == list(both.largest_first())
