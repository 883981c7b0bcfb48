"""The questions a person asks of the audit log, as LogQL for Loki and as a command for the node itself.

The selector and the two ways to search come from the single-node runbook. The other questions come from the article
"Kubernetes API server audit logging: policy, backends, and forensics". A question with a command in `python -m
auditlog` has the command's name.
"""

from __future__ import annotations

import shlex

from auditlog.events import logql
from auditlog.events.logql import SELECTOR, count, pipeline
from auditlog.node_paths import API_SERVER, POD_LOGS, api_server_logs
from auditlog.settings import LogSettings


def loki_queries() -> dict[str, str]:
    """A LogQL query for each question. Replace NAME with the name you look for.

    `whoDeleted` needs only the lines, so it works with any shipper. Most others use structured metadata.
    """
    return {
        "whoDeleted": f'{SELECTOR} |= "delete" |= "NAME"',
        "who": pipeline(SELECTOR, 'name="NAME"', logql.WRITES),
        "deletions": pipeline(SELECTOR, logql.DELETIONS),
        "gaps": count("cluster, node", SELECTOR, "1m"),
        "anonymous": pipeline(SELECTOR, logql.ANONYMOUS),
        "escalations": pipeline(SELECTOR, logql.RBAC, logql.WRITES, logql.WITH_ROLE),
        "secrets": pipeline(SELECTOR, logql.SECRETS, logql.READS),
        "deprecated": pipeline(SELECTOR, logql.HAS_DEPRECATION, logql.WITH_DEPRECATION),
        "denied": pipeline(SELECTOR, logql.REFUSED),
        "sessions": pipeline(SELECTOR, logql.POD_SESSIONS),
        "impersonation": pipeline(SELECTOR, logql.HAS_IMPERSONATION, logql.WITH_IMPERSONATED_USER),
        "admission": pipeline(SELECTOR, logql.ADMISSION, logql.WRITES),
        "tokens": pipeline(SELECTOR, logql.CREDENTIAL_REQUESTS, logql.NOT_FOR_A_NODE),
        "bindings": pipeline(SELECTOR, 'resource="clusterrolebindings"', logql.WRITES),
    }


def on_node_search(log: LogSettings | None) -> str | None:
    """The command that searches on the node if Loki does not answer. Replace NAME with the name you look for.

    None if the node keeps no events, because they go to a webhook alone.
    """
    if log is None:
        return None
    if log.is_file:
        return f"sudo grep NAME {shlex.quote(log.path)}"
    return f"sudo sh -c 'grep -h NAME {api_server_logs(POD_LOGS)}/{API_SERVER}/*.log'"
