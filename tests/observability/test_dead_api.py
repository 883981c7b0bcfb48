"""An aggregated API without its backend while a stack is removed: `destroy` names it, and ends in minutes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.api import Lab
from lab.stack import PulumiStack
from tests.observability.shipping import NAMESPACE, cleared, eventually

pytestmark = pytest.mark.exhaustive

NAME = "v1beta1.dead.example.com"
DEAD = f"""\
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {{name: {NAME}}}
spec:
  group: dead.example.com
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {{namespace: default, name: nobody}}
"""


@pytest.fixture
def dead(lab: Lab, stack: PulumiStack, tmp_path: Path) -> Iterator[str]:
    """The name of the API, after a stack with a namespace has been made."""
    with cleared(lab):
        alloy = {"mode": "snippet", "forwardTo": "loki.write.default.receiver"}
        stack.configure(lab.state, {"kubeconfigFile": str(lab.paths.kubeconfig), "alloy": alloy})
        stack.run("up", "--yes", "--skip-preview")
        (tmp_path / "dead.yaml").write_text(DEAD)
        lab.kubectl("apply", "-f", str(tmp_path / "dead.yaml"))
        state = ("get", "apiservice", NAME, "-o", "jsonpath={.status.conditions[0].status}")
        assert eventually(lambda: lab.kubectl(*state), lambda said: said == "False") == "False"
        yield NAME
        lab.kubectl("delete", "apiservice", NAME, "--ignore-not-found")


def test_destroy_names_what_keeps_the_namespace_and_ends_once_it_is_gone(
    lab: Lab, stack: PulumiStack, dead: str
) -> None:
    stopped = stack.run("destroy", "--yes", "--skip-preview", check=False)
    assert stopped.returncode != 0
    said = f"cannot delete the namespace {NAMESPACE} before these APIs answer: {dead} (ServiceNotFound)."
    assert said in stopped.stdout
    assert "timed out waiting for the condition" in stopped.stdout
    left = json.loads(stack.run("stack", "export").stdout)["deployment"]["resources"]
    assert sorted(each["type"] for each in left if each["type"].startswith("kubernetes:")) == [
        "kubernetes:core/v1:Namespace"
    ]
    lab.kubectl("delete", "apiservice", dead)
    stack.run("destroy", "--yes", "--skip-preview")
    assert lab.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found") == ""
