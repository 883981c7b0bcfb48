"""What a cluster of several nodes says about its members."""

from __future__ import annotations

from lab.api import Lab, Node

CONDITION = "{.status.conditions[?(@.type=='Ready')].status}"
READY = ("get", "nodes", "-o", f"jsonpath={{range .items[*]}}{{.metadata.name}} {CONDITION}\n{{end}}")


def ready_nodes(lab: Lab) -> list[str]:
    """The names of the nodes that are ready, in the API server's order."""
    states = (line.split() for line in lab.kubectl(*READY).splitlines())
    return [name for name, ready in states if ready == "True"]


def etcd_members(node: Node) -> list[str]:
    """The members that the node's etcd found when it joined; kubeadm names each after its node."""
    lines = node.run("cat /etc/kubernetes/manifests/etcd.yaml").stdout.splitlines()
    (found,) = [line.split("--initial-cluster=")[1] for line in lines if "--initial-cluster=" in line]
    return sorted(member.split("=")[0] for member in found.split(","))
