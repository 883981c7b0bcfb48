"""What node/facts.sh prints for a node with these facts, for tests that have no such node.

A fact that is a word, a number or a text needs nothing here: its declaration in ``Facts`` says how it is written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from auditlog.nodes import answer
from auditlog.nodes.answer import One
from auditlog.nodes.fact_types import (
    HashedFile,
    KubeadmConfig,
    PolicyFolder,
    Process,
    RemoteFile,
    Sign,
    StrayManifest,
    Written,
)
from auditlog.nodes.facts import READERS, Facts


def facts_output(facts: Facts) -> str:
    """The text that ``parse_facts`` turns into ``facts`` again. Stray manifests are written as such pods."""
    lines = [line for name in READERS for line in _lines(facts, name)]
    return "\n".join(["format 1", *lines, "end", ""])


def _lines(facts: Facts, name: str) -> Iterator[str]:
    value, reader = getattr(facts, name), READERS[name]
    if name in _WRITERS:
        yield from _WRITERS[name](facts, value)
    elif isinstance(reader, One) and reader.name.startswith("file "):
        file = value if value is None or isinstance(value, RemoteFile) else RemoteFile(f"{value}\n", 1, 1, "600")
        yield f"{reader.name} {_file(file, 0)}"
    elif isinstance(reader, One) and value != _DEFAULTS[name]:
        yield f"{reader.name} {_WORDS.get(reader.parse, str)(value)}"


def _policy(facts: Facts, policy: RemoteFile | None) -> Iterator[str]:
    yield f"file policy {_file(policy, facts.policy_folder_changed)}"


def _admission(facts: Facts, file: RemoteFile | None) -> Iterator[str]:
    yield f"file admission {_file(file, facts.admission_folder_changed)}"


def _static_policies(facts: Facts, file: RemoteFile | None) -> Iterator[str]:
    yield f"file static-policies {_file(file, facts.static_policies_folder_changed)}"


def _scripts(facts: Facts, sha256: str | None) -> Iterator[str]:
    yield f"scripts {sha256 or f'absent {facts.scripts_folder_changed}'}"


def _staged(_: Facts, sha256: str | None) -> Iterator[str]:
    yield f"staged-policy {sha256 or 'absent'}"


def _edits_back(_: Facts, recorded: bool) -> Iterator[str]:
    if recorded:
        yield f"file edits-back 1 1 600 {encoded('yes' + chr(10))}"


def _kubelet(_: Facts, runs: bool) -> Iterator[str]:
    yield f"kubelet {'running' if runs else 'stopped'}"


def _written(_: Facts, written: Written) -> Iterator[str]:
    for name in fields(Written):
        sha256 = getattr(written, name.name)
        if sha256 is not None:
            yield f"written {name.name.replace('_', '-')} {sha256}"


def _webhook(_: Facts, file: HashedFile | None) -> Iterator[str]:
    if file is not None:
        yield f"webhook {file.sha256} {file.changed} {file.modified}"


def _journal(_: Facts, unfinished: bool) -> Iterator[str]:
    if unfinished:
        yield f"file journal 1 1 600 {encoded('')}"


def _static_pods(_: Facts, strays: tuple[StrayManifest, ...]) -> Iterator[str]:
    for stray in strays:
        yield f"static-pod {encoded(stray.name)} {encoded('metadata: {name: kube-apiserver}')} {stray.changed}"


def _policy_folder(_: Facts, folder: PolicyFolder | None) -> Iterator[str]:
    if folder is None:
        return
    yield f"static-folder {encoded(folder.path)} {folder.sha256}"
    for file in folder.files:
        kind = "other" if not file.is_file else "large" if file.text is None else f"file {encoded(file.text)}".rstrip()
        yield f"static-file {encoded(file.name)} {kind}"
    if folder.taken_sha256 is not None:
        yield f"static-taken {folder.taken_sha256}"


def _pipes(_: Facts, names: tuple[str, ...]) -> Iterator[str]:
    yield from (f"manifest-pipe {encoded(name)}" for name in names)


def _processes(_: Facts, processes: tuple[Process, ...]) -> Iterator[str]:
    for process in processes:
        command_line = "".join(f"{argument}\0" for argument in process.arguments)
        identity = f" {process.identity}" if process.identity else ""
        yield f"process {process.pid} {process.started} {encoded(command_line)}{identity}"


def _cluster(_: Facts, signs: tuple[Sign, ...]) -> Iterator[str]:
    for sign in signs:
        sentence = f" {encoded(sign.sentence)}" if sign.sentence else ""
        yield f"cluster {sign.health} {sign.kind} {sign.subject}{sentence}"


def _loopback_clients(_: Facts, clients: tuple[str, ...]) -> Iterator[str]:
    if clients:
        yield f"loopback-clients {encoded(chr(10).join(clients))}"


def _log_written(facts: Facts, written: int) -> Iterator[str]:
    yield f"log-written {written} {facts.log_written_seconds}"


def _kubeadm_config(_: Facts, config: KubeadmConfig | None) -> Iterator[str]:
    if config is not None:
        kind = "kubeadm-config-kept" if config.stale else "kubeadm-config"
        yield f"{kind} {config.resource_version} {encoded(config.text)}"


def _missing_tools(_: Facts, tools: tuple[str, ...]) -> Iterator[str]:
    yield from (f"missing-tool {tool}" for tool in tools)


def _dead_apis(_: Facts, apis: tuple[str, ...]) -> Iterator[str]:
    yield from (f"dead-api {api.replace('(', '').rstrip(')')}" for api in apis)


def _with_another(*_: object) -> Iterator[str]:
    """Nothing: the line of another fact holds it, or no test writes it."""
    yield from ()


_WRITERS: Mapping[str, Callable[[Facts, Any], Iterator[str]]] = {
    "policy": _policy,
    "policy_folder_changed": _with_another,
    "admission": _admission,
    "admission_folder_changed": _with_another,
    "static_policies": _static_policies,
    "static_policies_folder_changed": _with_another,
    "scripts_sha256": _scripts,
    "scripts_folder_changed": _with_another,
    "staged_policy_sha256": _staged,
    "edits_back": _edits_back,
    "kubelet_runs": _kubelet,
    "written": _written,
    "webhook": _webhook,
    "unfinished_change": _journal,
    "unfinished_sha256": _with_another,
    "stray_manifests": _static_pods,
    "manifest_pipes": _pipes,
    "policy_folder": _policy_folder,
    "processes": _processes,
    "cluster": _cluster,
    "loopback_clients": _loopback_clients,
    "log_written_bytes": _log_written,
    "log_written_seconds": _with_another,
    "lost_owner": _with_another,
    "kubeadm_config": _kubeadm_config,
    "missing_tools": _missing_tools,
    "dead_apis": _dead_apis,
}
_DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Facts)}


def _file(file: RemoteFile | None, folder_changed: int) -> str:
    if file is None:
        return f"absent {folder_changed}"
    return f"{file.changed} {file.modified} {file.mode} {encoded(file.text)}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_WORDS: Mapping[Callable[..., Any], Callable[[Any], str]] = {answer.text: encoded}
"""How the value of a simple reader is written; as it is where nothing else is said."""
