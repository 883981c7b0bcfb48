"""Queries of *Security*: what a reviewer of a cluster looks for.

The signals come from an article on forensics and from public catalogues of detections.
"""

from __future__ import annotations

from auditlog.detections.model import NO_DRY_RUN
from auditlog.events import logql
from auditlog.events.logql import count
from auditlog.observe.dashboards.queries.common import KIND_OF_CALLER, RANGE, events, newest, over_time, total

_SECRET_READS = (logql.SECRETS, logql.READS)
_REACHED_ANONYMOUSLY = (
    logql.ANONYMOUS,
    logql.SUCCEEDED,
    '!~ `"requestURI":"/(healthz|livez|readyz|version)["/?]`',
    'name!="cluster-info"',
)
"""Excludes what Kubernetes and kubeadm give to everyone."""
_TOKENS = (logql.CREDENTIAL_REQUESTS, logql.NOT_FOR_A_NODE)
_OUTSIDE = (logql.SUCCEEDED, 'user!~"system:(node:.*|apiserver|kube-.*)"')
"""Requests of people, ServiceAccounts and programs, not of the control plane itself."""
_BINDINGS = 'resource=~"clusterrolebindings|rolebindings"'

REFUSED_TOTAL = total(logql.REFUSED)
ANONYMOUS_TOTAL = total(*_REACHED_ANONYMOUSLY)
IMPERSONATION_TOTAL = total(logql.HAS_IMPERSONATION)
SECRETS_TOTAL = total(*_SECRET_READS, logql.PERSON)
SESSIONS_TOTAL = total(logql.POD_SESSIONS)
ADMIN_TOTAL = total(
    "|= `cluster-admin`",
    NO_DRY_RUN,
    logql.RBAC,
    _BINDINGS,
    logql.WRITES,
    logql.SUCCEEDED,
    logql.WITH_ROLE,
    logql.ADMIN_ROLE,
)
RBAC_TOTAL = total(logql.RBAC, logql.WRITES, logql.SUCCEEDED)
ADMISSION_TOTAL = total(logql.ADMISSION, logql.WRITES)

REFUSED_OVER_TIME = over_time("code", logql.REFUSED)
REFUSED_BY_USER = newest("cluster, user, verb, resource, namespace, code, sourceIP", logql.REFUSED)

ANONYMOUS_OVER_TIME = over_time("code", logql.ANONYMOUS)
ANONYMOUS_REACHED = events(*_REACHED_ANONYMOUSLY)

IMPERSONATION_BY_USER = newest("cluster, user, impersonated", logql.HAS_IMPERSONATION, logql.WITH_IMPERSONATED_USER)
IMPERSONATED = events(logql.HAS_IMPERSONATION, logql.WITH_IMPERSONATED_USER)

SECRETS_OVER_TIME = over_time("verb", *_SECRET_READS, logql.PERSON)
SECRETS_BY_USER = newest("cluster, user, verb, namespace, name, code", *_SECRET_READS)

SESSIONS = events(logql.POD_SESSIONS)

RBAC_CHANGES = events(logql.RBAC, logql.WRITES, logql.WITH_ROLE)
RBAC_EVENTS = events(logql.RBAC, logql.WRITES, 'level=~"Request|RequestResponse"')

ADMISSION_CHANGES = events(logql.ADMISSION, logql.WRITES)

TOKENS_BY_USER = newest("cluster, user, namespace, name, code", *_TOKENS)

_NETWORK = (
    'label_format network=`{{ regexReplaceAll "^([0-9]+[.][0-9]+)[.].*" '
    '(regexReplaceAll "^([0-9a-f]*:[0-9a-f]*):.*" .sourceIP "${1}::/32") "${1}.0.0/16" }}`'
)
"""The network of an address. Each Pod has an address, and these are more than Loki counts in one query."""
_BY_NETWORK = "cluster, caller, network"
_NOW = count(_BY_NETWORK, events(*_OUTSIDE, KIND_OF_CALLER, _NETWORK), RANGE)
_BEFORE = count(_BY_NETWORK, events(*_OUTSIDE, KIND_OF_CALLER, _NETWORK), "$baseline", offset=RANGE)
NEW_ADDRESSES = f"{_NOW} unless {_BEFORE}"
"""Kinds of callers with a network that they did not come from before the range."""
