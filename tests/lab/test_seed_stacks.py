"""The settings of every source document on a real control plane, one after the other in one stack.

Each change takes out what the settings before it asked for and the next do not.
"""

from __future__ import annotations

import time
from pathlib import PurePosixPath

import pytest

from auditlog.manifest import kubeadm_config, manifest
from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.lab.test_first_stack import MANIFEST, cluster_configuration, hashes, process_arguments
from tests.seeds import FLAGS, configuration

CONTAINER_LOGS = "/var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log"
NAMESPACE = "prod"


@pytest.fixture(scope="module")
def before(lab: Lab, node: Node) -> dict[str, str]:
    """Hashes of manifest and kubeadm-config before the first ``up``; the namespace that the notes audit is there."""
    lab.kubectl("create", "namespace", NAMESPACE)
    return hashes(node)


def audit_flags(flags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in flags.items() if name.startswith("audit-")}


def record(lab: Lab, node: Node, path: str) -> str:
    """The line that the log has of a ConfigMap made now, read from the file or from the container's standard output."""
    name = f"recorded-{time.monotonic_ns()}"
    lab.kubectl("-n", NAMESPACE, "create", "configmap", name)
    where = CONTAINER_LOGS if path == "-" else path
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = node.run(f"grep -h {name} {where}", check=False).stdout
        if found:
            return found
        time.sleep(1)
    return ""


# One with most flags, one with a path of its own for the policy, one on standard output, one with a webhook.
REPRESENTATIVES = ("001-throttle", "002", "003-stdout", "004")


@pytest.mark.parametrize(
    "name", [name if name in REPRESENTATIVES else pytest.param(name, marks=pytest.mark.exhaustive) for name in FLAGS]
)
def test_the_process_runs_with_exactly_the_seeds_flags_and_events_arrive(
    lab: Lab, node: Node, stack: PulumiStack, before: dict[str, str], name: str
) -> None:
    assert before["manifest"], "read before the first change"
    wanted = {key: value for key, value in configuration(name).items() if key in ("policy", "auditLog", "webhook")}
    stack.configure(lab.state, wanted)
    stack.run("up", "--yes", "--skip-preview")
    running = manifest.flag_values(process_arguments(node))
    assert audit_flags(running) == FLAGS[name]
    assert audit_flags(kubeadm_config.extra_args(cluster_configuration(lab))) == FLAGS[name]
    assert f'"namespace":"{NAMESPACE}"' in record(lab, node, FLAGS[name]["audit-log-path"])
    mounts = manifest.present(node.run(f"cat {MANIFEST}").stdout).mounts
    log = FLAGS[name]["audit-log-path"]
    assert mounts.get("audit-logs") == (None if log == "-" else str(PurePosixPath(log).parent))
    assert mounts.get("audit-webhook") == FLAGS[name].get("audit-webhook-config-file")
    stack.run("preview", "--expect-no-changes")


def test_destroy_gives_back_what_was_there_before_the_first_of_them(
    node: Node, stack: PulumiStack, before: dict[str, str]
) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
    assert node.run("ls -d /etc/kubernetes/*audit* || true").stdout == ""
