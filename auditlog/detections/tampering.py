"""What weakens the cluster's own defences or removes traces, and what will break at an upgrade."""

from __future__ import annotations

from auditlog.annotations.model import POLICY_PREFIX
from auditlog.detections.callers import Callers
from auditlog.detections.json_patch import COPIES_UNSEEN, removes, sets
from auditlog.detections.model import (
    CHANGES,
    NO_DRY_RUN,
    OBJECTS,
    READS,
    STRING,
    WRITES,
    Annotated,
    Detection,
    Events,
    Requests,
    Severity,
    Unannotated,
)
from auditlog.events.logql import HAS_DEPRECATION_TRUE
from auditlog.policy.model import GroupResources, Level
from auditlog.units import HOUR

_ADMISSION = "admissionregistration.k8s.io"
_NO_DRY_RUN_BUT_DELETIONS = f'{NO_DRY_RUN[:-1]}{STRING}","verb":"(create|update|patch)"`'
"""Previews try changes out, updates compile annotations so. Deletions stay: options in their body would count."""
_ENFORCED = r"/labels/pod-security\.kubernetes\.io~1enforce"
_LOWERED = "|".join(
    (
        r'"pod-security\.kubernetes\.io/enforce":(null|"privileged")',
        sets(_ENFORCED, '(null|"privileged")'),
        removes(_ENFORCED),
        removes("/metadata/labels"),
    )
)

DETECTIONS = (
    Detection(
        id="admission-webhook-changed",
        title="An admission webhook was changed",
        severity=Severity.WARNING,
        source=Events(
            requests=(
                Requests(
                    CHANGES,
                    (GroupResources(_ADMISSION, ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")),),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "verb", "resource", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} {{ $labels.name }}",
        meaning=(
            "A webhook sees and may change every object that passes it, Secrets included; who removes one switches off "
            "the checks that it makes."
        ),
        false_positives="Controllers that put their certificate into the webhook (cert-manager's cainjector).",
    ),
    Detection(
        id="admission-policy-changed",
        title="An admission policy was changed",
        severity=Severity.WARNING,
        source=Events(
            requests=(
                Requests(
                    CHANGES,
                    (
                        GroupResources(
                            _ADMISSION,
                            (
                                "validatingadmissionpolicies",
                                "validatingadmissionpolicybindings",
                                "mutatingadmissionpolicies",
                                "mutatingadmissionpolicybindings",
                            ),
                        ),
                    ),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(_NO_DRY_RUN_BUT_DELETIONS,),
            by=("user", "verb", "resource", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} {{ $labels.name }}",
        meaning="These policies decide inside of the API server what may be created; a binding less, and one is off.",
        false_positives="The roll-out of a policy by those who own it.",
    ),
    Detection(
        id="annotation-policy-changed",
        title="A policy that annotates the audit log was changed or removed",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(
                Requests(
                    CHANGES,
                    (GroupResources(_ADMISSION, ("validatingadmissionpolicies", "validatingadmissionpolicybindings")),),
                ),
            ),
            callers=Callers.ANYONE,
            # A creation, by a server-side apply too, is answered with 201 and takes nothing away.
            codes="200",
            lines=(_NO_DRY_RUN_BUT_DELETIONS,),
            # A deleted collection has no name, and may have had ours in it.
            fields=(f'name=~"({POLICY_PREFIX}.*)?"',),
            by=("user", "verb", "resource", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} {{ $labels.name }}",
        meaning=(
            "From now on events may lack what changed, or say something else. Detections that read annotations are "
            "then blind. `pulumi up` makes the policies again."
        ),
        false_positives="`pulumi up` of this project, when it changes or removes annotations.",
    ),
    Detection(
        id="write-without-annotations",
        title="A write lacks the annotations that say what it changed",
        severity=Severity.CRITICAL,
        source=Unannotated(by=("user", "verb", "resource", "namespace", "name")),
        summary=(
            "{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} "
            "{{ $labels.namespace }}/{{ $labels.name }}: what it did is unknown"
        ),
        meaning=(
            "An expression failed or grew too costly, a value was too long, or the policy is not in force. Somebody "
            "who pads an object hides in this way what detections look for."
        ),
        false_positives="Objects with hundreds of containers or subjects; the first seconds of an API server.",
    ),
    Detection(
        id="api-service-changed",
        title="Where a part of the API is served was changed",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(CHANGES, (GroupResources("apiregistration.k8s.io", ("apiservices",)),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "verb", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of APIService {{ $labels.name }}",
        meaning="The API server passes requests of the group on to that Service, with the names of those who ask.",
        false_positives="Installing metrics-server, a custom-metrics adapter or another aggregated API server.",
    ),
    Detection(
        id="pod-security-lowered",
        title="Pod Security was switched off for a namespace",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(Requests(WRITES, (GroupResources("", ("namespaces",)),), level=Level.REQUEST),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(f"|~ `{_LOWERED}`", NO_DRY_RUN),
            by=("user", "verb", "name"),
            unseen=(COPIES_UNSEEN,),
            annotated=Annotated("namespace", "podSecurity", ".* -> (none|privileged)"),
        ),
        summary="{{ $labels.user }} allows privileged Pods in namespace {{ $labels.name }}",
        meaning="From now on a Pod of this namespace may be privileged and mount the node's folders.",
        false_positives="Namespaces of storage and network add-ons, which need it.",
    ),
    Detection(
        id="events-deleted",
        title="Somebody deleted Kubernetes events",
        severity=Severity.WARNING,
        source=Events(
            requests=(
                Requests(
                    ("delete", "deletecollection"),
                    (GroupResources("", ("events",)), GroupResources("events.k8s.io", ("events",))),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user", "namespace"),
        ),
        summary="{{ $labels.user }} deleted events in {{ $labels.namespace }}",
        meaning="Events expire by themselves after an hour. Who deletes them wants them gone.",
        false_positives="`kubectl delete events --all` before a test; clean-up scripts.",
    ),
    Detection(
        id="deprecated-api-used",
        title="A deprecated API is in use",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests((*READS, *CHANGES), OBJECTS),),
            open=True,
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(HAS_DEPRECATION_TRUE,),
            by=("user", "apiGroup", "resource"),
            window=HOUR,
        ),
        summary="{{ $labels.user }} uses a deprecated version of {{ $labels.resource }}",
        meaning="The next Kubernetes releases do not serve it any more; the client then fails.",
        false_positives="APIs that are deprecated without a date, such as componentstatuses and endpoints.",
    ),
)
