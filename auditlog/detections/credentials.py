"""Credentials that are read or made: Secrets, tokens, certificates."""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.model import (
    CHANGES,
    NO_DRY_RUN,
    READS,
    STARTED_OR_COMPLETE,
    Annotated,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources, Level

_SECRETS = (GroupResources("", ("secrets",)),)
_REQUESTS = GroupResources("certificates.k8s.io", ("certificatesigningrequests",))

DETECTIONS = (
    Detection(
        id="secret-read-by-person",
        title="A person read Secrets",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(READS, _SECRETS),),
            callers=Callers.PEOPLE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "namespace", "verb"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of Secrets in {{ $labels.namespace }}",
        meaning="Workloads mount their Secrets; a person who reads one holds what it opens from then on.",
        false_positives="helm, which keeps its releases in Secrets; deployment tools outside of the cluster.",
    ),
    Detection(
        id="secrets-listed-everywhere",
        title="The Secrets of all namespaces were listed",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(Requests(("list",), _SECRETS, namespaces=("",)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "sourceIP", "userAgent"),
        ),
        summary="{{ $labels.user }} listed every Secret of the cluster from {{ $labels.sourceIP }}",
        meaning="One request returns every password, key and token that the cluster holds, with their values.",
        false_positives="Operators that cache all Secrets at their start (cert-manager, backup tools): `ignoreUsers`.",
    ),
    Detection(
        id="kube-system-secrets-listed",
        title="The Secrets of kube-system were listed",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("list",), _SECRETS, namespaces=("kube-system",)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "sourceIP", "userAgent"),
        ),
        summary="{{ $labels.user }} listed the Secrets of kube-system from {{ $labels.sourceIP }}",
        meaning="There are the tokens with which nodes join, and the credentials of the cluster's own add-ons.",
        false_positives="`helm list -n kube-system`; `kubeadm token list`; backup tools: `ignoreUsers`.",
    ),
    Detection(
        id="secret-changed-by-person",
        title="A person wrote or deleted a Secret",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(CHANGES, _SECRETS),),
            callers=Callers.PEOPLE,
            by=("user", "verb", "namespace", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of Secret {{ $labels.namespace }}/{{ $labels.name }}",
        meaning="Whoever replaces a credential decides what workloads trust; a deleted one stops them.",
        false_positives="helm, which keeps its releases in Secrets; pipelines with their own user.",
    ),
    Detection(
        id="secret-sweep",
        title="One caller read many different Secrets",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("get",), _SECRETS),),
            callers=Callers.NOT_CONTROL_PLANE,
            distinct="name",
            by=("user", "sourceIP"),
        ),
        threshold=20,
        summary="{{ $labels.user }} read {{ $value | humanize }} different Secrets in five minutes",
        meaning="Somebody who may not list Secrets reads them by name, one after the other.",
        false_positives="Operators that read the Secrets they own one by one (external-secrets, Argo CD, helm).",
    ),
    Detection(
        id="token-requested",
        title="A token for a ServiceAccount was issued",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("create",), (GroupResources("", ("serviceaccounts/token",)),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "namespace", "name"),
        ),
        summary="{{ $labels.user }} got a token for {{ $labels.namespace }}/{{ $labels.name }}",
        meaning=(
            "kubelet asks for the tokens of Pods. Whoever else does so becomes that ServiceAccount, from anywhere and "
            "for as long as the token lives."
        ),
        false_positives="`kubectl create token` by an administrator; secret stores and pipelines that log in this way.",
    ),
    Detection(
        id="bootstrap-token-created",
        title="A token was made with which nodes join the cluster",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("create", "update", "patch"), _SECRETS, namespaces=("kube-system",)),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            fields=('name=~"bootstrap-token-.+"',),
            by=("user", "name"),
        ),
        summary="{{ $labels.user }} wrote {{ $labels.name }}",
        meaning=(
            "With it anybody who reaches the API server gets a kubelet's certificate. With that they read the "
            "Secrets of the Pods that are scheduled on the new node."
        ),
        false_positives="`kubeadm token create` before a node joins; Cluster API.",
    ),
    Detection(
        id="certificate-approved",
        title="Somebody approved a certificate request",
        severity=Severity.WARNING,
        source=Events(
            requests=(
                Requests(
                    ("update", "patch"),
                    (GroupResources("certificates.k8s.io", ("certificatesigningrequests/approval",)),),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            by=("user", "name"),
        ),
        summary="{{ $labels.user }} approved or denied {{ $labels.name }}",
        meaning=(
            "A client certificate cannot be revoked: it opens the cluster as its subject until it expires, whatever is "
            "deleted."
        ),
        false_positives="Approvers for kubelet serving certificates; an administrator who lets a person in this way.",
    ),
    Detection(
        id="client-certificate-requested",
        title="A certificate for a client of the API server was requested",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("create",), (_REQUESTS,), level=Level.REQUEST),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=('|= `"signerName":"kubernetes.io/kube-apiserver-client"`', NO_DRY_RUN),
            by=("user", "name"),
            annotated=Annotated("certificate", "signer", "kubernetes.io/kube-apiserver-client"),
        ),
        summary="{{ $labels.user }} asked for a client certificate: {{ $labels.name }}",
        meaning="Together with an approval it makes a lasting identity that no list of users or tokens shows.",
        false_positives="The documented way of giving a person access by certificate.",
    ),
)
