"""Brings Loki and Prometheus up beside a running lab and gives its nodes Alloy's image."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from lab import cluster, images, node, tools
from lab.errors import LabError
from lab.observability import loki, prometheus, service
from lab.observability.alloy_image import alloy_image
from lab.observability.service import Service
from lab.paths import Paths
from lab.stack import PulumiStack
from lab.state import LabState, load

_NOBODY = "http://127.0.0.1:9093"


@dataclass(frozen=True, slots=True)
class Observability:
    """The servers beside one lab."""

    paths: Paths
    state: LabState
    loki: Service
    prometheus: Service

    @classmethod
    def of(cls, paths: Paths) -> Observability:
        """Those of the lab that is up. ``LabError`` when there is none."""
        state = load(paths.state)
        if state is None:
            raise LabError("there is no lab: python -m lab up")
        return cls(paths, state, loki.service(paths, state), prometheus.service(paths, state))

    @property
    def services(self) -> tuple[Service, ...]:
        return (self.loki, self.prometheus)

    @property
    def alloy_image(self) -> str:
        """The name under which the nodes have Alloy; no registry could be asked for it."""
        (alloy,) = (tool for tool in tools.observability_tools() if tool.name == "alloy")
        return f"lab.invalid/alloy:{tools.version_of(alloy)}-with-shell"

    def start(self, each: Service) -> None:
        service.start(self.state, each)

    def find_alloy(self, namespace: str) -> dict[str, str]:
        """The address of each Alloy pod that has one, by its node, which Prometheus scrapes from now on."""
        printed = cluster.kubectl(self.paths, self.state, "-n", namespace, "get", "pods", "-o", "json")
        running = [pod for pod in json.loads(printed)["items"] if "podIP" in pod["status"]]
        pods = {pod["spec"]["nodeName"]: pod["status"]["podIP"] for pod in running}
        prometheus.write_alloy_targets(self.prometheus.folder, pods)
        return pods

    def stop(self, each: Service) -> None:
        service.end(each.member)

    def configure(self, stack: PulumiStack, **more: Any) -> None:
        """Has the stack ship to this Loki, with the nodes' image of Alloy; ``more`` are further keys."""
        alloy = {"image": self.alloy_image, **more.pop("alloy", {})}
        stack.set_secret("kubeconfig", self.paths.kubeconfig.read_text())
        stack.configure(self.state, {"loki": {"url": self.loki.url}, "alloy": alloy, **more})


def up(paths: Paths) -> Observability:
    """Start the servers that do not run, and give the nodes Alloy's image."""
    found = start_servers(paths)
    _load_image(found)
    return found


def start_servers(paths: Paths) -> Observability:
    """Start Loki and Prometheus where they do not run. Names are written down before anything is made under them.

    This needs no Alloy, which takes the longest to build.
    """
    found = Observability.of(paths)
    service.record(paths, found.services)
    store = found.loki
    loki.write_configuration(store.folder, _NOBODY)
    prometheus.write_configuration(paths, found.state, found.prometheus.folder, f"{store.member.address}:{store.port}")
    for each in found.services:
        found.start(each)
    return found


def _load_image(found: Observability) -> None:
    wanted = found.alloy_image
    archive = found.paths.observability / "alloy-image.tar"
    for each in found.state.nodes:
        if node.execute(each, ["ctr", "--namespace=k8s.io", "images", "list", "--quiet", f"name=={wanted}"]).stdout:
            continue
        if not archive.exists():
            images.write_archive(archive, [alloy_image(wanted, found.paths.bin / "alloy")])
        offered = found.paths.node(each.name) / "var/lib/alloy-image.tar"
        offered.unlink(missing_ok=True)
        os.link(archive, offered)
        node.execute(each, ["ctr", "--namespace=k8s.io", "images", "import", "/var/lib/alloy-image.tar"])
        offered.unlink()
    archive.unlink(missing_ok=True)
