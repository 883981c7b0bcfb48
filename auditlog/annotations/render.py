"""What an entry becomes in the cluster: an admission policy, and the binding that puts it in force."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from auditlog.annotations.model import LONGEST_VALUE, SENTINEL, Entry

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
"""The kinds of both."""


def declared(entries: Iterable[Entry]) -> Mapping[str, Mapping[str, Any]]:
    """The specification of each policy and binding, by KIND/NAME."""
    return {
        f"{kind}/{entry.policy_name}": spec(entry)
        for entry in entries
        for kind, spec in ((POLICY, policy_spec), (BINDING, binding_spec))
    }


def astray(entries: Iterable[Entry], there: Mapping[str, str]) -> frozenset[str]:
    """The policies and bindings that a cluster lacks or has with another specification, as KIND/NAME.

    ``there`` has the specifications in the cluster, as JSON.
    """
    wanted = declared(entries)
    return frozenset(
        name for name, spec in wanted.items() if name not in there or json.loads(there[name]) != _with_defaults(spec)
    )


def _with_defaults(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The specification as an API server returns it (kubernetes, pkg/apis/admissionregistration/v1/defaults.go)."""
    if "matchConstraints" not in spec:
        return spec
    rules = [{**each, "scope": "*"} for each in spec["matchConstraints"]["resourceRules"]]
    selected = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "resourceRules": rules}
    return {**spec, "matchConstraints": selected}


def policy_spec(entry: Entry) -> Mapping[str, Any]:
    """The specification of the entry's ValidatingAdmissionPolicy.

    It has no validation, so it refuses nothing. If an expression fails, the event lacks that annotation and the request
    goes on. Each value is a variable, and the sentinel uses all of them. So it is written if and only if all could be
    made and none is so long that the API server cuts it. No variable of an entry has an underscore in its name.
    """
    values = {each.key: f"value_{each.key}" for each in entry.annotations}
    listed = ", ".join(f"variables.{name}" for name in values.values())
    sentinel = f"[{listed}].all(each, bytes(each).size() <= {LONGEST_VALUE}) ? 'yes' : ''"
    return {
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
            *({"name": name, "expression": expression} for name, expression in entry.variables.items()),
            *({"name": values[each.key], "expression": each.value} for each in entry.annotations),
        ],
        "auditAnnotations": [
            *({"key": key, "valueExpression": f"variables.{name}"} for key, name in values.items()),
            {"key": SENTINEL, "valueExpression": sentinel},
        ],
    }


def binding_spec(entry: Entry) -> Mapping[str, Any]:
    """The specification of the binding: the policy is in force for the audit log alone."""
    return {"policyName": entry.policy_name, "validationActions": ["Audit"]}


def static_manifests(entries: Iterable[Entry]) -> str:
    """All policies and bindings as one file that an API server reads from a node; empty without entries.

    One file, so that a rename changes them together.
    """
    documents = [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": entry.static_name},
            "spec": spec,
        }
        for entry in entries
        for kind, spec in (
            (POLICY, policy_spec(entry)),
            (BINDING, {**binding_spec(entry), "policyName": entry.static_name}),
        )
    ]
    return yaml.safe_dump_all(documents, sort_keys=False, width=120, allow_unicode=True) if documents else ""
