"""The lab's Prometheus, Debian's package: it scrapes the API servers, Alloy on the nodes, Loki and itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.host import which
from lab.observability.service import Service, member
from lab.paths import Paths
from lab.stack import CLUSTER
from lab.state import LabState

PORT = 9090
_NUMBER = 6
_CONFIGURATION = "prometheus.yml"
_ALLOY = "alloy.json"
_ALLOY_PORT = 12345


def service(paths: Paths, state: LabState) -> Service:
    """Prometheus as a server of the lab."""
    folder = paths.observability / "prometheus"
    command = (
        which("prometheus") or "prometheus",
        f"--config.file={folder / _CONFIGURATION}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=:{PORT}",
        "--web.enable-lifecycle",
    )
    return Service(member(state, "prom", _NUMBER), PORT, "/-/ready", command, folder)


def write_configuration(paths: Paths, state: LabState, folder: Path, loki: str) -> None:
    """Write what Prometheus reads at start. ``loki`` is Loki's host and port."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    write_client_certificate(paths.kubeconfig, folder)
    document = configuration(state, folder, loki)
    (folder / _CONFIGURATION).write_text(yaml.safe_dump(document, sort_keys=False))


def configuration(state: LabState, folder: Path, loki: str) -> dict[str, Any]:
    """Prometheus' configuration; rules are files in ``rules``, read at start and after a POST to ``/-/reload``.

    All that it scrapes has the label ``cluster``, as where one Prometheus is for several.
    """
    jobs: list[dict[str, Any]] = [
        {
            "job_name": "apiserver",
            "scheme": "https",
            "tls_config": {
                "ca_file": str(folder / "ca.crt"),
                "cert_file": str(folder / "client.crt"),
                "key_file": str(folder / "client.key"),
            },
            "static_configs": [
                {"targets": [f"{node.address}:6443"], "labels": {"node": node.name}} for node in state.nodes
            ],
        },
        {"job_name": "alloy", "file_sd_configs": [{"files": [str(folder / _ALLOY)]}]},
        {"job_name": "loki", "static_configs": [{"targets": [loki]}]},
        {"job_name": "prometheus", "static_configs": [{"targets": [f"localhost:{PORT}"]}]},
    ]
    of_the_cluster = {"relabel_configs": [{"target_label": "cluster", "replacement": CLUSTER}]}
    return {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [str(folder / "rules" / "*.yaml")],
        "scrape_configs": [job | of_the_cluster for job in jobs],
    }


def write_alloy_targets(folder: Path, pods: Mapping[str, str]) -> None:
    """Tell Prometheus where Alloy is: the node and the address of each pod. Debian's has no eye for Kubernetes."""
    targets = [{"targets": [f"{address}:{_ALLOY_PORT}"], "labels": {"node": node}} for node, address in pods.items()]
    fresh = folder / f".{_ALLOY}.new"
    fresh.write_text(json.dumps(targets))
    fresh.replace(folder / _ALLOY)


def write_client_certificate(kubeconfig: Path, folder: Path) -> None:
    """Write the administrator's certificate, key and authority from the kubeconfig as files into ``folder``."""
    document = yaml.safe_load(kubeconfig.read_text())
    user, cluster = document["users"][0]["user"], document["clusters"][0]["cluster"]
    for name, text in (
        ("ca.crt", cluster["certificate-authority-data"]),
        ("client.crt", user["client-certificate-data"]),
        ("client.key", user["client-key-data"]),
    ):
        (folder / name).write_bytes(base64.b64decode(text))
        (folder / name).chmod(0o600)
