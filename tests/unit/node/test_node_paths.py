"""The places that the node's shell and the Python name are the same."""

from __future__ import annotations

import re

import pytest

from auditlog import node_paths
from auditlog.project_files import project_folder

COMMON = (project_folder("node") / "common.sh").read_text()


@pytest.mark.parametrize(
    ("shell", "python"),
    [
        ("STATE", node_paths.RECORDS),
        ("ARCHIVE", node_paths.ARCHIVE),
        ("MANIFESTS", node_paths.MANIFESTS),
        ("ADMIN_CONF", node_paths.ADMIN_KUBECONFIG),
        ("MANIFEST", node_paths.MANIFEST.replace(node_paths.MANIFESTS, "$MANIFESTS")),
    ],
)
def test_a_place_is_the_same_in_shell_and_in_python(shell: str, python: str) -> None:
    assert re.findall(rf"^{shell}=(\S+)$", COMMON, re.MULTILINE) == [python]


def test_kubelets_default_folder_of_logs_is_the_same() -> None:
    assert f"|| pod_logs={node_paths.POD_LOGS}\n" in (project_folder("node") / "container_logs.sh").read_text()
