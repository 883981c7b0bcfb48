"""Queries of *Who did it*."""

from __future__ import annotations

from auditlog.events import logql
from auditlog.events.logql import count
from auditlog.observe.dashboards.queries.common import RANGE, events, over_time, ranking, total

_SEARCH = (
    "user=~`.*${user:raw}.*`",
    'verb=~"$verb"',
    'resource=~"$resource"',
    "namespace=~`.*${namespace:raw}.*`",
    "name=~`.*${name:raw}.*`",
    'code=~"$code"',
)
"""What a person types is found anywhere in the field, as a regular expression: `^prod$` is exactly prod."""

MATCHES = events(*_SEARCH)
MATCHES_WITH_CHANGES = events(*_SEARCH, logql.WITH_CHANGES)
MATCHES_TOTAL = total(*_SEARCH, logql.FINAL_STAGE)
REFUSED_TOTAL = total(*_SEARCH, logql.FINAL_STAGE, logql.REFUSED)
USERS_TOTAL = f"count({count('user', MATCHES, RANGE)}) or vector(0)"
ADDRESSES_TOTAL = f"count({count('sourceIP', MATCHES, RANGE)}) or vector(0)"
BY_VERB = over_time("verb", *_SEARCH)
BY_USER = ranking("cluster, user", *_SEARCH)
BY_OBJECT = ranking("cluster, resource, namespace, name", *_SEARCH)

ONE_EVENT = events("auditID=`${auditID:raw}`")

DELETIONS = events(logql.DELETIONS, logql.FINAL_STAGE)
DELETIONS_BY_USER = ranking("cluster, user, namespace, resource", logql.DELETIONS, logql.FINAL_STAGE)
