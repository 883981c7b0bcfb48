"""Who gave whom wide powers: changes of RBAC roles and bindings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec
from msgspec import Raw, Struct

from auditlog.annotations.what_changed import what_changed
from auditlog.events.coverage import ANY_TIME, CoverageWatch, TimeRange
from auditlog.events.event import Event, Sighting
from auditlog.events.outcome import Cause, Doubt
from auditlog.events.questions.common import KEPT_ENTRIES, Answer, Occurrence, occurrence, one_per_request
from auditlog.policy.model import GroupResources, Level, PolicyRule
from auditlog.policy.recording import Need
from auditlog.policy.write import rules_text

_RBAC = "rbac.authorization.k8s.io"
_CHANGES = frozenset({"create", "update", "patch"})


class Escalation(StrEnum):
    """What makes a change of RBAC objects worth a look."""

    CLUSTER_ADMIN = "binds cluster-admin"
    EVERYONE = "binds everyone"
    WILDCARD_ROLE = "role with wildcards"
    WILDCARD_BINDING = "binds a role with wildcards"
    UNKNOWN = "content not recorded"


@dataclass(frozen=True, slots=True)
class EscalationFinding:
    """One change. `explanation` says what is known, or why no more is. `role` and `subjects` may be unknown."""

    kind: Escalation
    request: Occurrence
    role: str
    subjects: tuple[str, ...]
    explanation: str


@dataclass(frozen=True, slots=True)
class EscalationsAnswer(Answer):
    """Changes that give, or may give, wide powers, oldest first. Refused attempts are included: see their code."""

    findings: tuple[EscalationFinding, ...]

    @property
    def found(self) -> bool:
        """Whether a change gives wide powers for certain."""
        return any(finding.kind is not Escalation.UNKNOWN for finding in self.findings)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Changes without their content. Refused ones do not count: they changed nothing."""
        unknown = sum(finding.kind is Escalation.UNKNOWN and finding.request.code < 400 for finding in self.findings)
        if not unknown:
            return ()
        changes = "1 change of a role or binding is" if unknown == 1 else f"{unknown} changes of roles or bindings are"
        return (
            Doubt(
                Cause.CONTENT,
                f"{changes} recorded without the content that says which powers it gives",
                "Turn on annotations.delivery. Or record such changes with their bodies; put this in front "
                "of the other rules",
                remedy=rules_text((_WITH_CONTENT,)),
            ),
        )


class _Subject(Struct):
    kind: str = ""
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class _RoleRef(Struct):
    kind: str = ""
    name: str = ""


class _RbacRule(Struct, rename={"api_groups": "apiGroups"}):
    verbs: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None


class _RbacBody(Struct, rename={"role_ref": "roleRef"}):
    role_ref: _RoleRef | None = None
    subjects: list[_Subject] | None = None
    rules: list[_RbacRule] | None = None


_EVERYONE = frozenset({"system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"})
_BINDINGS = frozenset({"clusterrolebindings", "rolebindings"})
_ROLES = frozenset({"clusterroles", "roles"})

_RBAC_CHANGES = PolicyRule(
    Level.METADATA,
    verbs=("create", "update", "patch"),
    resources=(GroupResources(_RBAC, ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),),
)
_WITH_CONTENT = replace(_RBAC_CHANGES, level=Level.REQUEST_RESPONSE)
ESCALATIONS_NEED = Need(
    "changes of roles and bindings",
    (_RBAC_CHANGES,),
    sent_by=lambda sender: sender.user is not None,
    advice=(_WITH_CONTENT,),
)
"""Any level suffices: it shows that there was no change, and a change without its content is a doubt."""


def escalations(sightings: Iterable[Sighting], time: TimeRange = ANY_TIME) -> EscalationsAnswer:
    """Bindings to cluster-admin or to everyone, roles with wildcards, and changes whose content is not recorded."""
    watch = CoverageWatch(time)
    wildcards: OrderedDict[tuple[str, str, str], None] = OrderedDict()
    found: list[EscalationFinding] = []
    left_out = 0
    for sighting in one_per_request(each for each in watch.over(sightings) if changes_rbac(each.event)):
        finding = _judge(sighting, wildcards)
        if finding is None:
            continue
        if len(found) < KEPT_ENTRIES:
            found.append(finding)
        else:
            left_out += 1
    found.sort(key=lambda finding: finding.request.time)
    return EscalationsAnswer(watch.result(), left_out, tuple(found))


def changes_rbac(event: Event) -> bool:
    """Whether somebody who was authenticated changes a role or binding."""
    reference = event.object_ref
    return (
        reference is not None
        and bool(event.user.username)
        and event.verb in _CHANGES
        and reference.api_group == _RBAC
        and (reference.resource in _BINDINGS or reference.resource in _ROLES)
    )


def _judge(sighting: Sighting, wildcards: OrderedDict[tuple[str, str, str], None]) -> EscalationFinding | None:
    event = sighting.event
    reference = event.object_ref
    if reference is None:
        return None
    body = _rbac_body(event)
    if reference.resource in _ROLES:
        role = (reference.resource, reference.namespace, reference.name)
        if body is None or body.rules is None:
            said = what_changed(event.annotations)
            if "role" in said.complete:
                return _judge_annotated_role(sighting, role, said.grants.get("wildcards", ""), wildcards)
            return _finding(sighting, Escalation.UNKNOWN, reference.name, (), _why_unknown(event, "its rules"))
        wide = [rule for rule in body.rules if "*" in (rule.verbs or []) or "*" in (rule.resources or [])]
        return _judge_role(sighting, role, "; ".join(map(_rule_text, wide[:5])), wildcards)
    if body is None or body.role_ref is None:
        body = _annotated_binding(event) or body
    if body is None or body.role_ref is None:
        subjects = tuple(map(str, (body.subjects if body else None) or ()))
        return _finding(sighting, Escalation.UNKNOWN, "", subjects, _why_unknown(event, "the role it binds"))
    role_ref, subjects = body.role_ref, tuple(map(str, body.subjects or ()))
    in_namespace = f" in namespace {reference.namespace}" if reference.namespace else ""
    if (role_ref.kind, role_ref.name) == ("ClusterRole", "cluster-admin"):
        return _finding(
            sighting, Escalation.CLUSTER_ADMIN, role_ref.name, subjects, f"all rights{in_namespace or ' everywhere'}"
        )
    everyone = sorted({subject.name for subject in body.subjects or () if subject.name in _EVERYONE})
    if everyone:
        return _finding(
            sighting, Escalation.EVERYONE, role_ref.name, subjects, f"{', '.join(everyone)} get it{in_namespace}"
        )
    bound = (
        ("clusterroles", "", role_ref.name)
        if role_ref.kind == "ClusterRole"
        else ("roles", reference.namespace, role_ref.name)
    )
    if bound in wildcards:
        return _finding(
            sighting,
            Escalation.WILDCARD_BINDING,
            role_ref.name,
            subjects,
            f"these events show the role with wildcards{in_namespace}",
        )
    return None


def _judge_annotated_role(
    sighting: Sighting, role: tuple[str, str, str], said: str, wildcards: OrderedDict[tuple[str, str, str], None]
) -> EscalationFinding | None:
    """A wildcard for groups alone gives named resources of every group. That is no finding, as with a body."""
    wide = [what for what in said.split(", ") if what in ("verbs", "resources")]
    return _judge_role(sighting, role, f"all {' and '.join(wide)}" if wide else "", wildcards)


def _judge_role(
    sighting: Sighting, role: tuple[str, str, str], wide: str, wildcards: OrderedDict[tuple[str, str, str], None]
) -> EscalationFinding | None:
    """`wide` says which of its rules have wildcards, empty for none."""
    if not wide:
        wildcards.pop(role, None)
        return None
    if sighting.event.code < 400:
        wildcards[role] = None
        if len(wildcards) > KEPT_ENTRIES:
            wildcards.popitem(last=False)
    return _finding(sighting, Escalation.WILDCARD_ROLE, role[2], (), wide)


def _annotated_binding(event: Event) -> _RbacBody | None:
    """The binding as its annotations describe it; None unless they describe all of it."""
    said = what_changed(event.annotations)
    if "binding" not in said.complete or not said.role:
        return None
    kind, _, name = said.role.partition(" ")
    return _RbacBody(_RoleRef(kind, name), [_Subject(each.kind, each.name, each.namespace) for each in said.subjects])


def _finding(
    sighting: Sighting, kind: Escalation, role: str, subjects: tuple[str, ...], explanation: str
) -> EscalationFinding:
    return EscalationFinding(kind, occurrence(sighting), role, subjects, explanation)


def _rbac_body(event: Event) -> _RbacBody | None:
    """The object after the change if the log has it, else the body of the request."""
    for raw in (event.response_object, event.request_object):
        body = _decode_rbac(raw)
        if body is not None and (body.role_ref is not None or body.rules is not None):
            return body
    return _decode_rbac(event.request_object)


def _decode_rbac(raw: Raw) -> _RbacBody | None:
    if not memoryview(raw).nbytes:
        return None
    try:
        return msgspec.json.decode(raw, type=_RbacBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # A JSON patch is a list of operations, not an object.
        return None


def _why_unknown(event: Event, what: str) -> str:
    if memoryview(event.request_object).nbytes:
        return f"the {event.verb} was recorded, but it does not say {what}; RequestResponse would"
    if "audit.k8s.io/truncated" in event.annotations:
        return f"the event was too large and its body cut off: {what} is not known"
    return f"recorded at {event.level}, without the body: only the change is known, not {what}"


def _rule_text(rule: _RbacRule) -> str:
    groups = ",".join(group or "core" for group in rule.api_groups or [])
    return f"{','.join(rule.verbs or [])} on {','.join(rule.resources or ['non-resource URLs'])} of {groups or '-'}"
