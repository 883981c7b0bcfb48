"""Queries of *Security*: what a reviewer of a cluster looks for (signals of an article on forensics and the public
catalogues of detections)."""

from __future__ import annotations

from auditlog.events import logql
from auditlog.events.logql import FINAL_STAGE, count
from auditlog.observe.dashboards.queries.common import RANGE, ROWS, events, over_time, ranking, total

_SECRET_READS = (logql.SECRETS, logql.READS, FINAL_STAGE)
_REACHED_ANONYMOUSLY = (
    logql.ANONYMOUS,
    logql.SUCCEEDED,
    FINAL_STAGE,
    '!~ `"requestURI":"/(healthz|livez|readyz|version)["/?]`',
    'name!="cluster-info"',
)
"""Without what Kubernetes and kubeadm give to everyone."""
_TOKENS = (logql.CREDENTIAL_REQUESTS, logql.NOT_FOR_A_NODE, FINAL_STAGE)
_OUTSIDE = (logql.SUCCEEDED, 'user!~"system:(node:.*|apiserver|kube-.*)"', FINAL_STAGE)
"""People, service accounts and programs, not the control plane itself."""

REFUSED_TOTAL = total(logql.REFUSED, FINAL_STAGE)
ANONYMOUS_TOTAL = total(*_REACHED_ANONYMOUSLY)
IMPERSONATION_TOTAL = total(logql.HAS_IMPERSONATION, FINAL_STAGE)
SECRETS_TOTAL = total(*_SECRET_READS, logql.PERSON)
SESSIONS_TOTAL = total(logql.POD_SESSIONS, FINAL_STAGE)
ADMIN_TOTAL = total(
    logql.RBAC, 'resource=~"clusterrolebindings|rolebindings"', logql.WRITES, logql.WITH_ROLE, logql.ADMIN_ROLE
)
RBAC_TOTAL = total(logql.RBAC, logql.WRITES, logql.SUCCEEDED, FINAL_STAGE)
ADMISSION_TOTAL = total(logql.ADMISSION, logql.WRITES, FINAL_STAGE)

REFUSED_OVER_TIME = over_time("code", logql.REFUSED, FINAL_STAGE)
REFUSED_BY_USER = ranking("cluster, user, verb, resource, namespace, code, sourceIP", logql.REFUSED, FINAL_STAGE)

ANONYMOUS_OVER_TIME = over_time("code", logql.ANONYMOUS, FINAL_STAGE)
ANONYMOUS_REACHED = events(*_REACHED_ANONYMOUSLY)

IMPERSONATION_BY_USER = ranking(
    "cluster, user, impersonated", logql.HAS_IMPERSONATION, FINAL_STAGE, logql.WITH_IMPERSONATED_USER
)
IMPERSONATED = events(logql.HAS_IMPERSONATION, logql.WITH_IMPERSONATED_USER)

SECRETS_OVER_TIME = over_time("user", *_SECRET_READS, logql.PERSON)
SECRETS_BY_USER = ranking("cluster, user, verb, namespace, name, code", *_SECRET_READS)

SESSIONS = events(logql.POD_SESSIONS)

RBAC_CHANGES = events(logql.RBAC, logql.WRITES, logql.WITH_ROLE)
RBAC_EVENTS = events(logql.RBAC, logql.WRITES, 'level=~"Request|RequestResponse"')

ADMISSION_CHANGES = events(logql.ADMISSION, logql.WRITES)

TOKENS_BY_USER = ranking("cluster, user, namespace, name, code", *_TOKENS)

_NOW = count("cluster, user, sourceIP", events(*_OUTSIDE), RANGE)
_BEFORE = count("cluster, user, sourceIP", events(*_OUTSIDE), "$baseline", offset=RANGE)
NEW_ADDRESSES = f"topk({ROWS}, {_NOW} unless {_BEFORE})"
"""Users with an address that they did not come from in the time before the range."""
