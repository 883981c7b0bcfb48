"""What must hold on a node that has lost its power at any moment (docs/faults.md), seen on its disk alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from auditlog.manifest import manifest
from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from auditlog.nodes.fact_types import CANARY, apiserver_pod
from tests.crash.node import CrashNode

_FILE_FLAGS = ("audit-policy-file", "audit-webhook-config-file")
# What no later run reads, or what says something by being there; half-written copies have a name that nothing reads.
_MAY_BE_EMPTY = re.compile(
    r"/\.[^/]*\.kubernetes-audit$|/\.kubernetes-audit\.room\.\w+$|/(lock|declared|messages|status|images|guard-messages|probes|before-audit-logging)$|/before/moved-|/\.unfinished/|\.logs$|\.new$|/staged/"
)
# A backup's name, an entry of the policies' history, the change whose proof is awaited: times, and a process there.
_VOLATILE = re.compile(r"\d{8}T\d{6}Z(\.1)*|\b1\d{9}\.\d+ \d+$|\b1\d{9}\b", re.MULTILINE)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below the folder: its path there, its mode, its content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def fingerprint(node: CrashNode) -> str:
    """The same for two nodes whose files differ by times and process ids only."""
    whole = hashlib.sha256((node.ram / "etcd/text").read_bytes())
    for path, (mode, content) in contents(node.kubernetes).items():
        lines = [line for line in content.split(b"\n") if not re.match(rb"(worker|boot)=", line)]
        text = _VOLATILE.sub("TIME", "\n".join([path, oct(mode), b"\n".join(lines).decode(errors="replace")]))
        whole.update(text.encode() + b"\0")
    return whole.hexdigest()


def broken_after_boot(node: CrashNode, known: frozenset[str]) -> Iterator[str]:
    """What is wrong with the files from which kubelet starts the API server, and with the records of the scripts.

    ``known`` are the hashes of the manifests, policies and webhook's kubeconfigs of before and after the change.
    """
    journal = node.state / "journal"
    entries = _entries(journal)
    live = node.manifest.read_text() if node.manifest.exists() else ""
    if sha256(live) not in known | {entries.get("placed-first")}:
        yield f"the manifest is neither the old nor the new one: {live[:80]!r}"
    elif node.manifest.stat().st_mode & 0o777 != 0o600:
        yield f"the manifest has the mode {node.manifest.stat().st_mode:o}"
    flags = manifest.flag_values(manifest.arguments(live)) if live else {}
    for flag in _FILE_FLAGS:
        path = flags.get(flag)
        if path is None:
            continue
        file = node.kubernetes / Path(path).relative_to("/etc/kubernetes")
        if not file.exists() or sha256(file.read_text()) not in known:
            yield f"{path}, which the manifest names, is not whole"
    for file in node.manifest.parent.iterdir():
        if file != node.manifest and not file.name.startswith("."):
            text = file.read_text()
            if apiserver_pod(text) != CANARY or not text.endswith("\n"):
                yield f"kubelet would read {file.name}: {text[:80]!r}"
    script = node.state / "node.sh"
    if script.exists() and script.read_text() != node_scripts.bundle():
        yield f"node.sh is not whole: {script.stat().st_size} bytes"
    if journal.exists() and not {"step", "desired", "policy", "timeout"} <= entries.keys():
        yield f"the journal is not whole: {journal.read_text()[:80]!r}"
    for path, (_, content) in contents(node.kubernetes).items():
        if not content and not _MAY_BE_EMPTY.search(f"/{path}"):
            yield f"{path} is empty"


def not_given_back(node: CrashNode, original: dict[str, tuple[int, bytes]], kubeadm_config: str) -> Iterator[str]:
    """What ``destroy`` has left otherwise than it was, the archive apart."""
    found = {path: file for path, file in contents(node.kubernetes).items() if not _is_archive(path)}
    for path in sorted(found.keys() | original.keys()):
        if found.get(path) != original.get(path):
            yield f"{path}: {original.get(path)!r:.60} became {found.get(path)!r:.60}"
    if (node.ram / "etcd/text").read_text() != kubeadm_config:
        yield "kubeadm-config is not as it was"


def _is_archive(path: str) -> bool:
    return path.startswith("apiserver-manifest-archive/")


def _entries(journal: Path) -> dict[str, str]:
    if not journal.exists():
        return {}
    return dict(line.split("=", 1) for line in journal.read_text().splitlines() if "=" in line)
