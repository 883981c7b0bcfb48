"""Rules of other projects, Sigma and Falco: whether they can ever fire under a policy, and which fields they lack."""

from auditlog.detections.foreign.check import ForeignFinding, Verdict, check_rules, to_json, to_text
from auditlog.detections.foreign.falco import falco_rules
from auditlog.detections.foreign.rule import ForeignError, ForeignRule
from auditlog.detections.foreign.sigma import sigma_rules

__all__ = [
    "ForeignError",
    "ForeignFinding",
    "ForeignRule",
    "Verdict",
    "check_rules",
    "falco_rules",
    "sigma_rules",
    "to_json",
    "to_text",
]
