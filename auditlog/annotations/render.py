"""The admission policies and bindings of entries, as the documents that go to the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditlog.annotations.model import SENTINEL, Entry

_API = "admissionregistration.k8s.io/v1"


def policy(entry: Entry, suffix: str = "") -> Mapping[str, Any]:
    """The ValidatingAdmissionPolicy of an entry. It has no validation, so it refuses nothing; and where an expression
    fails, it is left out of the event and the request goes on. ``suffix`` ends the name.

    Each annotation's value is a variable, so that the sentinel is written if and only if all of them have one.
    """
    keys = [each.key for each in entry.annotations]
    values = {f"value{key[0].upper()}{key[1:]}": each.value for key, each in zip(keys, entry.annotations, strict=True)}
    sentinel = f"[{', '.join(f'variables.{name}' for name in values)}].all(each, each.size() >= 0) ? 'yes' : ''"
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": entry.policy_name + suffix},
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [each.group],
                        "apiVersions": ["*"],
                        "operations": [operation.value for operation in each.operations],
                        "resources": list(each.resources),
                    }
                    for each in entry.requests
                ]
            },
            "variables": [
                {"name": name, "expression": expression} for name, expression in {**entry.variables, **values}.items()
            ],
            "auditAnnotations": [
                *({"key": key, "valueExpression": f"variables.{name}"} for key, name in zip(keys, values, strict=True)),
                {"key": SENTINEL, "valueExpression": sentinel},
            ],
        },
    }


def binding(entry: Entry, suffix: str = "") -> Mapping[str, Any]:
    """What puts the policy in force, for the audit log alone."""
    return {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": entry.policy_name + suffix},
        "spec": {"policyName": entry.policy_name + suffix, "validationActions": ["Audit"]},
    }
