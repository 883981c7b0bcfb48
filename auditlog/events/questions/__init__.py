"""The questions of an investigation, answered from any sequence of audit events.

Each question is a pure function: sightings in, a frozen answer out. Nothing depends on where the events come from, so
that a log store can answer the same questions. Memory is bounded: an answer keeps a fixed number of entries and counts
the rest.
"""

from auditlog.events.questions.anonymity import (
    ANONYMOUS_NEED,
    AnonymousAccess,
    AnonymousAnswer,
    Reach,
    anonymous,
    is_anonymous,
)
from auditlog.events.questions.attribution import UserCount, WhoAnswer, WhoQuery, who, who_wants
from auditlog.events.questions.attribution_need import who_need
from auditlog.events.questions.common import Answer, Occurrence, within
from auditlog.events.questions.deprecation import (
    DEPRECATED_NEED,
    DeprecatedAnswer,
    DeprecatedUse,
    deprecated,
    uses_deprecated,
)
from auditlog.events.questions.escalation import (
    ESCALATIONS_NEED,
    Escalation,
    EscalationFinding,
    EscalationsAnswer,
    changes_rbac,
    escalations,
)
from auditlog.events.questions.secret_access import (
    Identity,
    SecretAccess,
    SecretsAnswer,
    identity,
    reads_secrets,
    secrets,
    secrets_need,
)
from auditlog.events.questions.silence import Gap, GapsAnswer, gaps, gaps_between

__all__ = [
    "ANONYMOUS_NEED",
    "DEPRECATED_NEED",
    "ESCALATIONS_NEED",
    "AnonymousAccess",
    "AnonymousAnswer",
    "Answer",
    "DeprecatedAnswer",
    "DeprecatedUse",
    "Escalation",
    "EscalationFinding",
    "EscalationsAnswer",
    "Gap",
    "GapsAnswer",
    "Identity",
    "Occurrence",
    "Reach",
    "SecretAccess",
    "SecretsAnswer",
    "UserCount",
    "WhoAnswer",
    "WhoQuery",
    "anonymous",
    "changes_rbac",
    "deprecated",
    "escalations",
    "gaps",
    "gaps_between",
    "identity",
    "is_anonymous",
    "reads_secrets",
    "secrets",
    "secrets_need",
    "uses_deprecated",
    "who",
    "who_need",
    "who_wants",
    "within",
]
