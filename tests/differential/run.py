"""A differential run over many cases, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditlog.policy.read import parse_policy
from tests.differential.compare import Difference, Tally, compare, smallest
from tests.differential.generate import generate_case
from tests.differential.oracle import Question, ask

_BATCH = 250
_SHOWN = 5


def run(
    minors: Sequence[int], cases: int, seed: int, progress: Callable[[int], object] = lambda _: None
) -> tuple[dict[int, Tally], list[Difference]]:
    """Compare until every version has seen at least `cases` cases, on the same policies for all.

    `progress` is called with the number of cases the slowest version gained. Returns the count for each minor
    version and the first differences, made small.
    """
    tallies = {minor: Tally() for minor in minors}
    shown: list[Difference] = []
    number = 0
    while (done := min(tally.cases for tally in tallies.values())) < cases:
        batch = [generate_case(seed, number + offset) for offset in range(_BATCH)]
        number += _BATCH
        parsed = [parse_policy(case.text, "policy") for case in batch]
        questions = [Question(case.text, case.requests) for case in batch]
        for minor, tally in tallies.items():
            answers = ask(minor, questions)
            for case, policy, answer in zip(batch, parsed, answers, strict=True):
                found = compare(minor, case, policy, answer)
                tally.add(answer, len(found))
                if found and len(shown) < _SHOWN:
                    shown.append(smallest(minor, case, found[0]))
        progress(min(tally.cases for tally in tallies.values()) - done)
    return tallies, shown
