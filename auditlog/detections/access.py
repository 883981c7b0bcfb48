"""Who may do what: roles, bindings, ServiceAccounts."""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.json_patch import COPIES_UNSEEN, sets
from auditlog.detections.model import (
    BINDINGS,
    CHANGES,
    NO_DRY_RUN,
    RBAC,
    ROLES,
    Annotated,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources, Level

# A patch need not hold the role that is bound; the answer does.
_BINDING_BODIES = (
    Requests(("create", "update"), (BINDINGS,), level=Level.REQUEST),
    Requests(("patch",), (BINDINGS,), level=Level.REQUEST_RESPONSE),
)
_EVERYBODY = "system:(anonymous|unauthenticated|authenticated|serviceaccounts)"
_EVERYONE = f'"name":"{_EVERYBODY}"'
_EVERYONE_ADDED = sets("/subjects/[^/]+", rf"\{{[^}}]*{_EVERYONE}[^}}]*\}}")
_STAR = r'"\*"'
_SENSITIVE = '"(secrets|pods/exec|pods/attach|pods/ephemeralcontainers|nodes/proxy|serviceaccounts/token)"'
_ESCALATING = '"(bind|escalate|impersonate)"'


def _in_rules(keys: str, value: str) -> str:
    """A value in a list of a role's rules, in an object or set by a JSON patch."""
    return "|".join(
        (
            rf'"{keys}":\[[^]]*{value}',
            sets(f"/{keys}", rf"\[[^]]*{value}[^]]*\]"),
            sets(rf'/{keys}/[^/"]+', value),
        )
    )


_ROLE_BODIES = (Requests(("create", "update", "patch"), (ROLES,), level=Level.REQUEST),)


def _role_with(keys: str, value: str, key: str, said: str = ".+") -> Events:
    """Writes of roles whose rules have the value under one of the keys, or whose annotation `key` matches `said`."""
    return Events(
        requests=_ROLE_BODIES,
        callers=Callers.NOT_CONTROL_PLANE,
        lines=(f"|~ `{_in_rules(keys, value)}`", NO_DRY_RUN),
        by=("user", "resource", "namespace", "name"),
        unseen=(COPIES_UNSEEN,),
        annotated=Annotated("role", key, said, "role"),
    )


DETECTIONS = (
    Detection(
        id="cluster-admin-bound",
        title="Somebody was bound to cluster-admin",
        severity=Severity.CRITICAL,
        source=Events(
            requests=_BINDING_BODIES,
            callers=Callers.NOT_CONTROL_PLANE,
            lines=('|~ `"roleRef":\\{[^}]*"name":"cluster-admin"`', NO_DRY_RUN),
            by=("user", "resource", "namespace", "name"),
            annotated=Annotated("binding", "role", "(Cluster)?Role cluster-admin", "binding"),
        ),
        summary="{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.name }}, which binds cluster-admin",
        meaning="The subjects of the binding may do everything, in the whole cluster or in the binding's namespace.",
        false_positives="Installers that ask for cluster-admin; a change that was announced.",
    ),
    Detection(
        id="binding-to-everyone",
        title="A role was bound to everyone",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(Requests(("create", "update", "patch"), (BINDINGS,), level=Level.REQUEST),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(
                f'|~ `"subjects":.*{_EVERYONE}|{_EVERYONE_ADDED}`',
                NO_DRY_RUN,
            ),
            by=("user", "resource", "namespace", "name"),
            unseen=(COPIES_UNSEEN,),
            annotated=Annotated("binding", "subjects", f"(.*, )?[A-Za-z]+ {_EVERYBODY}(, .*)?", "binding"),
        ),
        summary="{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.name }}, which binds everyone",
        meaning=(
            "All who reach the API server, all who have any credential, or all workloads have these rights from now on."
        ),
        false_positives="Roles that are meant for all, such as reading the API's own discovery information.",
    ),
    Detection(
        id="wildcard-role",
        title="A role with wildcards was written",
        severity=Severity.WARNING,
        source=_role_with("(verbs|resources)", _STAR, "wildcards", ".*(verbs|resources).*"),
        summary="{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.name }} with wildcards",
        meaning="The role also covers verbs and resources that are installed later, Secrets among them.",
        false_positives="Operators and charts that were written without care for their rights.",
    ),
    Detection(
        id="escalating-verb-granted",
        title="A role was written that allows to gain further rights",
        severity=Severity.CRITICAL,
        source=_role_with("verbs", _ESCALATING, "escalating"),
        summary="{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.name }} with bind, escalate or impersonate",
        meaning="Who has these verbs can give rights they do not have, or act as somebody who has them.",
        false_positives="Controllers that hand out rights themselves (Cluster API, Crossplane), gateways for people.",
    ),
    Detection(
        id="sensitive-access-granted",
        title="A role was written that opens Secrets, tokens, Pods or nodes",
        severity=Severity.INFO,
        source=_role_with("resources", _SENSITIVE, "sensitive"),
        summary="{{ $labels.user }} wrote {{ $labels.resource }} {{ $labels.name }} with access to credentials or Pods",
        meaning="Who reads Secrets, makes tokens, runs commands in Pods or reaches kubelets has the rights of others.",
        false_positives="Operators and charts that manage Secrets; roles for those who debug.",
    ),
    Detection(
        id="system-role-changed",
        title="A role of Kubernetes itself was changed or deleted",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("update", "patch", "delete"), (ROLES,)),),
            callers=Callers.NOT_CONTROL_PLANE,
            fields=('name=~"system:.+"',),
            by=("user", "verb", "resource", "namespace", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.verb }} of {{ $labels.resource }} {{ $labels.name }}",
        meaning=(
            "These roles are bound to components and to everyone: what is added to one is given to all of them, and "
            "nobody looks there."
        ),
        false_positives="`kubectl auth reconcile` at an upgrade; the API server itself restores them at its start.",
    ),
    Detection(
        id="service-account-bound-cluster-wide",
        title="A ServiceAccount was bound to a ClusterRole for the whole cluster",
        severity=Severity.INFO,
        source=Events(
            requests=(
                Requests(
                    ("create", "update", "patch"),
                    (GroupResources("rbac.authorization.k8s.io", ("clusterrolebindings",)),),
                    level=Level.REQUEST,
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=('|= `"kind":"ServiceAccount"`', NO_DRY_RUN),
            by=("user", "name"),
            annotated=Annotated("binding", "subjects", "(.*, )?ServiceAccount .*", "binding"),
        ),
        summary="{{ $labels.user }} wrote {{ $labels.name }}, which gives a ServiceAccount rights in every namespace",
        meaning="Whoever takes over one Pod of the account has its rights everywhere.",
        false_positives="Installing an operator: most need such a binding.",
    ),
    Detection(
        id="rbac-change-rate",
        title="Many changes of roles and bindings",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(CHANGES, (RBAC,)),),
            callers=Callers.NOT_CONTROL_PLANE,
            by=("user",),
            window=600,
        ),
        threshold=20,
        summary="{{ $labels.user }} changed roles and bindings {{ $value | humanize }} times in ten minutes",
        meaning="Rights are being rearranged. Without bodies in the log this is the only trace of who got what.",
        false_positives="Installing or removing a large chart; a GitOps controller after a merge: `ignoreUsers`.",
    ),
    Detection(
        id="rbac-changed-by-workload",
        title="A workload changed roles or bindings",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(CHANGES, (RBAC,)),),
            callers=Callers.WORKLOADS,
            by=("user", "resource", "namespace", "name"),
        ),
        summary="{{ $labels.user }} changed {{ $labels.resource }} {{ $labels.name }}",
        meaning="Few workloads need this right, and each that has it is a way to every other right.",
        false_positives="GitOps controllers and operators that install roles: name them in `ignoreUsers`.",
    ),
    Detection(
        id="service-account-in-kube-system",
        title="A ServiceAccount was made in kube-system",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("create",), (GroupResources("", ("serviceaccounts",)),), namespaces=("kube-system",)),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            by=("user", "name"),
        ),
        summary="{{ $labels.user }} made ServiceAccount kube-system/{{ $labels.name }}",
        meaning=(
            "In this namespace an account goes unnoticed, and most policies and detections trust it: reads by "
            "kube-system are what they leave out."
        ),
        false_positives="Add-ons that are installed into kube-system.",
    ),
)
