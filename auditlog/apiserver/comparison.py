"""Where the four places of audit logging on one node disagree, and what that leads to.

They are the manifest, kubeadm-config, the policy file and the process. Pure: it looks at facts only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditlog.apiserver import kubeadm_config, manifest
from auditlog.apiserver.desired import LOG_FLAG, POLICY_FLAG, WEBHOOK_FLAG, sha256
from auditlog.apiserver.facts import Facts, Process
from auditlog.apiserver.kubeadm_config import KubeadmConfigError
from auditlog.apiserver.manifest import MANIFEST_PATH

AUDIT = "audit-"
_FILE_FLAGS = (POLICY_FLAG, LOG_FLAG, WEBHOOK_FLAG)

KUBEADM_FLAGS: Mapping[str, str | None] = {
    "advertise-address": None,
    "allow-privileged": "true",
    "authorization-mode": "Node,RBAC",
    "client-ca-file": None,
    "enable-admission-plugins": "NodeRestriction",
    "enable-bootstrap-token-auth": "true",
    "etcd-cafile": None,
    "etcd-certfile": None,
    "etcd-keyfile": None,
    "etcd-servers": None,
    "kubelet-client-certificate": None,
    "kubelet-client-key": None,
    "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
    "proxy-client-cert-file": None,
    "proxy-client-key-file": None,
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-client-ca-file": None,
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "secure-port": None,
    "service-account-issuer": None,
    "service-account-key-file": None,
    "service-account-signing-key-file": None,
    "service-cluster-ip-range": None,
    "tls-cert-file": None,
    "tls-private-key-file": None,
}
"""What kubeadm writes without being asked; None where the value is the cluster's own (getAPIServerCommand in kubeadm
app/phases/controlplane/manifests.go, the same from 1.30 to 1.36)."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that is not as it should be: what is seen, and what it leads to."""

    id: str
    what: str
    consequence: str


def compare(facts: Facts) -> tuple[Disagreement, ...]:
    """Everything that disagrees on a node whose manifest can be read. Raises ManifestError when it cannot."""
    assert facts.manifest is not None  # noqa: S101 - the caller's part
    text = facts.manifest.text
    arguments = manifest.arguments(text)
    flags = manifest.flag_values(arguments)
    return (
        *_strays(facts),
        *_repeated(arguments),
        *_mounts(text, flags),
        *_policy_file(facts, flags),
        *_process(facts, text, arguments, flags),
        *_kubeadm_config(facts, flags),
    )


def _strays(facts: Facts) -> Iterator[Disagreement]:
    for name in facts.stray_manifests:
        yield Disagreement(
            "stray-manifest",
            f"{name} in /etc/kubernetes/manifests defines kube-apiserver too",
            "kubelet may run it in place of kube-apiserver.yaml at any time; move it to another folder",
        )
    if facts.unfinished_change:
        yield Disagreement(
            "unfinished-change",
            "a change of this node by pulumi was cut off",
            "the next pulumi up finishes it or puts everything back first",
        )


def _repeated(arguments: tuple[str, ...]) -> Iterator[Disagreement]:
    for name in manifest.repeated_flags(arguments):
        if name.startswith(AUDIT):
            value = manifest.flag_value(arguments, name)
            yield Disagreement(
                "flag-twice",
                f"the manifest has --{name} more than once",
                f"the API server takes the last one, {value!r}, and the others mislead whoever reads the file",
            )


def _mounts(text: str, flags: Mapping[str, str]) -> Iterator[Disagreement]:
    for name in _FILE_FLAGS:
        path = flags.get(name, "")
        if not path.startswith("/"):
            continue
        if manifest.node_path(text, path) is None:
            consequence = (
                "events are written inside the container and are gone when it restarts"
                if name == LOG_FLAG
                else "the container cannot see the file, and the API server does not start"
            )
            yield Disagreement(
                "not-mounted", f"--{name}: the manifest mounts nothing of the node at {path}", consequence
            )
        elif name == LOG_FLAG and manifest.is_read_only(text, path):
            yield Disagreement(
                "log-read-only",
                f"the manifest mounts {path} read-only",
                "the API server cannot write its log there",
            )


def _policy_file(facts: Facts, flags: Mapping[str, str]) -> Iterator[Disagreement]:
    if flags.get(POLICY_FLAG) and facts.policy is None:
        yield Disagreement(
            "policy-file-missing",
            f"the policy file {facts.policy_path or flags[POLICY_FLAG]} is not there",
            "the API server does not start any more once it is restarted",
        )


def _process(facts: Facts, text: str, arguments: tuple[str, ...], flags: Mapping[str, str]) -> Iterator[Disagreement]:
    if not facts.processes:
        yield Disagreement(
            "no-process",
            "no API server runs on this node",
            "it is down or just starting; kubelet's log says why: journalctl -u kubelet",
        )
        return
    matching = [process for process in facts.processes if process.arguments == arguments]
    if not matching:
        yield _other_arguments(max(facts.processes, key=lambda process: process.started), flags)
    elif _is_older_than_policy(matching, facts, text, flags):
        yield Disagreement(
            "process-older-than-policy",
            "the policy file was changed after the API server started, and it is read at the start only",
            "the policy in the file is not in force; it comes into force with the next restart, whenever that is",
        )


def _other_arguments(process: Process, flags: Mapping[str, str]) -> Disagreement:
    running = manifest.flag_values(process.arguments)
    changes = [
        _flag(name, flags.get(name)) if name in flags else f"no --{name}"
        for name in sorted({*running, *flags})
        if running.get(name) != flags.get(name)
    ]
    effect = ", ".join(changes) or "the same in another order"
    return Disagreement(
        "process-differs",
        f"the running API server has other arguments than {MANIFEST_PATH}",
        f"kubelet has not taken the file, or does so at the next restart, with {effect}",
    )


def _is_older_than_policy(matching: list[Process], facts: Facts, text: str, flags: Mapping[str, str]) -> bool:
    policy = facts.policy
    if policy is None or POLICY_FLAG not in flags or manifest.policy_annotation(text) == sha256(policy.text):
        return False
    return max(process.started for process in matching) < policy.modified


def _kubeadm_config(facts: Facts, flags: Mapping[str, str]) -> Iterator[Disagreement]:
    if facts.kubeadm_config is None:
        yield Disagreement(
            "kubeadm-config-unread",
            f"kube-system/kubeadm-config cannot be read: {facts.kubeadm_config_error or 'kubectl is not on the node'}",
            "what the next kubeadm upgrade or join would write is not known",
        )
        return
    text = facts.kubeadm_config.text
    try:
        recorded = kubeadm_config.extra_args(text)
        unseen = [
            (name, recorded[name])
            for name in _FILE_FLAGS
            if recorded.get(name, "").startswith("/") and not kubeadm_config.sees(text, recorded[name])
        ]
    except KubeadmConfigError as error:
        yield Disagreement(
            "kubeadm-config-unread",
            f"ClusterConfiguration in kube-system/kubeadm-config {error}",
            "what the next kubeadm upgrade or join would write is not known",
        )
        return
    lost = [
        (name, _flag(name, value))
        for name, value in flags.items()
        if name not in recorded and not _is_kubeadms(name, value)
    ]
    yield from _would(lost, "lacks", "drop", ", unless its --patches bring them")
    changed = [
        (name, f"{_flag(name, value)}, where the manifest has {flags[name]!r}")
        for name, value in recorded.items()
        if name in flags and flags[name] != value
    ]
    yield from _would(changed, "has", "write")
    added = [
        (name, f"{_flag(name, value)}, which the manifest lacks")
        for name, value in recorded.items()
        if name not in flags
    ]
    yield from _would(added, "has", "add")
    for name, path in unseen:
        consequence = (
            "would write its events inside the container, where they are gone when it restarts"
            if name == LOG_FLAG
            else "would not see the file and would not start"
        )
        yield Disagreement(
            "kubeadm-config-lacks-volume",
            f"kubeadm-config has no extraVolumes entry for {path} (--{name})",
            f"the API server that the next kubeadm upgrade or join writes {consequence}",
        )


def _is_kubeadms(name: str, value: str) -> bool:
    return name in KUBEADM_FLAGS and KUBEADM_FLAGS[name] in (None, value)


def _would(found: Sequence[tuple[str, str]], verb: str, effect: str, unless: str = "") -> Iterator[Disagreement]:
    """One disagreement for the audit flags among ``found``, names and texts, and one for all other flags.

    The others are other people's, but what keeps them keeps audit logging too.
    """
    for audit in (True, False):
        texts = [text for name, text in sorted(found) if name.startswith(AUDIT) is audit]
        if texts:
            yield Disagreement(
                f"kubeadm-config-would-{effect}" + ("" if audit else "-others"),
                f"kubeadm-config {verb} {'; '.join(texts)}",
                f"the next kubeadm upgrade or join would {effect} {'it' if len(texts) == 1 else 'them'}{unless}",
            )


def _flag(name: str, value: str | None) -> str:
    return f"--{name}={value}" if value else f"--{name}"
