"""The cluster of the running lab is what kubeadm makes, with hand-made flags that real clusters have."""

from __future__ import annotations

import time
import uuid

import pytest
import yaml

from lab import access
from lab.api import Lab, Node
from lab.errors import LabError
from lab.kubeadm import EXTRA_VOLUME, OIDC_FLAGS


def test_the_static_pods_of_kubeadm_run(lab: Lab) -> None:
    expected = {
        f"{name}-{node.name} Running"
        for node in lab.nodes
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    }
    output = "jsonpath={range .items[*]}{.metadata.name} {.status.phase}\n{end}"

    def listed() -> set[str]:
        return set(lab.kubectl("get", "pods", "-n", "kube-system", "-o", output).splitlines())

    # kubelet reports a pod's phase after the pod serves: in seconds, or in minutes where the machine builds meanwhile.
    deadline = time.monotonic() + 600
    while not expected <= listed():
        assert time.monotonic() < deadline, (
            f"not reported as running: {sorted(expected - listed())}\n"
            + lab.kubectl("get", "pods", "-n", "kube-system", "-o", "wide")
            + "\n".join(f"kubelet of {node.name}:\n{kubelet_says(node)}" for node in lab.nodes)
        )
        time.sleep(0.5)


def kubelet_says(node: Node) -> str:
    """The end of kubelet's log on the node."""
    return str(node.run("tail -n 30 /var/log/kubelet.log", check=False).stdout)


def test_the_version_is_the_one_asked_for(lab: Lab) -> None:
    answer = yaml.safe_load(lab.kubectl("version", "-o", "yaml"))
    assert answer["serverVersion"]["gitVersion"] == lab.state.version


def test_hand_made_flags_are_in_manifest_kubeadm_config_and_process(lab: Lab) -> None:
    node = lab.nodes[0]
    expected = {f"--{name}={value}" for name, value in OIDC_FLAGS.items()}
    pod = yaml.safe_load(node.run("cat /etc/kubernetes/manifests/kube-apiserver.yaml").stdout)
    assert expected <= set(pod["spec"]["containers"][0]["command"])
    assert EXTRA_VOLUME["name"] in [volume["name"] for volume in pod["spec"]["volumes"]]
    running = node.run('tr "\\0" "\\n" < "/proc/$(pgrep -ox kube-apiserver)/cmdline"').stdout
    assert expected <= set(running.splitlines())
    stored = lab.kubectl(
        "get", "configmap", "kubeadm-config", "-n", "kube-system", "-o", "jsonpath={.data.ClusterConfiguration}"
    )
    arguments = yaml.safe_load(stored)["apiServer"]["extraArgs"]
    assert expected <= {f"--{entry['name']}={entry['value']}" for entry in arguments}


def test_the_person_is_known_to_the_api_server_by_name_and_group(lab: Lab) -> None:
    told = yaml.safe_load(lab.kubectl("auth", "whoami", "-o", "yaml", as_user=access.PERSON))
    assert told["status"]["userInfo"]["username"] == access.PERSON_NAME
    assert access.PERSON_GROUP in told["status"]["userInfo"]["groups"]


def test_the_person_makes_and_deletes_a_configmap_in_default(lab: Lab) -> None:
    name = f"lab-test-{uuid.uuid4().hex[:8]}"
    lab.kubectl("create", "configmap", name, "--from-literal=a=b", as_user=access.PERSON)
    assert name in lab.kubectl("get", "configmaps", "-o", "name")
    lab.kubectl("delete", "configmap", name, as_user=access.PERSON)
    assert name not in lab.kubectl("get", "configmaps", "-o", "name")


def test_the_person_may_not_read_secrets_of_the_system(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"Forbidden.*alice@example\.com"):
        lab.kubectl("get", "secrets", "-n", "kube-system", as_user=access.PERSON)
