"""The questions a person asks of the audit log, as LogQL for Loki and as a command for the node itself.

The selector and the two ways to search come from seed 000_05e3394e1aae7e61.txt, the other questions from
004_b3f6e118a06daecc.txt.
"""

from __future__ import annotations

import shlex

SELECTOR = '{job="kubernetes-audit"}'


def loki_queries() -> dict[str, str]:
    """A LogQL query for each question; NAME stands for what the person looks for."""
    return {
        "whoDeleted": f'{SELECTOR} |= "delete" |= "NAME"',
        "deletions": f'{SELECTOR} | json verb="verb", user="user.username" | verb=~"delete|deletecollection"',
        "anonymous": f'{SELECTOR} |= `"username":"system:anonymous"`',
        "denied": f'{SELECTOR} | json code="responseStatus.code" | code=~"401|403"',
        "secrets": f'{SELECTOR} |= `"resource":"secrets"`',
        "bindings": f'{SELECTOR} |= `"resource":"clusterrolebindings"` | json verb="verb" | verb!~"get|list|watch"',
        "deprecated": f"{SELECTOR} |= `k8s.io/deprecated`",
    }


def on_node_search(log_path: str) -> str:
    """The command that answers on the node when Loki does not; NAME stands for what the person looks for."""
    return f"sudo grep NAME {shlex.quote(log_path)}"
