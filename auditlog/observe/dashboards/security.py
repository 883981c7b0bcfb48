"""*Security*: what was refused, who came without a name or under another's, and who touched what matters."""

from __future__ import annotations

from auditlog.observe.dashboards import marks, panels, variables
from auditlog.observe.dashboards.layout import Section, render
from auditlog.observe.dashboards.links import search, series
from auditlog.observe.dashboards.options import DashboardOptions
from auditlog.observe.dashboards.queries import security as queries
from auditlog.observe.dashboards.rendered import RenderedDashboard
from auditlog.observe.dashboards.thresholds import ANY, ANY_IS_BAD

_CHANGES = "create|update|patch|delete|deletecollection"
_BINDINGS = "rolebindings|clusterrolebindings"
_ADMISSION = (
    "validatingwebhookconfigurations|mutatingwebhookconfigurations|validatingadmissionpolicies"
    "|validatingadmissionpolicybindings|mutatingadmissionpolicies|mutatingadmissionpolicybindings"
)
_SESSIONS = "^(exec|attach|portforward|proxy|ephemeralcontainers)$"
_BY_POLICY = " Always empty: the policy may not record it; `python -m auditlog coverage` tells."


def security_dashboard(options: DashboardOptions) -> RenderedDashboard:
    """Builds the dashboard."""
    return render(
        "security",
        "Kubernetes audit / Security",
        "Refused, anonymous and impersonated requests, access to Secrets and pods, changes of rights and of admission.",
        [
            variables.loki(),
            variables.prometheus(),
            variables.cluster(),
            variables.one_of(
                "baseline", "Known before", "How long an address must be unseen to be new", ["1d", "7d", "14d", "28d"]
            ),
        ],
        [
            _overview(),
            _refused(),
            _anonymous(),
            _impersonation(),
            _secrets(),
            _sessions(),
            _rbac(),
            _admission(),
            _tokens_and_addresses(),
        ],
        since="now-6h",
        annotations=marks.changes(options),
    )


def _overview() -> Section:
    return Section(
        "At a glance",
        (*_who_came_in(), *_what_was_changed()),
    )


def _who_came_in() -> tuple[panels.Panel, ...]:
    return (
        panels.number(
            "Refused",
            "Requests answered with 401 or 403. A rise: see *Refused by user* for whether one user tries many "
            "things or a rollout misses a right.",
            "short",
            panels.loki_instant(queries.REFUSED_TOTAL),
            ANY,
            link=search({"code": "401|403"}),
        ),
        panels.number(
            "Reached without identity",
            "Anonymous requests that got what is not meant for everyone. Any is serious: see which in *Reached "
            "anonymously*, then take the right from system:anonymous and system:unauthenticated.",
            "short",
            panels.loki_instant(queries.ANONYMOUS_TOTAL),
            ANY_IS_BAD,
            link=search({"user": "system%3Aanonymous"}),
        ),
        panels.number(
            "Impersonated",
            "Requests made in another's name (--as). Expected from dashboards and support tools only; see *Who "
            "acts as whom*.",
            "short",
            panels.loki_instant(queries.IMPERSONATION_TOTAL),
            ANY,
        ),
        panels.number(
            "Secrets read by people",
            "Reads of Secrets by users that are no system account. Compare with your change records; rotate what "
            "was read without a reason." + _BY_POLICY,
            "short",
            panels.loki_instant(queries.SECRETS_TOTAL),
            ANY,
            link=search({"resource": "secrets", "verb": "get|list|watch"}),
        ),
        panels.number(
            "Sessions in pods",
            "exec, attach, port-forward, ephemeral containers and the kubelet proxy. Each should have a reason: "
            "see *Ways into pods and nodes*." + _BY_POLICY,
            "short",
            panels.loki_instant(queries.SESSIONS_TOTAL),
            ANY,
            link=search({"resource": "pods|nodes"}, patterns={"subresource": _SESSIONS}),
        ),
    )


def _what_was_changed() -> tuple[panels.Panel, ...]:
    return (
        panels.number(
            "cluster-admin bound",
            "Changes that bind cluster-admin. Outside change management treat it as a compromise: remove the "
            "binding, then look at everything its subjects did. Needs the bodies of RBAC changes in the policy.",
            "short",
            panels.loki_instant(queries.ADMIN_TOTAL),
            ANY_IS_BAD,
            link=search({"resource": _BINDINGS, "verb": _CHANGES}),
        ),
        panels.number(
            "RBAC changes",
            "Changes of roles and bindings that went through. More than your releases explain: see *RBAC changes "
            "in detail*.",
            "short",
            panels.loki_instant(queries.RBAC_TOTAL),
            ANY,
            link=search({"resource": f"roles|clusterroles|{_BINDINGS}", "verb": _CHANGES}),
        ),
        panels.number(
            "Admission changes",
            "Changes of webhooks and admission policies: who controls admission controls every object. See "
            "*Webhook and admission changes*.",
            "short",
            panels.loki_instant(queries.ADMISSION_TOTAL),
            ANY,
            link=search({"resource": _ADMISSION, "verb": _CHANGES}),
        ),
    )


def _refused() -> Section:
    return Section(
        "Refused requests",
        (
            panels.graph(
                "Refused over time",
                "401 is a credential that is not accepted, 403 a missing right. A step that stays: an expired token "
                "or a changed role; a short burst over many resources: somebody explores.",
                "short",
                panels.loki_range(queries.REFUSED_OVER_TIME, "{{code}}"),
                link=search({"code": series("code")}),
            ),
            panels.counted(
                "Refused by user",
                "One row with a high count is a broken client: give it the right or stop it. Many rows of one user "
                "over many resources is exploration: revoke the credential and see what it did reach.",
                queries.REFUSED_BY_USER,
                {
                    "cluster": "Cluster",
                    "user": "User",
                    "verb": "Verb",
                    "resource": "Resource",
                    "namespace": "Namespace",
                    "code": "Code",
                    "sourceIP": "From",
                },
                "Requests",
            ),
        ),
        collapsed=True,
    )


def _anonymous() -> Section:
    return Section(
        "Without identity",
        (
            panels.graph(
                "Anonymous over time",
                "Requests without an identity by outcome. Health probes are normal; a rise of 401 or 403 is a scan: "
                "block the source address, and close the API server to the outside.",
                "short",
                panels.loki_range(queries.ANONYMOUS_OVER_TIME, "{{code}}"),
            ),
            panels.event_table(
                "Reached anonymously",
                "What anonymous requests got besides health, version and cluster-info. Should be empty: find the "
                "binding with `kubectl get clusterrolebindings,rolebindings -A -o wide | grep -i anonymous`.",
                queries.ANONYMOUS_REACHED,
                width=panels.HALF,
                height=8,
            ),
        ),
        collapsed=True,
    )


def _impersonation() -> Section:
    return Section(
        "Impersonation",
        (
            panels.counted(
                "Who acts as whom",
                "A person who acts as an administrator or as system:masters has that person's rights: check who may "
                "`impersonate` in the cluster roles.",
                queries.IMPERSONATION_BY_USER,
                {"cluster": "Cluster", "user": "User", "impersonated": "Acts as"},
                "Requests",
            ),
            panels.event_table(
                "Impersonated requests",
                "What was done in another's name. Not yours to explain: revoke the right to impersonate and search "
                "for the user in *Who did it*.",
                queries.IMPERSONATED,
                more={"impersonated": "Acts as"},
                width=panels.HALF,
            ),
        ),
        collapsed=True,
    )


def _secrets() -> Section:
    return Section(
        "Secrets",
        (
            panels.graph(
                "Secrets read by people over time",
                "Reads by users that are no system account. Outside working hours or in bulk: see *Who reads which "
                "Secret*, ask the user, and rotate the Secrets." + _BY_POLICY,
                "short",
                panels.loki_range(queries.SECRETS_OVER_TIME, "{{verb}}"),
            ),
            panels.counted(
                "Who reads which Secret",
                f"Of the {panels.COUNTED_LINES} newest reads. A row without a name is a list or a watch: all Secrets "
                "of the namespace, or of the cluster where that is empty too. A service account that lists all Secrets "
                "needs a narrower role." + _BY_POLICY,
                queries.SECRETS_BY_USER,
                {
                    "cluster": "Cluster",
                    "user": "User",
                    "verb": "Verb",
                    "namespace": "Namespace",
                    "name": "Secret",
                    "code": "Code",
                },
                "Requests",
                where={"resource": "secrets"},
            ),
        ),
        collapsed=True,
    )


def _sessions() -> Section:
    return Section(
        "Into pods and nodes",
        (
            panels.event_table(
                "Ways into pods and nodes",
                "exec, attach, port-forward, proxy and ephemeral containers; kubectl opens them as `get` (WebSocket) "
                "or `create` (SPDY). The event of an exec shows its command in the request URI. Unexpected: cut the "
                "session by deleting the pod, after you have saved what you need of it." + _BY_POLICY,
                queries.SESSIONS,
            ),
        ),
        collapsed=True,
    )


def _rbac() -> Section:
    return Section(
        "Rights",
        (
            panels.event_table(
                "RBAC changes in detail",
                "Bound role and subjects are filled where the policy keeps bodies or annotations are on; rules only "
                "with bodies. Empty: raise `rbac.authorization.k8s.io` to RequestResponse, or turn annotations on. A "
                "wildcard or cluster-admin outside a change window: undo it, then look at what the subjects did.",
                queries.RBAC_CHANGES,
                more={"role": "Bound role", "subjects": "Subjects", "rules": "Rules"},
            ),
            panels.event_lines(
                "RBAC changes with bodies",
                "The whole events where the body was recorded. Empty while the table above is not: the policy records "
                "RBAC changes without bodies.",
                queries.RBAC_EVENTS,
            ),
        ),
        collapsed=True,
    )


def _admission() -> Section:
    return Section(
        "Admission",
        (
            panels.event_table(
                "Webhook and admission changes",
                "Mutating and validating webhooks, admission policies and their bindings. A deleted or weakened one "
                "(failurePolicy Ignore, a namespace left out) switches a guard off: restore it from its source.",
                queries.ADMISSION_CHANGES,
            ),
        ),
        collapsed=True,
    )


def _tokens_and_addresses() -> Section:
    return Section(
        "Credentials",
        (
            panels.counted(
                "Token requests",
                "Tokens of service accounts that somebody other than a kubelet asked for. A person's token outlives "
                "the person's own session: ask what for, or delete the service account." + _BY_POLICY,
                queries.TOKENS_BY_USER,
                {
                    "cluster": "Cluster",
                    "user": "User",
                    "namespace": "Namespace",
                    "name": "Service account",
                    "code": "Code",
                },
                "Requests",
                where={"verb": "create", "resource": "serviceaccounts", "subresource": "token"},
            ),
            panels.ranking(
                "New source addresses",
                "Kinds of callers with a network that they did not come from in the time before. Service accounts from "
                "outside the pod network: a token has left the cluster. Everything is new in the first days of a log.",
                "short",
                panels.loki_instant(queries.NEW_ADDRESSES),
                {"cluster": "Cluster", "caller": "Caller", "network": "Network"},
                "Requests",
            ),
        ),
        collapsed=True,
    )
