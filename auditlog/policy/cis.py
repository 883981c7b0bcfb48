"""Controls 3.2.1 and 3.2.2 of the CIS Kubernetes Benchmark (1.10 to 1.12), decided by what a policy does.

Scanners look whether a policy file is configured and leave 3.2.2 to people. Here every check is a question about all
requests, answered on their exact partition; a check that fails names the requests that make it fail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from auditlog.policy.bodies import credential_questions, rules_with_credentials
from auditlog.policy.evaluate import decision_of
from auditlog.policy.model import Decision, GroupResources, Level, Policy, PolicyRule, Stage
from auditlog.policy.partition import Outcome, partition
from auditlog.policy.region_text import describe
from auditlog.policy.regions import regions

_CHANGES = ("create", "update", "patch", "delete", "deletecollection")
_CREDENTIALS = (
    GroupResources("", ("secrets", "configmaps")),
    GroupResources("authentication.k8s.io", ("tokenreviews",)),
)
_WORKLOADS = (GroupResources("", ("pods",)), GroupResources("apps", ("deployments",)))
_SESSIONS = (GroupResources("", ("pods/exec", "pods/portforward", "pods/proxy", "services/proxy")),)
_RECORDED_CREDENTIALS = PolicyRule(Level.METADATA, resources=_CREDENTIALS)
_RECORDED_WORKLOADS = PolicyRule(Level.METADATA, verbs=_CHANGES, resources=_WORKLOADS)
_RECORDED_SESSIONS = PolicyRule(Level.METADATA, resources=_SESSIONS)
MUST_BE_RECORDED = (_RECORDED_CREDENTIALS, _RECORDED_WORKLOADS, _RECORDED_SESSIONS)
"""What 3.2.2 wants recorded: a rule that meets none of these cannot make it fail by dropping requests."""


_UNNAMED = "some requests"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of a control. `failures` are the requests that make it fail, in words."""

    control: str
    title: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no request makes it fail."""
        return not self.failures


def check(policy: Policy, *, in_words: bool = True) -> tuple[CheckResult, ...]:
    """Every check, in the order of the benchmark. Not `in_words`: a check that fails does not say for which requests,
    which over many users and namespaces takes seconds.
    """
    return (
        CheckResult("3.2.1", "a policy that records something", _nothing(policy)),
        CheckResult(
            "3.2.2",
            "access to Secrets, ConfigMaps and TokenReviews is recorded",
            _failing(policy, _RECORDED_CREDENTIALS, in_words=in_words),
        ),
        CheckResult(
            "3.2.2",
            "Secrets, ConfigMaps and TokenReviews at Metadata only, without bodies",
            _with_bodies(policy, in_words=in_words),
        ),
        CheckResult(
            "3.2.2",
            "changes of Pods and Deployments are recorded",
            _failing(policy, _RECORDED_WORKLOADS, in_words=in_words),
        ),
        CheckResult(
            "3.2.2",
            "use of pods/exec, pods/portforward, pods/proxy and services/proxy is recorded",
            _failing(policy, _RECORDED_SESSIONS, in_words=in_words),
        ),
    )


def to_text(results: Sequence[CheckResult]) -> str:
    """A line for each check, and one below it for each kind of request that makes it fail."""
    lines = []
    for result in results:
        lines.append(f"{'pass' if result.passed else 'FAIL'}  {result.control}  {result.title}")
        lines += [f"        {failure}" for failure in result.failures]
    return "\n".join([*lines, ""])


def to_json(results: Sequence[CheckResult]) -> str:
    """An object with one entry for each check."""
    checks = [
        {"control": each.control, "title": each.title, "passed": each.passed, "failures": list(each.failures)}
        for each in results
    ]
    value = {"passed": all(each.passed for each in results), "checks": checks}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _nothing(policy: Policy) -> tuple[str, ...]:
    if all(_dropped(decision_of(policy, outcome[0])) for outcome in partition((policy,)).outcomes):
        return ("every request is dropped",)
    return ()


def _failing(policy: Policy, question: PolicyRule, *, in_words: bool) -> tuple[str, ...]:
    """The requests that the question describes and the policy drops."""

    def label(outcome: Outcome) -> Level | None:
        decision = decision_of(policy, outcome[0])
        return decision.level if outcome[1] is not None and _dropped(decision) else None

    if not any(label(outcome) is not None for outcome in partition((policy, (question,))).outcomes):
        return ()
    if not in_words:
        return (_UNNAMED,)
    return tuple(f"{describe(region)}: {region.label}" for region in regions((policy, (question,)), label))


def _dropped(decision: Decision) -> bool:
    return decision.level is Level.NONE or len(decision.omit_stages) == len(Stage)


def _with_bodies(policy: Policy, *, in_words: bool) -> tuple[str, ...]:
    """The requests whose bodies are in the log, as `auditlog.policy.bodies` judges it for lint too."""
    failures: list[str] = []
    for entry in _CREDENTIALS:
        for resource in entry.resources:
            guilty = set(rules_with_credentials(policy, entry.group, resource))
            if not guilty or not in_words:
                failures += [_UNNAMED] if guilty else []
                continue
            questions = credential_questions(entry.group, resource)

            def label(
                outcome: Outcome, guilty: set[int] = guilty, questions: tuple[PolicyRule, ...] = questions
            ) -> Level | None:
                if outcome[0] not in guilty or outcome[1] is None:
                    return None
                level = decision_of(policy, outcome[0]).level
                return level if level >= questions[outcome[1]].level else None

            failures += (f"{describe(region)}: {region.label}" for region in regions((policy, questions), label))
    return tuple(failures)
