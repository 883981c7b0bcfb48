"""One case decided by both sides, and the smallest form of a case on which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from auditlog.policy.evaluate import compile_policy, evaluate
from auditlog.policy.model import Decision, Problem, Request
from auditlog.policy.read import ParsedPolicy, parse_policy
from auditlog.policy.validate import validate
from tests.differential.generate import Case, List, Map, Tree
from tests.differential.oracle import Answer, OracleDecision, Question, ask


@dataclass(frozen=True, slots=True)
class Difference:
    """A policy text, and a request if it is not about acceptance, with what each side says."""

    minor: int
    policy: str
    request: Request | None
    ours: str
    api_server: str

    def __str__(self) -> str:
        request = f"request: {self.request}\n" if self.request else ""
        return (
            f"Kubernetes 1.{self.minor}\n--- policy\n{self.policy}---\n{request}"
            f"ours:       {self.ours}\nAPI server: {self.api_server}"
        )


@dataclass(slots=True)
class Tally:
    """How many verdicts and decisions were compared for one version, and where the two sides differ."""

    accepted: int = 0
    refused: int = 0
    decisions: int = 0
    differences: int = 0

    @property
    def cases(self) -> int:
        """Everything compared: each verdict about a policy and each decision about a request is one case."""
        return self.accepted + self.refused + self.decisions

    def add(self, answer: Answer, differences: int) -> None:
        """Count one policy."""
        if answer.accepted:
            self.accepted += 1
        else:
            self.refused += 1
        self.decisions += len(answer.decisions)
        self.differences += differences


def compare(minor: int, case: Case, parsed: ParsedPolicy, answer: Answer) -> list[Difference]:
    """Where our reading, validation and evaluation of the case differ from the API server's answer."""
    refusals = _refusals(parsed, minor)
    if answer.accepted == bool(refusals):
        ours = "; ".join(str(problem) for problem in refusals) or "accepted"
        return [Difference(minor, case.text, None, ours, answer.error or "accepted")]
    if parsed.policy is None or not answer.accepted:
        return []
    decide = compile_policy(parsed.policy)
    found = []
    for request, expected in zip(case.requests, answer.decisions, strict=True):
        plain, compiled = evaluate(parsed.policy, request), decide(request)
        if plain != compiled or _comparable(plain) != expected:
            ours = f"{plain}" if plain == compiled else f"{plain}, compiled {compiled}"
            found.append(Difference(minor, case.text, request, ours, str(expected)))
    return found


def smallest(minor: int, case: Case, difference: Difference) -> Difference:
    """The difference on as little of the case as still shows one."""
    requests = (difference.request,) if difference.request else ()
    current, shown = replace(case, requests=requests), difference
    while True:
        for candidate in _smaller(current):
            found = _first_difference(minor, candidate, about_request=difference.request is not None)
            if found is not None:
                current, shown = candidate, found
                break
        else:
            return shown


def _first_difference(minor: int, case: Case, *, about_request: bool) -> Difference | None:
    (answer,) = ask(minor, [Question(case.text, case.requests)])
    found = compare(minor, case, parse_policy(case.text, "policy"), answer)
    return next((each for each in found if (each.request is not None) == about_request), None)


def _smaller(case: Case) -> Iterator[Case]:
    if case.suffix:
        yield replace(case, suffix="")
    for document in _smaller_trees(case.document):
        yield replace(case, document=document)


def _smaller_trees(tree: Tree) -> Iterator[Tree]:
    """The tree without one of its parts, the large parts first."""
    if isinstance(tree, Map):
        for index, (key, value) in enumerate(tree.pairs):
            before, after = tree.pairs[:index], tree.pairs[index + 1 :]
            yield Map(before + after)
            for smaller in _smaller_trees(value):
                yield Map((*before, (key, smaller), *after))
    elif isinstance(tree, List):
        for index in range(len(tree.items)):
            yield List(tree.items[:index] + tree.items[index + 1 :])
        for index, item in enumerate(tree.items):
            for smaller in _smaller_trees(item):
                yield List((*tree.items[:index], smaller, *tree.items[index + 1 :]))


def _refusals(parsed: ParsedPolicy, minor: int) -> Sequence[Problem]:
    problems: Iterable[Problem] = parsed.problems
    if parsed.policy is not None:
        problems = (*problems, *validate(parsed.policy, minor))
    return [problem for problem in problems if problem.refused_by_api_server]


def _comparable(decision: Decision) -> OracleDecision:
    return OracleDecision(
        decision.level.value,
        tuple(sorted(stage.value for stage in decision.omit_stages)),
        decision.omit_managed_fields,
    )
