"""Audit annotations on a node: its events say what changed, at Metadata, and removal takes the policies away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.api import Lab, Node
from lab.errors import LabError
from lab.stack import PulumiStack
from tests.lab.test_first_stack import LOG, eventually, hashes

ANNOTATIONS = "audit-annotations-"
SECRET = "canary-value"


@pytest.fixture(scope="module", autouse=True)
def before(node: Node) -> dict[str, str]:
    return hashes(node)


def configure(lab: Lab, stack: PulumiStack, **given: object) -> None:
    settings = {"policy": {"preset": "low-write"}, "restart": "quick", "acceptLostEvents": True}
    stack.configure(lab.state, {**settings, "annotations": given, "kubeconfigFile": str(lab.paths.kubeconfig)})


def entry(value: str) -> dict[str, Any]:
    """An entry of ones own."""
    return {
        "about": "How many keys it has.",
        "requests": [{"group": "", "resources": ["configmaps"], "operations": ["CREATE"]}],
        "annotations": {"size": {"about": "Their number.", "value": value}},
    }


def policies(lab: Lab) -> str:
    return lab.kubectl("get", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-o", "name")


def annotated(node: Node, name: str) -> dict[str, str]:
    """What the last event about an object of this name was given."""
    lines = node.run(f'grep -F \'"name":"{name}"\' {LOG} || true').stdout.splitlines()
    given: dict[str, Any] = json.loads(lines[-1]).get("annotations", {}) if lines else {}
    return {key.removeprefix(ANNOTATIONS): value for key, value in given.items() if key.startswith(ANNOTATIONS)}


def test_an_expression_that_does_not_compile_stops_an_update_before_anything_is_touched(
    lab: Lab, node: Node, stack: PulumiStack, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = tmp_path_factory.mktemp("own") / "sized.yaml"
    own.write_text(json.dumps(entry("object.data.size()")))
    configure(lab, stack, delivery="api", files=[str(own)])
    with pytest.raises(LabError) as error:
        stack.run("up", "--yes", "--skip-preview")
    said = " ".join(str(error.value).split())
    assert "An annotation is wrong; nothing was changed." in said
    assert f"{own}: annotations.size.value: 'object.data.size()': the API server does not compile it:" in said
    assert "must evaluate to" in said
    assert "Traceback" not in said
    assert hashes(node) == before
    assert ANNOTATIONS not in policies(lab)
    own.write_text(json.dumps(entry("string(object.data.size())")))
    stack.run("up", "--yes", "--skip-preview")
    assert f"{ANNOTATIONS}sized" in policies(lab)


def test_a_policy_whose_name_is_taken_stops_a_preview_with_its_owner_and_what_to_do(
    lab: Lab, stack: PulumiStack
) -> None:
    taken, kinds = f"{ANNOTATIONS}mine", "validatingadmissionpolicies,validatingadmissionpolicybindings"
    binding = {"policyName": taken, "validationActions": ["Audit"]}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding"}
    file, own = stack.folder / "taken.json", stack.folder / "mine.yaml"
    file.write_text(json.dumps({**head, "metadata": {"name": taken}, "spec": binding}))
    own.write_text(json.dumps(entry("'x'")))
    lab.kubectl("create", "-f", str(file))
    configure(lab, stack, delivery="api", files=[str(own)])
    refused = stack.run("preview", check=False)
    said = " ".join(refused.stdout.split())
    assert refused.returncode != 0
    assert "The cluster has admission policies of these names already; nothing was changed." in said
    assert (
        f"{taken}: made by no stack, or its mark is gone; if nobody needs them, run kubectl delete {kinds} {taken}"
        in said
    )
    lab.kubectl("annotate", "-f", str(file), "kubernetes-audit/owner=theirs/prod")
    refused = stack.run("preview", check=False)
    assert f"{taken}: made by the stack 'theirs/prod', and this is" in " ".join(refused.stdout.split())
    lab.kubectl("delete", "-f", str(file))


def test_an_update_is_told_by_its_keys_and_never_by_a_value(lab: Lab, node: Node, stack: PulumiStack) -> None:
    configure(lab, stack, delivery="api")
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    lab.kubectl("-n", "default", "create", "secret", "generic", "login", f"--from-literal=password={SECRET}")

    def change() -> dict[str, str]:
        value = f'{{"stringData":{{"password":"{SECRET}-{len(node.run(f"cat {LOG}").stdout)}"}}}}'
        lab.kubectl("-n", "default", "patch", "secret", "login", "-p", value)
        return annotated(node, "login")

    assert eventually(change, lambda found: found == {"secret/changed": "keys password", "secret/complete": "yes"})
    assert SECRET not in node.run(f"cat {LOG}").stdout
    lab.kubectl("-n", "default", "delete", "secret", "login")
    assert "deleted/uid" in annotated(node, "login")


def test_what_a_stranger_deletes_or_changes_is_seen_by_a_preview_and_made_again(lab: Lab, stack: PulumiStack) -> None:
    gone = f"{ANNOTATIONS}secret"
    whole = policies(lab)
    lab.kubectl("delete", "validatingadmissionpolicybinding", gone)
    changed = f"{ANNOTATIONS}scale"
    never = json.dumps({"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}})
    lab.kubectl("patch", "validatingadmissionpolicy", changed, "--type=merge", "-p", never)
    seen = stack.run("preview", "--diff").stdout
    assert f"ValidatingAdmissionPolicyBinding/{gone}" in seen
    assert f"ValidatingAdmissionPolicy/{changed}" in seen
    stack.run("up", "--yes", "--skip-preview")
    assert policies(lab) == whole
    assert "matchConditions" not in lab.kubectl("get", "validatingadmissionpolicy", changed, "-o", "yaml")
    stack.run("preview", "--expect-no-changes")


def test_switching_off_and_removal_take_the_policies_away(
    lab: Lab, node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    assert ANNOTATIONS in policies(lab)
    configure(lab, stack, delivery="off")
    stack.run("up", "--yes", "--skip-preview")
    assert ANNOTATIONS not in policies(lab)
    configure(lab, stack, delivery="api", leaveOut=["session"])
    stack.run("up", "--yes", "--skip-preview")
    assert ANNOTATIONS in policies(lab)
    stack.run("destroy", "--yes", "--skip-preview")
    assert ANNOTATIONS not in policies(lab)
    assert hashes(node) == before
