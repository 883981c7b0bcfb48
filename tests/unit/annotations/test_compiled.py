"""What kubectl prints of expressions that an API server refuses, as it was printed by Kubernetes 1.37."""

from __future__ import annotations

import pytest

from auditlog.annotations.compiled import mistakes_in
from auditlog.annotations.model import Annotation, Entry, Operation, Requests

ENTRY = Entry(
    "own",
    "Something.",
    (Requests("", ("pods",), (Operation.CREATE,)),),
    {"first": "object.spec", "second": "nobody.knows"},
    (Annotation("size", "The size.", "object.spec.containers.size()"), Annotation("name", "The name.", "object.a +")),
    "own.yaml",
)
ALLOWED = "allowed: CEL of type string (https://kubernetes.io/docs/reference/using-api/cel/)"


def refused(*reasons: str) -> str:
    listed = reasons[0] if len(reasons) == 1 else f"[{', '.join(reasons)}]"
    return (
        'Error from server (Invalid): error when creating "STDIN": '
        "ValidatingAdmissionPolicy.admissionregistration.k8s.io "
        f'"audit-annotations-own-dry-run" is invalid: {listed}\n'
    )


UNDECLARED = (
    'spec.variables[1].expression: Invalid value: "nobody.knows": compilation failed: ERROR: <input>:1:1: undeclared '
    "reference to 'nobody' (in container '')\n | nobody.knows\n | ^"
)
SYNTAX = (
    'spec.variables[3].expression: Invalid value: "object.a +": compilation failed: ERROR: <input>:1:11: Syntax error: '
    "mismatched input '<EOF>' expecting {'[', '{'}\n | object.a +\n | ..........^"
)
NO_TEXT = (
    'spec.auditAnnotations[0].valueExpression: Invalid value: "variables.value_size": must evaluate to one of '
    "[string null_type] but got int"
)
SENTINEL = (
    'spec.auditAnnotations[2].valueExpression: Invalid value: "[variables.value_size].all(each, bytes(each).size() <= '
    "10240) ? 'yes' : ''\": compilation failed: ERROR: <input>:1:3: undeclared"
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            refused(UNDECLARED),
            [("variables.second: 'nobody.knows'", "undeclared reference to 'nobody' (in container '')")],
        ),
        (
            refused(SYNTAX, NO_TEXT, SENTINEL),
            [
                ("annotations.name.value: 'object.a +'", "Syntax error: mismatched input '<EOF>' expecting {'[', '{'}"),
                (
                    "annotations.size.value: 'object.spec.containers.size()'",
                    "must evaluate to one of [string null_type] but got int",
                ),
            ],
        ),
    ],
)
def test_a_refusal_names_file_key_expression_and_reason(said: str, told: list[tuple[str, str]]) -> None:
    assert mistakes_in(said, [ENTRY]) == tuple(
        f"own.yaml: {place}: the API server does not compile it: {reason}; {ALLOWED}" for place, reason in told
    )


def test_a_refusal_of_something_else_is_told_as_it_is() -> None:
    said = refused("spec.matchConstraints.resourceRules[0].resources: Required value")
    assert mistakes_in(said, [ENTRY]) == ("own.yaml: spec.matchConstraints.resourceRules[0].resources: Required value",)


def test_what_is_no_refusal_is_no_mistake() -> None:
    assert mistakes_in("The connection to the server localhost:6443 was refused", [ENTRY]) == ()
