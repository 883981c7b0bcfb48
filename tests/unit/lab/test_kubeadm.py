"""The kubeadm configuration: what kubeadm, kubelet and later tests rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.kubeadm import init_config
from lab.state import plan

STATE = plan(Path("/lab"), kubernetes="1.36", version="v1.36.3", count=3, networks=(), sysctls={})


def documents(node: int = 0) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(init_config(STATE, STATE.nodes[node]))}


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
