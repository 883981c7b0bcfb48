"""Files of admission policies that an API server refuses, named before it is restarted with them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from auditlog.annotations.read import catalogue
from auditlog.annotations.render import BINDING, POLICY, static_manifests
from auditlog.checks.finding import Severity
from auditlog.checks.policy_folder import policy_folder_findings
from auditlog.nodes.fact_types import PolicyFile, PolicyFolder
from tests.unit.plan.nodes import untouched

OURS = static_manifests(catalogue())
NOW, EARLIER = "a" * 64, "b" * 64


def policy(kind: str = POLICY, name: str = "theirs.static.k8s.io", **spec: object) -> str:
    return json.dumps({"kind": kind, "metadata": {"name": name}, "spec": spec})


def found(*files: PolicyFile, taken: str | None = EARLIER, ours: str = OURS) -> list[tuple[str, str]]:
    folder = PolicyFolder("/p", NOW, files, taken)
    facts = dataclasses.replace(untouched(), policy_folder=folder)
    return [(each.severity, str(each)) for each in policy_folder_findings(facts, ours)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML: "),
        ("month: 2026-13-01", "is no YAML: "),
        ("[" * 20_000, "is no YAML: "),
        ("kind: Nonsense", "has an object of kind Nonsense; allowed: ValidatingAdmissionPolicy, "),
        ("[1]", "has an object of kind none; allowed: "),
        (
            policy(name="theirs"),
            "has a ValidatingAdmissionPolicy 'theirs'; allowed: a name that ends in .static.k8s.io",
        ),
        (policy(paramKind={"kind": "ConfigMap"}), "has spec.paramKind in ValidatingAdmissionPolicy theirs"),
        (
            policy(BINDING, policyName="none.static.k8s.io"),
            "of the policy 'none.static.k8s.io'; allowed: one in the same",
        ),
        (f"{policy()}\n---\n{policy()}", "ValidatingAdmissionPolicy theirs.static.k8s.io, which is there already"),
        (json.dumps({"kind": "List", "items": [{"kind": "Pod"}]}), "has an object of kind Pod; allowed: "),
        (OURS, "audit-annotations-binding.static.k8s.io, which is there already"),
    ],
)
def test_a_file_that_the_api_server_refuses_is_an_error_that_names_it(text: str, said: str) -> None:
    ((severity, message),) = found(PolicyFile("theirs.yaml", text))
    assert severity is Severity.ERROR
    assert message.startswith("/p/theirs.yaml ")
    assert said in message
    assert message.endswith("; correct it, or move it out of /p")


def test_what_the_api_server_has_taken_is_right_whatever_it_looks_like() -> None:
    assert found(PolicyFile("theirs.yaml", "kind: NewerThanThis"), taken=NOW) == []


def test_right_files_beside_ours_and_ours_alone_are_nothing_to_report() -> None:
    both = f"{policy()}\n---\n{policy(BINDING, policyName='theirs.static.k8s.io')}\n"
    assert found(PolicyFile("theirs.yaml", both), taken=None) == []
    assert found(PolicyFile("empty.yaml", ""), PolicyFile("one.yaml", both), taken=NOW) == []
    assert found() == []
    assert list(policy_folder_findings(untouched())) == []


def test_a_pipe_is_told_even_where_the_api_server_has_taken_the_rest() -> None:
    ((severity, message),) = found(PolicyFile("pipe.yaml", None, is_file=False), taken=NOW)
    assert (severity, message.partition(":")[0]) == (Severity.ERROR, "/p/pipe.yaml is neither a file nor a link to one")


def test_what_only_the_api_server_can_tell_is_a_warning_that_names_the_files() -> None:
    ((severity, message),) = found(PolicyFile("theirs.yaml", policy()), PolicyFile("large.yaml", None))
    assert severity is Severity.WARNING
    assert "if it refuses one of them (theirs.yaml, large.yaml), the API server does not start again" in message
