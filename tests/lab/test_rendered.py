"""kubeadm boots a control plane with what ``auditlog render`` wrote for it, which audits from its first request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from auditlog.cli import main
from auditlog.manifest.manifest import policy_annotation
from lab import build, cluster, host, kubeadm, tools
from lab.api import Lab
from lab.lock import exclusive
from lab.node import execute
from lab.stack import PulumiStack
from lab.state import LabState, NodeState
from tests.lab.own_lab import OwnLab
from tests.lab.test_first_stack import MANIFEST

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(1800)]

OWN = OwnLab("rendered")
MINOR = tools.KUBERNETES_MINORS[0]
STACK_FILE = """\
config:
  kubernetes-audit:cluster: lab
  kubernetes-audit:nodes:
    - name: cp1
      host: 10.0.0.1
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINrmuG8FK0VjTCBiWeuiWO3EIe5sFyJUnBV21Hh58CJj
  kubernetes-audit:policy:
    preset: standard
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of one node: its machine had the rendered files before ``kubeadm init``, which had the configuration."""
    OWN.command("down")  # what a run that was killed may have left
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "Pulumi.yaml").write_text("name: kubernetes-audit\n")
    (folder / "Pulumi.lab.yaml").write_text(STACK_FILE)
    assert main(["render", str(folder / "Pulumi.lab.yaml"), "--for", "kubeadm", "--to", str(folder / "out")]) == 0
    files = [path for path in (folder / "out/files").rglob("*") if path.is_file()]
    rendered = list(yaml.safe_load_all((folder / "out/kubeadm.yaml").read_text()))
    labs_own = kubeadm.init_config

    def with_rendered(state: LabState, node: NodeState, **more: Any) -> str:
        own = list(yaml.safe_load_all(labs_own(state, node, **more)))
        return yaml.safe_dump_all([merged(each, rendered) for each in own], sort_keys=False)

    def copy(state: LabState) -> None:
        for path in files:
            target = f"/{path.relative_to(folder / 'out/files')}"
            execute(state.nodes[0], ["install", "-D", "--mode=0600", "/dev/stdin", target], stdin=path.read_text())

    paths = OWN.paths
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubeadm, "init_config", with_rendered)
        host.prepare(paths.root, balancer=False)
        build.build(paths, tools.node_tools(MINOR))
        with exclusive(paths.lock, "another command"):
            cluster.up(paths, nodes=1, minor=MINOR, before_kubeadm=copy)
    yield Lab.load(paths)
    OWN.command("down")


def merged(own: dict[str, Any], rendered: list[dict[str, Any]]) -> dict[str, Any]:
    """The document with what the rendered one of its kind adds: lists are appended to, as a person would."""
    for more in rendered:
        if more["kind"] == own["kind"]:
            server = {**own.get("apiServer", {})}
            for key, entries in more.get("apiServer", {}).items():
                server[key] = [*server.get(key, []), *entries]
            own = {**own, **({"patches": more["patches"]} if "patches" in more else {})}
            own = {**own, **({"apiServer": server} if server else {})}
    return own


def test_the_first_requests_of_the_api_server_are_in_the_log(lab: Lab) -> None:
    lines = lab.nodes[0].run("cat /var/log/kubernetes/audit/audit.log").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    # The API server makes its own namespaces in its first second, before anybody else can ask for anything.
    made = [
        (event["objectRef"]["name"], event["user"]["username"])
        for event in events
        if event["verb"] == "create" and event.get("objectRef", {}).get("resource") == "namespaces"
    ]
    assert ("kube-system", "system:apiserver") in made


def test_the_pod_names_the_policy_and_a_preview_restarts_nothing(lab: Lab) -> None:
    node = lab.nodes[0]
    assert policy_annotation(node.run(f"cat {MANIFEST}").stdout) == node.sha256("/etc/kubernetes/audit-policy.yaml")
    stack = PulumiStack.prepare(lab.paths, lab.state, "rendered")
    stack.configure(lab.state, {"policy": {"preset": "standard"}})
    try:
        preview = stack.run("preview").stdout
    finally:
        stack.remove()
    assert "restart:" not in preview, preview
    assert "no API server restarts" in preview or "In short" not in preview
