"""What the next kubeadm upgrade or join would make of the API server's flags: kubeadm-config against the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditlog.checks.answering import unanswered
from auditlog.checks.finding import Finding
from auditlog.checks.process import flag_text
from auditlog.manifest import kubeadm_config
from auditlog.manifest.audit_flags import AUDIT, FILE_FLAGS, LOG_FLAG
from auditlog.manifest.kubeadm_config import KubeadmConfigError, MergedArgument
from auditlog.nodes.facts import Facts

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
app/phases/controlplane/manifests.go, the same from 1.30 to 1.37)."""


def kubeadm_config_findings(facts: Facts, flags: Mapping[str, str]) -> Iterator[Finding]:
    """ClusterConfiguration as this node could read it, against the flags of its manifest."""
    if facts.kubeadm_config is None:
        if unanswered(facts) is not None:
            yield _unread("kube-system/kubeadm-config cannot be read while the API server does not answer")
            return
        yield _unread(
            f"kube-system/kubeadm-config cannot be read: {facts.kubeadm_config_error or 'kubectl is not on the node'}"
        )
        return
    try:
        yield from cluster_configuration_findings(facts.kubeadm_config.text, flags)
    except KubeadmConfigError as error:
        yield _unread(f"ClusterConfiguration in kube-system/kubeadm-config {error}")


def cluster_configuration_findings(text: str, flags: Mapping[str, str]) -> tuple[Finding, ...]:
    """What an API server that kubeadm makes from ClusterConfiguration ``text`` would have unlike ``flags``.

    What kubeadm writes without being asked is left out. Raises KubeadmConfigError.
    """
    recorded = kubeadm_config.extra_args(text)
    merged = kubeadm_config.merged_args(text)
    unseen = [
        (name, recorded[name])
        for name in FILE_FLAGS
        if recorded.get(name, "").startswith("/") and not kubeadm_config.sees(text, recorded[name])
    ]
    return (*_version(text), *_ignored(merged), *_differences(recorded, merged, flags), *_volumes(unseen))


def _version(text: str) -> Iterator[Finding]:
    if kubeadm_config.stops_upgrade(text):
        yield Finding(
            "kubeadm-config-too-old",
            "kubeadm-config is written as kubeadm.k8s.io/v1beta3",
            "kubeadm 1.37 and newer do not read it, so the upgrade to them stops",
            remedy="kubeadm config migrate of version 1.36 rewrites it as v1beta4",
        )


def _ignored(merged: Mapping[str, MergedArgument]) -> Iterator[Finding]:
    ignored = [f"{name} with mergeMethod {merged[name].method}" for name in sorted(merged) if name not in KUBEADM_FLAGS]
    if ignored:
        yield Finding(
            "kubeadm-config-ignored",
            f"kubeadm-config has {'; '.join(ignored)}",
            "kubeadm ignores an argument that is to be merged into one that it does not set",
            remedy="kubectl -n kube-system edit configmap kubeadm-config",
        )


def _differences(
    recorded: Mapping[str, str], merged: Mapping[str, MergedArgument], flags: Mapping[str, str]
) -> Iterator[Finding]:
    lost = [
        (name, flag_text(name, value))
        for name, value in flags.items()
        if name not in recorded and not _is_kubeadms(name, value, merged.get(name))
    ]
    yield from _would(lost, "lacks", "drop", ", unless its --patches bring them")
    changed = [
        (name, f"{flag_text(name, value)}, where the manifest has {flags[name]!r}")
        for name, value in recorded.items()
        if name in flags and flags[name] != value
    ]
    yield from _would(changed, "has", "write")
    added = [
        (name, f"{flag_text(name, value)}, which the manifest lacks")
        for name, value in recorded.items()
        if name not in flags
    ]
    yield from _would(added, "has", "add")


def _volumes(unseen: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for name, path in unseen:
        consequence = (
            "would write its events inside the container, where they are gone when it restarts"
            if name == LOG_FLAG
            else "would not see the file and would not start"
        )
        yield Finding(
            "kubeadm-config-lacks-volume",
            f"kubeadm-config has no extraVolumes entry for {path} (--{name})",
            f"the API server that the next kubeadm upgrade or join writes {consequence}",
        )


def _is_kubeadms(name: str, value: str, merged: MergedArgument | None) -> bool:
    """Whether kubeadm writes this flag by itself with this value, after what is merged into it."""
    if name not in KUBEADM_FLAGS:
        return False
    base = KUBEADM_FLAGS[name]
    if base is None:
        return merged is None or merged.is_in(value)
    return value == (merged.onto(base) if merged else base)


def _would(found: Sequence[tuple[str, str]], verb: str, effect: str, unless: str = "") -> Iterator[Finding]:
    """One finding for the audit flags among ``found``, names and texts, and one for all other flags.

    The others are other people's, but what keeps them keeps audit logging too.
    """
    for audit in (True, False):
        texts = [text for name, text in sorted(found) if name.startswith(AUDIT) is audit]
        if texts:
            yield Finding(
                f"kubeadm-config-would-{effect}" + ("" if audit else "-others"),
                f"kubeadm-config {verb} {'; '.join(texts)}",
                f"the next kubeadm upgrade or join would {effect} {'it' if len(texts) == 1 else 'them'}{unless}",
                remedy="" if audit else "kubectl -n kube-system edit configmap kubeadm-config",
            )


def _unread(what: str) -> Finding:
    return Finding("kubeadm-config-unread", what, "what the next kubeadm upgrade or join would write is not known")
