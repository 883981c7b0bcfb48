"""The webhook's kubeconfig on the node: staged, put in place with the manifest, put back with it, and taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import Node
from tests.unit.node.shell import run

STAND_INS = "chown() { :; }\n"


@pytest.fixture
def kubeconfig(node: Node) -> Path:
    """A node whose webhook changes from the old kubeconfig to the staged one."""
    path = node.folder / "webhook"
    path.write_text("old kubeconfig")
    (node.folder / "state/staged/audit-webhook.yaml").write_text("new kubeconfig")
    return path


def enable(node: Node, path: Path) -> str:
    return node.run(
        f"transaction enable {node.as_read} policy={node.policy} policy-desired={sha256('new policy')} "
        f"webhook={path} webhook-live={sha256(path.read_text()) if path.exists() else 'absent'}@1 "
        f"webhook-desired={sha256('new kubeconfig')} arguments=a arguments-before=b endpoint=e timeout=0 log=/nowhere "
        f"marker=no owner=stack owned=record 2>&1"
    )


def test_it_is_staged_and_the_file_in_use_stays(tmp_path: Path) -> None:
    path = tmp_path / "webhook"
    path.write_text("old")
    result = run(tmp_path, f"stage webhook path={path} live=x staged=none desired={sha256('new')}", "new")
    assert (result.returncode, result.stdout) == (0, f"webhook: staged for {path}\n")
    assert path.read_text() == "old"
    staged = tmp_path / "state/staged/audit-webhook.yaml"
    assert staged.read_text() == "new"
    assert staged.stat().st_mode & 0o777 == 0o600


def test_it_is_put_in_place_with_the_manifest(node: Node, kubeconfig: Path) -> None:
    node.says("new-runs")
    node.says("healthy")
    enable(node, kubeconfig)
    assert kubeconfig.read_text() == "new kubeconfig"
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert node.manifest.read_text() == "new manifest"
    assert f"webhook={kubeconfig}\n" in (node.folder / "state/paths").read_text()
    assert (node.folder / "state/before/audit-webhook.yaml").read_text() == "old kubeconfig"


def test_it_is_put_back_with_the_manifest_when_the_api_server_does_not_start(
    node: Node,
    kubeconfig: Path,
) -> None:
    enable(node, kubeconfig)
    assert kubeconfig.read_text() == "old kubeconfig"
    assert node.manifest.read_text() == "old manifest"


def test_one_that_was_not_there_before_goes_again_when_the_api_server_does_not_start(
    node: Node,
    kubeconfig: Path,
) -> None:
    kubeconfig.unlink()
    enable(node, kubeconfig)
    assert not kubeconfig.exists()


@pytest.mark.parametrize(("there", "status"), [("old kubeconfig", 0), ("new kubeconfig", 0), ("somebody's", 1)])
def test_it_is_placed_only_over_the_file_that_the_plan_has_seen(
    node: Node,
    kubeconfig: Path,
    there: str,
    status: int,
) -> None:
    kubeconfig.write_text(there)
    seen, desired = sha256("old kubeconfig"), sha256("new kubeconfig")
    result = run(node.folder, f"check_staged webhook {kubeconfig} {seen}@7 {desired}")
    assert result.returncode == status
    assert ("changed after it was read for this plan" in result.stderr) is (status == 1)


@pytest.mark.parametrize(
    ("there", "earlier", "left", "status"),
    [
        ("ours", None, None, 0),
        ("ours", "theirs", "theirs", 0),
        (None, None, None, 0),
        ("changed by hand", None, "changed by hand", 1),
        ("theirs", "theirs", "theirs", 0),
    ],
)
def test_removal_takes_only_what_the_stack_wrote_and_gives_the_earlier_file_back(
    tmp_path: Path, there: str | None, earlier: str | None, left: str | None, status: int
) -> None:
    path = tmp_path / "webhook"
    (tmp_path / "state/before").mkdir(parents=True)
    if there is not None:
        path.write_text(there)
    if earlier is not None:
        (tmp_path / "state/before/audit-webhook.yaml").write_text(earlier)
    result = run(tmp_path, f"{STAND_INS}take_away webhook path={path} written={sha256('ours')}")
    assert result.returncode == status, result.stderr
    assert (path.read_text() if path.exists() else None) == left


def test_a_manifest_that_still_names_it_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "webhook"
    path.write_text("ours")
    (tmp_path / "manifest").write_text(f"    - --audit-webhook-config-file={path}\n")
    result = run(tmp_path, f"take_away webhook path={path} written={sha256('ours')}")
    assert result.returncode == 1
    assert "without it the API server cannot start" in result.stderr
    assert path.exists()


def test_a_machine_that_is_to_join_gets_it_where_it_will_be_read(tmp_path: Path) -> None:
    path = tmp_path / "kubernetes" / "webhook"
    arguments = f"path={path} live=absent desired={sha256('new')}"
    result = run(tmp_path, f"{STAND_INS}prepare_file webhook {arguments}", "new")
    assert result.returncode == 0, result.stderr
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "manifest").touch()
    assert run(tmp_path, f"{STAND_INS}prepare_file webhook {arguments}", "new").returncode == 1


def test_after_a_rotation_no_copy_of_the_earlier_credentials_is_left(node: Node, kubeconfig: Path) -> None:
    node.says("owner", "stack\n")
    node.says("paths", f"policy={node.policy}\nlog=/nowhere\nwebhook={kubeconfig}\n")
    node.says("new-runs")
    node.says("healthy")
    enable(node, kubeconfig)
    assert kubeconfig.read_text() == "new kubeconfig"
    assert holding(node.folder, "old kubeconfig") == []


ARCHIVE = {
    "20260101T000000Z/audit-webhook.yaml": False,
    "20260101T000000Z/kube-apiserver.yaml": True,
    "20260101T000000Z/wanted-audit-webhook.yaml": False,
    "20260101T000000Z/changed-by-others-webhook.json": False,
    "conflicts/wanted-kube-apiserver.yaml": True,
    "20250101T000000Z/audit-webhook.yaml": True,
    "20250101T000000Z/before-audit-logging": True,
}
"""Files of the archive, and whether the last deletion leaves them."""


def test_the_last_deletion_takes_the_credentials_out_of_the_archive_and_leaves_what_was_there_before(
    tmp_path: Path,
) -> None:
    for name in ARCHIVE:
        file = tmp_path / "archive" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"apiVersion": "v1",\n"kind": "Config"}' if "webhook" in name else "kind: Pod\n")
    result = run(tmp_path, "uninstall owner=stack")
    assert result.returncode == 0, result.stderr
    assert {name: (tmp_path / "archive" / name).exists() for name in ARCHIVE} == ARCHIVE


def test_what_waits_to_be_put_in_place_goes_with_the_file(tmp_path: Path) -> None:
    staged = tmp_path / "state/staged"
    staged.mkdir(parents=True)
    (tmp_path / "webhook").write_text("secret")
    for name in ("audit-webhook.yaml", "put-back-audit-webhook.yaml"):
        (staged / name).write_text("secret")
    removed = run(tmp_path, f"{STAND_INS}take_away webhook path={tmp_path}/webhook written={sha256('secret')}")
    assert removed.returncode == 0, removed.stderr
    assert holding(tmp_path, "secret") == []


def holding(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_text()]
