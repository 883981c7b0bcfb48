"""Policies in the cluster that are another's are told with their owner before anything is touched."""

from __future__ import annotations

import pytest

from auditlog.annotations.owners import TakenError, check_owners
from auditlog.annotations.read import catalogue

SECRET = "ValidatingAdmissionPolicy/audit-annotations-secret"
BOUND = "ValidatingAdmissionPolicyBinding/audit-annotations-secret"
ROLE = "ValidatingAdmissionPolicyBinding/audit-annotations-role"
OWN = "kubernetes-audit/prod"


def refused(owners: dict[str, str], take_over: str | None = None) -> str:
    with pytest.raises(TakenError) as error:
        check_owners(catalogue(), owners, OWN, take_over)
    return str(error.value)


def test_ones_own_a_former_owners_and_what_is_not_there_are_right() -> None:
    check_owners(catalogue(), {}, OWN, None)
    check_owners(catalogue(), {SECRET: OWN, "ValidatingAdmissionPolicy/audit-annotations-mine": "other/x"}, OWN, None)
    check_owners(catalogue(), {SECRET: "former/x", BOUND: OWN}, OWN, "former/x")


def test_those_of_a_version_that_set_no_mark_are_right() -> None:
    check_owners(catalogue(), {SECRET: None, BOUND: None}, OWN, None)


def test_another_stack_is_named_with_all_its_policies_and_what_to_do() -> None:
    assert refused({SECRET: "other/x", BOUND: "other/x", ROLE: "other/x"}, "former/x") == (
        "audit-annotations-role, audit-annotations-secret: made by the stack 'other/x', and this is "
        "'kubernetes-audit/prod': two stacks would undo each other's changes; destroy that stack first, set "
        "takeOver: other/x to take them over, or use other entries (annotations.leaveOut, annotations.files)"
    )


def test_one_that_a_person_made_is_named_and_how_to_delete_it() -> None:
    said = refused({SECRET: "", ROLE: "other/x"})
    assert len(said.splitlines()) == 2
    assert (
        "audit-annotations-secret: made by no stack, or its mark is gone; if nobody needs them, run kubectl delete"
        in said
    )
    assert "validatingadmissionpolicies,validatingadmissionpolicybindings audit-annotations-secret, or use" in said
