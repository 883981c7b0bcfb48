"""Who somebody is, and who they try to be: anonymous and refused callers, impersonation, credentials out of place."""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.model import (
    ANY_CODE,
    CHANGES,
    EVENT_START,
    OBJECTS,
    READS,
    STARTED_OR_COMPLETE,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources, Stage

_ANYTHING = (Requests((*READS, *CHANGES), OBJECTS),)
# What ClusterRole system:public-info-viewer and kubeadm's Role kubeadm:bootstrap-signer-clusterinfo give to everyone.
_NOT_PUBLIC = (
    f'!~ `{EVENT_START}/(healthz|livez|readyz|version)([/?][^"]*)?"`',
    f'!~ `{EVENT_START}/api/v1/namespaces/kube-public/configmaps/cluster-info[?"]`',
)

ATTACK_TOOLS = (
    "kube-?hunter|peirates|kdigger|kubeletctl|rakkess|botb|stratus-red-team|nmap|masscan|zgrab|nuclei|nikto|sqlmap"
    "|gobuster|dirbuster|feroxbuster|wfuzz|ffuf"
)
"""Parts of the user agents of scanners and attack tools, as a regular expression."""

HAND_TOOLS = "(?i)(kubectl|curl|wget|python-requests|k9s|lens|httpie)[/ ].*"
"""User agents of programs that people start in a shell or on a desktop, as a regular expression for the whole."""

DETECTIONS = (
    Detection(
        id="anonymous-access-succeeded",
        title="An anonymous request reached something that is not public",
        severity=Severity.CRITICAL,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.ANONYMOUS,
            stages=STARTED_OR_COMPLETE,
            lines=_NOT_PUBLIC,
            by=("sourceIP", "verb", "resource", "namespace"),
        ),
        summary="{{ $labels.sourceIP }} was answered without credentials: {{ $labels.verb }} {{ $labels.resource }}",
        meaning=(
            "A binding gives system:anonymous or system:unauthenticated more than health, version and kubeadm's "
            "cluster-info: whoever reaches the API server has those rights."
        ),
        false_positives="A binding made on purpose for everyone, such as one for OIDC discovery.",
    ),
    Detection(
        id="anonymous-request-rate",
        title="Many anonymous requests",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.ANONYMOUS,
            stages=STARTED_OR_COMPLETE,
            codes=ANY_CODE,
            lines=_NOT_PUBLIC,
            by=("sourceIP",),
        ),
        threshold=30,
        summary="{{ $value | humanize }} anonymous requests from {{ $labels.sourceIP }} in five minutes",
        meaning="Somebody without credentials tries one path after the other, or a program has lost its credentials.",
        false_positives="Vulnerability scanners, load balancers that probe another path than /livez or /readyz.",
    ),
    Detection(
        id="authentication-failures",
        title="Many requests with credentials that were not accepted",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.NOBODY_KNOWN,
            # Failed authentication is recorded at this stage only (apiserver, endpoints/filters/authn_audit.go).
            stages=(Stage.RESPONSE_STARTED,),
            codes="401",
            by=("sourceIP",),
        ),
        threshold=30,
        summary="{{ $value | humanize }} requests from {{ $labels.sourceIP }} were answered with 401 in five minutes",
        meaning="Tokens are being tried, or many clients hold one that has expired, as after a rotation that failed.",
        false_positives="A workload that kept its token over a change of the signing key; an expired kubeconfig in CI.",
    ),
    Detection(
        id="forbidden-burst",
        title="Many refused requests by one user",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            codes="403",
            by=("user", "sourceIP"),
        ),
        threshold=30,
        summary="{{ $labels.user }} was refused {{ $value | humanize }} times in five minutes",
        meaning="Somebody tries out what an identity may do, or a controller has lost a right that it needs.",
        false_positives="Graphical clients that list everything at their start; an operator whose role is out of date.",
    ),
    Detection(
        id="permission-enumeration",
        title="Somebody asked for the list of their own rights",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(("create",), (GroupResources("authorization.k8s.io", ("selfsubjectrulesreviews",)),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "sourceIP"),
        ),
        summary="{{ $labels.user }} listed the rights of its identity from {{ $labels.sourceIP }}",
        meaning="`kubectl auth can-i --list` is the first thing to do with a stolen token, and rare otherwise.",
        false_positives="Administrators who check a role, dashboards that grey out what a user may not do.",
    ),
    Detection(
        id="impersonation",
        title="A request was made in the name of somebody else",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            lines=('|= `"impersonatedUser":{`',),
            fields=('json impersonated="impersonatedUser.username"', 'impersonated!=""'),
            by=("user", "impersonated", "sourceIP"),
        ),
        summary="{{ $labels.user }} acted as {{ $labels.impersonated }}",
        meaning=(
            "Whoever may impersonate has the rights of everybody they may name. The policy sees the real user, so "
            "rules for the impersonated one do not apply."
        ),
        false_positives="`kubectl auth can-i --as`, gateways that authenticate people themselves (Rancher, Teleport).",
    ),
    Detection(
        id="break-glass-credential-used",
        title="A credential of group system:masters was used",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.PEOPLE,
            stages=STARTED_OR_COMPLETE,
            fields=('groups=~".*system:masters.*"',),
            by=("user", "sourceIP"),
        ),
        summary="{{ $labels.user }} of system:masters sent requests from {{ $labels.sourceIP }}",
        meaning=(
            "No role binding limits this group and none can take its rights away; since 1.29 kubeadm keeps it for "
            "super-admin.conf, which is for emergencies."
        ),
        false_positives="`kubeadm init`; clusters made before 1.29, whose admin.conf is still in the group.",
    ),
    Detection(
        id="attack-tool-used",
        title="A program came that is made for attacks",
        severity=Severity.WARNING,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.ANYONE,
            stages=STARTED_OR_COMPLETE,
            codes=ANY_CODE,
            fields=(f'userAgent=~"(?i).*({ATTACK_TOOLS}).*"',),
            by=("user", "sourceIP"),
        ),
        summary="a tool made for attacks came from {{ $labels.sourceIP }} as {{ $labels.user }}",
        meaning="Scanners and attack tools name themselves unless told not to: this catches those who did not care.",
        false_positives="A penetration test that was announced; your own security scanner.",
    ),
    Detection(
        id="service-account-used-by-hand",
        title="A workload's credential was used with a tool for people",
        severity=Severity.INFO,
        source=Events(
            requests=_ANYTHING,
            open=True,
            callers=Callers.WORKLOADS,
            stages=STARTED_OR_COMPLETE,
            codes=ANY_CODE,
            fields=(f'userAgent=~"{HAND_TOOLS}"',),
            by=("user", "sourceIP"),
        ),
        summary="{{ $labels.user }} came with a tool for people from {{ $labels.sourceIP }}",
        meaning="Programs use a client library. A shell tool is what somebody has who took the token out of a Pod.",
        false_positives="Jobs and pipelines whose image runs kubectl: name their ServiceAccounts in `ignoreUsers`.",
    ),
)
