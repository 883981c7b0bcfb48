"""The kubeadm configuration: what kubeadm, kubelet and later tests rely on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.errors import LabError
from lab.kubeadm import Invitation, init_config, join_config, read_join_command
from lab.state import LabState, plan

STATE = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=3, networks=(), sysctls={})


OLDEST = replace(STATE, kubernetes="1.30", version="v1.30.14")


def documents(node: int = 0, state: LabState = STATE) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(init_config(state, state.nodes[node]))}


def test_the_api_server_gets_hand_made_flags_as_a_v1beta4_list() -> None:
    cluster = documents()["ClusterConfiguration"]
    assert cluster["apiVersion"] == "kubeadm.k8s.io/v1beta4"
    flags = {entry["name"]: entry["value"] for entry in cluster["apiServer"]["extraArgs"]}
    # The API server refuses an issuer that is not https, and a client id without an issuer.
    assert flags["oidc-issuer-url"].startswith("https://")
    assert {"oidc-client-id", "oidc-username-claim", "oidc-groups-claim"} <= flags.keys()
    assert cluster["apiServer"]["extraVolumes"][0]["readOnly"] is True


def test_each_node_has_its_own_name_address_and_cgroup_root() -> None:
    seen = set()
    for number, node in enumerate(STATE.nodes):
        init = documents(number)["InitConfiguration"]
        arguments = {entry["name"]: entry["value"] for entry in init["nodeRegistration"]["kubeletExtraArgs"]}
        assert init["localAPIEndpoint"]["advertiseAddress"] == arguments["node-ip"] == node.address
        seen.add((init["nodeRegistration"]["name"], node.address, arguments["cgroup-root"]))
    assert len(seen) == len(STATE.nodes)


def test_kubelet_neither_deletes_images_nor_evicts_for_the_machines_disk() -> None:
    kubelet = documents()["KubeletConfiguration"]
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert not [signal for signal in kubelet["evictionHard"] if "fs" in signal]


def test_one_rendering_shares_nothing_with_the_next() -> None:
    first = documents()["ClusterConfiguration"]
    assert "*" not in init_config(STATE, STATE.nodes[0])  # no YAML alias either
    assert first == documents()["ClusterConfiguration"]


def test_only_a_cluster_of_several_nodes_has_an_endpoint_of_its_own() -> None:
    assert STATE.balancer is not None
    assert documents()["ClusterConfiguration"]["controlPlaneEndpoint"] == f"{STATE.balancer.address}:6443"
    alone = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=1, networks=(), sysctls={})
    assert "controlPlaneEndpoint" not in init_config(alone, alone.nodes[0])
    # Connections that come while the load balancer has not noticed yet are still served.
    assert "shutdown-delay-duration" in init_config(STATE, STATE.nodes[0])
    assert "shutdown-delay-duration" not in init_config(alone, alone.nodes[0])


def test_a_node_joins_with_what_kubeadm_printed_and_its_own_address_and_cgroup_root() -> None:
    printed = "kubeadm join 10.197.0.10:6443 --token ab.cd --discovery-token-ca-cert-hash sha256:12 \n"
    invitation = read_join_command(printed, "key")
    assert invitation == Invitation("10.197.0.10:6443", "ab.cd", "sha256:12", "key")
    node = STATE.nodes[2]
    config = yaml.safe_load(join_config(STATE, node, invitation))
    assert config["kind"] == "JoinConfiguration"
    assert config["discovery"]["bootstrapToken"]["caCertHashes"] == ["sha256:12"]
    assert config["controlPlane"] == {
        "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": 6443},
        "certificateKey": "key",
    }
    assert {"name": "cgroup-root", "value": node.cgroup} in config["nodeRegistration"]["kubeletExtraArgs"]


def test_what_is_no_join_command_is_shown() -> None:
    with pytest.raises(LabError, match="no join command: 'timed out'"):
        read_join_command("timed out\n", "key")


def test_kubeadm_of_1_30_gets_the_same_as_v1beta3() -> None:
    newer, older = documents(), documents(state=OLDEST)
    cluster = older["ClusterConfiguration"]
    assert cluster["apiVersion"] == older["InitConfiguration"]["apiVersion"] == "kubeadm.k8s.io/v1beta3"
    arguments = newer["ClusterConfiguration"]["apiServer"]["extraArgs"]
    assert cluster["apiServer"]["extraArgs"] == {each["name"]: each["value"] for each in arguments}
    assert cluster["apiServer"]["extraVolumes"] == newer["ClusterConfiguration"]["apiServer"]["extraVolumes"]
    assert older["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"]["node-ip"] == STATE.nodes[0].address
    # v1beta3 has no way to leave a single add-on out, and these kubeadms look for images with crictl.
    assert older["InitConfiguration"]["skipPhases"] == ["preflight", "addon"]
    assert not {"proxy", "dns"} & cluster.keys()
    joined = yaml.safe_load(join_config(OLDEST, STATE.nodes[1], Invitation("a:6443", "t", "h", "key")))
    assert joined["skipPhases"] == ["preflight"]
    assert joined["nodeRegistration"]["kubeletExtraArgs"]["cgroup-root"] == STATE.nodes[1].cgroup
    assert joined["discovery"]["bootstrapToken"]["caCertHashes"] == ["h"]


def test_kubelet_gets_no_setting_that_it_would_refuse() -> None:
    assert {"failCgroupV1", "crashLoopBackOff"} <= documents()["KubeletConfiguration"].keys()
    assert not {"failCgroupV1", "crashLoopBackOff"} & documents(state=OLDEST)["KubeletConfiguration"].keys()
