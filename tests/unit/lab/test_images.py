"""The OCI archive: containerd trusts only digests, so they are computed again here from what was written."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.images import Image, images_for, write_archive

REFERENCES = ["registry.example/kube-apiserver:v1.36.3", "registry.example/etcd:3.6.8-0", "registry.example/pause:3.10"]


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    for name in ("kube-apiserver", "etcd", "pause"):
        (tmp_path / name).write_bytes(f"program {name}".encode())
    return images_for(REFERENCES, tmp_path, tmp_path / "pause", tmp_path / "etcd")


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as opened:
        return {entry.name: file.read() for entry in opened if (file := opened.extractfile(entry))}


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert hashlib.sha256(content).hexdigest() == descriptor["digest"].split(":")[1]
    assert len(content) == descriptor["size"]
    return content


def test_every_image_resolves_to_its_program(tmp_path: Path, images: list[Image]) -> None:
    write_archive(tmp_path / "images.tar", images, machine="aarch64")
    files = contents(tmp_path / "images.tar")
    found = {}
    for entry in json.loads(files["index.json"])["manifests"]:
        manifest = json.loads(blob(files, entry))
        config = json.loads(blob(files, manifest["config"]))
        (layer,) = manifest["layers"]
        assert config["rootfs"]["diff_ids"] == [layer["digest"]]
        assert config["architecture"] == "arm64"
        program = config["config"]["Entrypoint"][0]
        with tarfile.open(fileobj=io.BytesIO(blob(files, layer))) as tree:
            member = tree.getmember(program.lstrip("/"))
            assert member.mode == 0o755
            file = tree.extractfile(member)
            assert file is not None
            found[entry["annotations"]["io.containerd.image.name"]] = (program, file.read())
    assert found == {
        REFERENCES[0]: ("/usr/local/bin/kube-apiserver", b"program kube-apiserver"),
        REFERENCES[1]: ("/usr/local/bin/etcd", b"program etcd"),
        REFERENCES[2]: ("/pause", b"program pause"),
    }


def test_equal_programs_give_equal_archives(tmp_path: Path, images: list[Image]) -> None:
    for name in ("one.tar", "two.tar"):
        write_archive(tmp_path / name, images, machine="x86_64")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_an_image_that_nothing_was_built_for_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"registry\.example/coredns:v1"):
        images_for(["registry.example/coredns:v1"], tmp_path, tmp_path / "pause", tmp_path / "etcd")


def test_an_unknown_processor_is_named(tmp_path: Path, images: list[Image]) -> None:
    with pytest.raises(LabError, match="riscv64"):
        write_archive(tmp_path / "images.tar", images, machine="riscv64")


def test_further_files_lie_where_they_are_said_to_and_each_folder_comes_once(tmp_path: Path) -> None:
    for name in ("program", "shell", "library"):
        (tmp_path / name).write_bytes(name.encode())
    beside = (("bin/sh", tmp_path / "shell"), ("lib/machine/libc.so", tmp_path / "library"))
    image = Image("registry.example/more:1", tmp_path / "program", "bin/program", beside)
    write_archive(tmp_path / "images.tar", [image], machine="x86_64")
    files = contents(tmp_path / "images.tar")
    (entry,) = json.loads(files["index.json"])["manifests"]
    (layer,) = json.loads(blob(files, entry))["layers"]
    with tarfile.open(fileobj=io.BytesIO(blob(files, layer))) as tree:
        assert tree.getnames() == ["bin", "bin/program", "bin/sh", "lib", "lib/machine", "lib/machine/libc.so"]
        assert {name: file.read() for name in tree.getnames() if (file := tree.extractfile(name))} == {
            "bin/program": b"program",
            "bin/sh": b"shell",
            "lib/machine/libc.so": b"library",
        }
