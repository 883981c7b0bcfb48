"""The wiring of annotations: compiled before anything is declared, and made again where they are gone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from auditlog.annotations.read import AnnotationError, catalogue
from auditlog.annotations.render import astray, declared, static_manifests
from auditlog.manifest import manifest, manifest_edit
from auditlog.manifest.desired import audit_configuration
from auditlog.nodes import expressions
from auditlog.nodes.fact_types import Process
from auditlog.nodes.facts import Facts
from auditlog.settings.annotations import DEFAULT_FOLDER
from tests.unit.components.program import PROJECT, Program, run_program, stack_config
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.plan.nodes import remote, settings, untouched

BINDING = "audit-annotations-secret-binding"


def as_given_back(spec: Mapping[str, Any]) -> str:
    if "matchConstraints" not in spec:
        return json.dumps(spec)
    rules = [{**rule, "scope": "*"} for rule in spec["matchConstraints"]["resourceRules"]]
    defaults = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
    return json.dumps({**spec, "matchConstraints": {**defaults, "resourceRules": rules}})


AS_DECLARED = {name: as_given_back(spec) for name, spec in declared(catalogue()).items()}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The nodes whose API servers compiled the expressions."""
    nodes: list[str] = []

    def check(_: object, node: object, *__: object) -> str:
        nodes.append(str(getattr(node, "name", "")))
        return ""

    monkeypatch.setattr(expressions, "check_expressions", check)
    return nodes


def run(
    monkeypatch: pytest.MonkeyPatch,
    there: Mapping[str, str] | None = None,
    owners: Mapping[str, str | None] | None = None,
    *,
    preview: bool = False,
    take_over: str | None = None,
) -> Program:
    config = {
        **stack_config(annotations={"delivery": "api"}),
        f"{PROJECT}:kubeconfig": "apiVersion: v1\nkind: Config\n",
        **({f"{PROJECT}:takeOver": take_over} if take_over else {}),
    }
    facts = dataclasses.replace(untouched(), admission_policies=there, admission_policy_owners=owners)
    return run_program(monkeypatch, config, {"cp1": facts}, preview=preview)


def test_an_update_compiles_the_expressions_and_a_preview_does_not(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    run(monkeypatch, preview=True)
    assert asked == []
    run(monkeypatch)
    assert asked == ["cp1"]


def test_an_expression_that_does_not_compile_ends_the_program_with_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise AnnotationError("own.yaml: annotations.size.value: 'x +': the API server does not compile it: …")

    monkeypatch.setattr(expressions, "check_expressions", refuse)
    with pytest.raises(pulumi.RunError, match=r"An annotation is wrong; nothing was changed\.\nown\.yaml: annotations"):
        run(monkeypatch)


@pytest.mark.usefixtures("asked")
def test_what_is_gone_or_changed_is_replaced_and_what_is_there_or_unknown_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = "ValidatingAdmissionPolicyBinding/audit-annotations-secret"
    without = {name: said for name, said in AS_DECLARED.items() if name != gone}
    denying = {**AS_DECLARED, gone: AS_DECLARED[gone].replace("Audit", "Deny")}
    assert astray(catalogue(), AS_DECLARED) == frozenset()
    for there, is_replaced in ((None, False), (AS_DECLARED, False), (without, True), (denying, True)):
        program = run(monkeypatch, there, preview=True)
        made = program.resources[BINDING]
        assert made.deleted_before_replaced is is_replaced
        assert made.ignore_changes == (() if is_replaced else ("metadata.annotations",))
        assert any(gone in message for message in program.messages) is is_replaced


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("preview", [True, False])
def test_anothers_policies_stop_a_preview_and_an_update_before_anything_is_declared(
    monkeypatch: pytest.MonkeyPatch, *, preview: bool
) -> None:
    owners = dict.fromkeys(AS_DECLARED, "other/stack")
    said = (
        r"The cluster has admission policies of these names already; nothing was changed\.\naudit-annotations-binding, "
    )
    with pytest.raises(pulumi.RunError, match=said):
        run(monkeypatch, AS_DECLARED, owners, preview=preview)


@pytest.mark.usefixtures("asked")
def test_a_former_owners_policies_are_marked_as_this_stacks(monkeypatch: pytest.MonkeyPatch) -> None:
    program = run(monkeypatch, AS_DECLARED, dict.fromkeys(AS_DECLARED, "other/stack"), take_over="other/stack")
    made = program.resources[BINDING]
    assert made.ignore_changes == ()
    marks = made.inputs["metadata"]["annotations"]
    assert (marks["kubernetes-audit/owner"], marks["pulumi.com/patchForce"]) == (f"{PROJECT}/test", "true")
    program = run(monkeypatch, AS_DECLARED, dict.fromkeys(AS_DECLARED))
    assert program.resources[BINDING].ignore_changes == (), "an earlier version set no mark"
    assert "pulumi.com/patchForce" not in program.resources[BINDING].inputs["metadata"]["annotations"]
    program = run(monkeypatch, AS_DECLARED, {})
    assert "pulumi.com/patchForce" not in program.resources[BINDING].inputs["metadata"]["annotations"]


FLAG = "--admission-control-config-file=/etc/kubernetes/audit-admission.yaml"


def on_1_37(text: str) -> Facts:
    """An untouched node with this manifest, of Kubernetes 1.37."""
    newer = text.replace(":v1.36.3", ":v1.37.2")
    return dataclasses.replace(
        untouched(), manifest=remote(newer), processes=(Process(1, 1100, manifest.arguments(newer)),)
    )


@pytest.mark.usefixtures("asked")
def test_files_come_before_the_manifest_that_names_them_and_take_no_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config(annotations={"delivery": "files"})
    program = run_program(monkeypatch, config, {"cp1": on_1_37(MANIFEST)})
    assert "audit-annotations-secret" not in program.resources
    policies = program.resources["cp1-static-policies"]
    assert policies.inputs["stdin"] == static_manifests(catalogue())
    assert "stage-static-policies" in policies.inputs["create"]
    assert "remove-static-policies" in policies.inputs["delete"]
    assert "staticManifestsDir" in program.resources["cp1-admission"].inputs["stdin"]
    change = program.resources["cp1-manifest"]
    assert FLAG in change.inputs["stdin"]
    assert "static-policies=/etc/kubernetes/audit-annotations/audit-annotations.yaml" in change.inputs["create"]
    assert "cp1-static-policies" in program.resources["cp1-manifest"].depends_on
    assert policies.depends_on == {"cp1-admission"}
    assert program.resources["cp1-admission"].depends_on == {"cp1-policy"}


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("by_files_until_now", [True, False])
def test_the_clusters_own_policies_come_before_the_files_go(
    monkeypatch: pytest.MonkeyPatch, *, by_files_until_now: bool
) -> None:
    files = audit_configuration(settings().policy, None, None, DEFAULT_FOLDER)
    live = manifest_edit.edit(MANIFEST, files, None)
    config = {
        **stack_config(annotations={"delivery": "api"}),
        f"{PROJECT}:kubeconfig": "apiVersion: v1\nkind: Config\n",
    }
    program = run_program(monkeypatch, config, {"cp1": on_1_37(live if by_files_until_now else MANIFEST)})
    assert (BINDING in program.resources["cp1-manifest"].depends_on) is by_files_until_now
    assert ("cluster-configuration" in program.resources[BINDING].depends_on) is not by_files_until_now
