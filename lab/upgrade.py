"""Another Kubernetes minor for the nodes, as a package repository and an image registry offer it to a real cluster."""

from __future__ import annotations

import shutil
from dataclasses import replace

from lab import build, members, tools
from lab.paths import Paths
from lab.state import LabState


def offer(paths: Paths, state: LabState, minor: str) -> str:
    """Give every node the kubeadm of ``minor`` and the images that it names; gives the version, as ``v1.36.3``.

    What runs on the nodes stays as it is until somebody says ``kubeadm upgrade``.
    """
    wanted = tools.node_tools(minor)
    build.build(paths, wanted)
    version = next(tools.version_of(tool) for tool in wanted if tool.name == "kubeadm")
    upgraded = replace(state, kubernetes=minor, version=version)
    members.write_archive(paths, upgraded, members.image_references(paths, upgraded))
    for each in state.nodes:
        members.load_images(paths, each)
        target = paths.node(each.name) / "usr/local/bin/kubeadm"
        target.unlink()
        shutil.copy(paths.kubernetes_bin(minor) / "kubeadm", target)
    paths.images.unlink()
    return version
