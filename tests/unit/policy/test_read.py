from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog.policy.model import (
    GroupResources,
    Level,
    Policy,
    PolicyError,
    PolicyRule,
    Position,
    Stage,
)
from auditlog.policy.read import parse_policy, read_policy
from tests.unit.policy.cases import cases


@pytest.mark.parametrize("case", cases("read"))
def test_reports_the_problems_of_the_case(case: dict[str, Any]) -> None:
    problems = parse_policy(case["text"], "case").problems
    assert [str(problem) for problem in problems] == case["problems"]


@pytest.mark.parametrize("case", [each for each in cases("read") if each.values[0]["problems"]])
def test_a_text_with_problems_is_refused_with_all_of_them(case: dict[str, Any]) -> None:
    with pytest.raises(PolicyError) as raised:
        read_policy(case["text"], "policies/case.yaml")
    assert [str(problem) for problem in raised.value.problems] == case["problems"]
    places = [re.sub(r"^line (\d+), column (\d+)", r"policies/case.yaml:\1:\2", line) for line in case["problems"]]
    assert str(raised.value).splitlines() == places


def test_every_field_arrives_in_the_model() -> None:
    policy = read_policy(
        """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: Request
    users: [alice]
    userGroups: [dev]
    verbs: [get]
    resources:
      - group: apps
        resources: [deployments, deployments/scale]
        resourceNames: [web]
      - group: batch
    namespaces: ["", prod]
    omitStages: [Panic]
    omitManagedFields: false
  - level: None
    nonResourceURLs: ["/healthz*"]
""",
        "full.yaml",
    )
    assert policy == Policy(
        rules=(
            PolicyRule(
                level=Level.REQUEST,
                users=("alice",),
                user_groups=("dev",),
                verbs=("get",),
                resources=(
                    GroupResources("apps", ("deployments", "deployments/scale"), ("web",)),
                    GroupResources("batch"),
                ),
                namespaces=("", "prod"),
                omit_stages=(Stage.PANIC,),
                omit_managed_fields=False,
            ),
            PolicyRule(Level.NONE, non_resource_urls=("/healthz*",)),
        ),
        omit_stages=(Stage.REQUEST_RECEIVED,),
        omit_managed_fields=True,
    )
    assert policy.source == "full.yaml"
    assert [rule.line for rule in policy.rules] == [6, 18]


def test_a_path_is_located_in_the_text_or_at_what_encloses_it() -> None:
    policy = read_policy(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n  resources:\n"
        "  - group: apps\n    resources: [deployments]\n",
        "policy",
    )
    assert policy.locate("rules[0].resources[0].group") == Position(6, 12)
    assert policy.locate("rules[0].resources[0].resources[0]") == Position(7, 17)
    assert policy.locate("rules[0].users[3]") == Position(4, 3)
    assert policy.locate("rules[9]") == Position(3, 1)
    assert policy.locate("elsewhere") == Position(1, 1)
    assert Policy(()).locate("rules[0]") == Position()


PIECES = st.sampled_from(
    [
        *("apiVersion: audit.k8s.io/v1\n", "kind: Policy\n", "rules:\n", "- level: Metadata\n", "  verbs: [get]\n"),
        *(
            "  resources:\n",
            "  - group: apps\n",
            "    resources: ",
            "- ",
            "? ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a ",
            "*a",
        ),
        *(
            "<<: ",
            "!!str ",
            "!!set ",
            "!x ",
            "|\n",
            ">\n",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "#",
            "\t",
            "\n",
            " ",
            '"',
            "'",
        ),
        *("~", "yes", "1", ".nan", "\x00", "\x85", "\u2028", "\ufeff", "\U0001f600", "\\", "level", "null", "@", "`"),
    ]
)


# A busy machine is no failure.
@settings(deadline=None, max_examples=500)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_either_a_policy_or_has_a_problem_with_a_place(text: str) -> None:
    parsed = parse_policy(text, "any")
    assert parsed.problems or parsed.policy
    for problem in parsed.problems:
        assert problem.line >= 1
        assert problem.column >= 1
