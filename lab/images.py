"""The container images of the control plane, made from the built programs: one OCI archive, one layer each."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lab import go_runtime
from lab.errors import LabError

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """``reference`` is the full name with tag; ``program`` the binary it holds, as ``target`` in the image.

    ``beside`` are further files with their places in the image, ``("bin/sh", Path("/usr/bin/dash"))``.
    """

    reference: str
    program: Path
    target: str
    beside: tuple[tuple[str, Path], ...] = ()


def images_for(references: Sequence[str], programs: Path, pause: Path, etcd: Path) -> list[Image]:
    """The image for each reference that ``kubeadm config images list`` names.

    ``programs`` is the folder of the Kubernetes binaries. ``LabError`` for a reference that no built program serves.
    """
    images = []
    for reference in references:
        name = reference.rsplit("/", 1)[-1].split(":")[0]
        if name == "pause":
            images.append(Image(reference, pause, "pause"))
        elif name == "etcd":
            images.append(Image(reference, etcd, "usr/local/bin/etcd"))
        elif (programs / name).exists():
            images.append(Image(reference, programs / name, f"usr/local/bin/{name}"))
        else:
            raise LabError(f"kubeadm wants image {reference}, which the lab has no program for")
    return images


def write_archive(path: Path, images: Sequence[Image], machine: str = "") -> None:
    """Write the images as one OCI image layout in a tar file, for ``ctr images import``.

    ``machine`` is the processor as ``uname -m`` says, by default this one. Equal input gives equal bytes.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise LabError(f"no images for processor {machine!r}; there are {', '.join(_ARCHITECTURES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    written: set[str] = set()
    manifests = []
    with tarfile.open(fresh, "w") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        for image in images:
            layer = _layer(image)
            config = _json(_config(image, _digest(layer), _ARCHITECTURES[machine]))
            manifest = _json(
                {
                    "schemaVersion": 2,
                    "mediaType": _MANIFEST,
                    "config": _descriptor(_CONFIG, config),
                    "layers": [_descriptor(_LAYER, layer)],
                }
            )
            for blob in (layer, config, manifest):
                digest = _digest(blob)
                if digest not in written:
                    _add(archive, f"blobs/sha256/{digest.removeprefix('sha256:')}", blob)
                    written.add(digest)
            annotations = {
                "io.containerd.image.name": image.reference,
                "org.opencontainers.image.ref.name": image.reference.rsplit(":", 1)[-1],
            }
            manifests.append({**_descriptor(_MANIFEST, manifest), "annotations": annotations})
        _add(archive, "index.json", _json({"schemaVersion": 2, "manifests": manifests}))
    fresh.replace(path)


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    folders: set[str] = set()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for target, file in ((image.target, image.program), *image.beside):
            for parent in reversed(PurePosixPath(target).parents[:-1]):
                if str(parent) not in folders:
                    folders.add(str(parent))
                    folder = tarfile.TarInfo(str(parent))
                    folder.type = tarfile.DIRTYPE
                    folder.mode = 0o755
                    layer.addfile(folder)
            _add(layer, target, file.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _config(image: Image, layer_digest: str, architecture: str) -> dict[str, Any]:
    variables = {"PATH": "/usr/local/bin:/bin", **go_runtime.variables()}
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": [f"{name}={value}" for name, value in variables.items()], "Entrypoint": [f"/{image.target}"]},
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        "history": [{"created_by": "kubernetes-audit lab"}],
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
