"""Whether a policy may go to a node: an API server starts with it, and it means what is written.

What an API server ignores is examined everywhere (`auditlog.policy.lint.reading`). It is deployed only where the text
says, with the finding's id and a reason, that this is meant.
"""

from __future__ import annotations

from auditlog.policy.lint import reading_findings
from auditlog.policy.model import Policy, PolicyError, Problem
from auditlog.policy.validate import load_policy, policy_as_read


def deployable_policy(text: str, source: str, kubernetes_minor: int | None = None) -> Policy:
    """The policy as the API server of 1.`kubernetes_minor` reads it; None: as one of any version does.

    Raises PolicyError when the server refuses it, or ignores something of it that no silence accepts.
    """
    policy = policy_as_read(text, source) if kubernetes_minor is None else load_policy(text, source, kubernetes_minor)
    problems = tuple(
        Problem(
            each.line,
            each.column,
            "",
            f"{each.reason}; {each.fix}, or, if this is meant, write beside it: # lint: ignore {each.id} REASON",
            refused_by_api_server=False,
            finding=each.id,
        )
        for each in reading_findings(policy, text)
        if each.silenced is None
    )
    if problems:
        raise PolicyError(source, problems)
    return policy
