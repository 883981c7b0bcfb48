"""Queries of *Who did it*."""

from __future__ import annotations

from auditlog.events import logql
from auditlog.events.logql import pipeline, streams
from auditlog.observe.dashboards.addresses import TYPED
from auditlog.observe.dashboards.queries.common import CLUSTER, NODES, events, newest, over_time, total

_SEARCH = (
    'verb=~"$verb"',
    'resource=~"$resource"',
    'code=~"${code:pipe}"',
    *(f"{field}=~`.*${{{field}:raw}}.*`" for field in TYPED),
)
"""The filters of a search. Codes are regular expressions, which Grafana would escape without a format."""

MATCHES = events(*_SEARCH, selector=NODES)
MATCHES_WITH_CHANGES = events(*_SEARCH, logql.WITH_CHANGES, selector=NODES)
MATCHES_TOTAL = total(*_SEARCH, selector=NODES)
REFUSED_TOTAL = total(*_SEARCH, logql.REFUSED, selector=NODES)
NEWEST_USERS = newest("user", *_SEARCH, selector=NODES)
NEWEST_ADDRESSES = newest("sourceIP", *_SEARCH, selector=NODES)
BY_VERB = over_time("verb", *_SEARCH, selector=NODES)
BY_USER = newest("cluster, user", *_SEARCH, selector=NODES)
BY_OBJECT = newest("cluster, resource, namespace, name", *_SEARCH, selector=NODES)

_NO_STREAM_WITHOUT_ID = f"job!=`${{auditID:raw}}{logql.JOB}`"
"""Contradicts the job if no audit ID is given, so that Loki reads nothing instead of everything."""
ONE_EVENT = pipeline(streams(CLUSTER, _NO_STREAM_WITHOUT_ID), "auditID=`${auditID:raw}`")

DELETIONS = events(logql.DELETIONS, 'stage!="RequestReceived"')
DELETIONS_BY_USER = newest("cluster, user, namespace, resource", logql.DELETIONS)
