"""What must hold on the node before anything is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.shell import run

DIGEST = f"sha256:{'c' * 64}"


def test_without_kubelet_nothing_is_begun(tmp_path: Path) -> None:
    result = run(tmp_path, 'kubelet_runs() { return 1; }\npreconditions "" || echo "$problem"')
    assert result.stdout == "kubelet does not run, and nothing else ends the old API server and starts the new one\n"


@pytest.mark.parametrize(
    ("image", "listed"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.3", "registry.k8s.io/kube-apiserver:v1.36.3"),
        (f"registry.k8s.io/kube-apiserver:v1.36.3@{DIGEST}", f"registry.k8s.io/kube-apiserver@{DIGEST}"),
        (f"registry.k8s.io/kube-apiserver@{DIGEST}", f"registry.k8s.io/kube-apiserver@{DIGEST}"),
        (f"localhost:5000/a/b@{DIGEST}", f"localhost:5000/a/b@{DIGEST}"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("kube-apiserver:v1.36.3", ""),
        ("library/kube-apiserver:v1.36.3", ""),
        (DIGEST, ""),
    ],
)
def test_an_image_is_looked_for_as_the_container_runtime_lists_it(tmp_path: Path, image: str, listed: str) -> None:
    (tmp_path / "state").mkdir()
    assert run(tmp_path, f"listed_name '{image}'").stdout.strip() == listed
    script = "sandbox_image() {{ :; }}\nlist_images() {{ echo '{}'; }}\nimages_are_there '{}' || echo \"$problem\""
    assert run(tmp_path, script.format(listed, image)).stdout == ""
    missing = run(tmp_path, script.format("another.example/image:v1", image)).stdout
    assert missing.startswith(f"the image {image} is not on the node") if listed else missing == ""


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (":", ""),
        ("rm file; mkfifo file", "is a pipe or a socket and no file"),
        ('lsattr() { echo "----i---------e------- $2"; }', "is immutable: chattr -i {file} lets it be changed"),
        ('lsattr() { echo "--------------e------- $2"; }', ""),
    ],
)
def test_what_cannot_be_written_is_found_before_anything_is_changed(tmp_path: Path, make: str, reason: str) -> None:
    file = tmp_path / "file"
    file.touch()
    found = run(tmp_path, f'cd {tmp_path}; {make}; may_be_written {file} || echo "$problem"').stdout
    assert found == (f"{file} {reason.format(file=file)}\n" if reason else "")
