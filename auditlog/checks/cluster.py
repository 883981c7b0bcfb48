"""Whether the cluster can spare an API server for a while: API servers, etcd and the nodes themselves.

What each node saw is in its facts (node/cluster.sh). What is not known stops nothing; what is known to be bad does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditlog.checks.finding import Finding, Severity
from auditlog.manifest import manifest
from auditlog.manifest.admission_configuration import ADMISSION_FLAG, ADMISSION_PATH
from auditlog.manifest.audit_flags import POLICY_FLAG
from auditlog.node_paths import api_server_logs
from auditlog.nodes.fact_types import Health, Sign, SignKind
from auditlog.nodes.facts import Facts


def cluster_findings(node: str, facts: Mapping[str, Facts], *, alone: bool = False) -> Iterator[Finding]:
    """What is wrong with ``node`` as a member of its cluster; one of the others may have seen it.

    Nothing of a node whose change was cut off: to finish that is what helps it. ``alone`` says that no other node is
    restarted. Then a node whose API server is away, or lacks a file to start, may be silent and not Ready. Its kubelet
    may know no other API server (ControlPlaneKubeletLocalMode), and the change may bring it back.
    """
    own = facts[node]
    if own.unfinished_change:
        return
    name = own.node_name or node
    readiness = [sign for each in facts.values() for sign in each.cluster if sign.is_about(SignKind.NODE, name)]
    signs = [*(sign for sign in own.cluster if sign.kind is not SignKind.NODE), *readiness[:1]]
    if alone and own.kubelet_runs and (not own.processes or _lacks_a_file(own)):
        signs = [sign for sign in signs if sign.kind is SignKind.ETCD]
    for sign in signs:
        finding = _finding(sign, own.pod_logs)
        if finding is not None:
            yield finding


def _lacks_a_file(facts: Facts) -> bool:
    """Whether the manifest names a policy or an admission configuration of the stack that is gone."""
    flags = manifest.flag_values(manifest.arguments(facts.manifest.text)) if facts.manifest else {}
    lost_admission = flags.get(ADMISSION_FLAG) == ADMISSION_PATH and facts.admission is None
    return lost_admission or (bool(flags.get(POLICY_FLAG)) and facts.policy is None)


def _finding(sign: Sign, pod_logs: str) -> Finding | None:
    match sign.health, sign.kind:
        case Health.OK, _:
            return None
        case Health.UNKNOWN, _:
            return Finding("cluster-unknown", sign.sentence, "the change does not wait for what cannot be seen")
        case _, SignKind.API:
            remedy = f"its last words are in {api_server_logs(pod_logs)} on the node"
            return _error("api-not-ready", sign.sentence, remedy)
        case _, SignKind.ETCD:
            remedy = "etcdctl endpoint status, member list and alarm list in the etcd pod say more"
            return _error("etcd-unhealthy", sign.sentence, remedy)
        case _:
            remedy = "journalctl -u kubelet on it and kubectl describe node say why"
            return _error("node-not-ready", sign.sentence, remedy)


def _error(finding: str, what: str, remedy: str) -> Finding:
    return Finding(finding, what, "no API server is restarted while that is so", Severity.ERROR, remedy)
