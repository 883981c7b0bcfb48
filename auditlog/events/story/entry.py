"""One line of a story: a request, or several that were alike, as exact data and as a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditlog.events.event import Event, Sighting, resource_name
from auditlog.events.layout import when
from auditlog.events.questions.secret_access import Identity, identity
from auditlog.events.story.change import Change, Source, body_name
from auditlog.events.story.credential import NODE, POD, credential_of, extra, issued_by
from auditlog.events.story.family import Relation


@dataclass(frozen=True, slots=True)
class Entry:
    """A request. `code` is the HTTP status, 0 if there is none. `refused` is what `is_refused` says."""

    time: datetime
    last: datetime
    """When the last request of this line was received."""
    count: int
    node: str
    caller: Identity
    user: str
    impersonated: str
    """As whom the user acted; "" for nobody else."""
    credential: str
    """The ID of the credential; "" if the event has none."""
    pod: str
    """The Pod that the caller's token is bound to."""
    caller_node: str
    """The node that the caller's token is bound to."""
    source_ips: tuple[str, ...]
    user_agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    refused: bool
    relation: Relation
    """How the object is related to the one that was asked for."""
    changes: tuple[str, ...]
    changes_from: Source
    issued: str
    """The ID of the token that the request issued."""
    path: str
    level: str
    stage: str
    audit_id: str
    sentence: str = ""
    """The same as a sentence for people."""


def entry(sighting: Sighting, change: Change, relation: Relation = Relation.NONE) -> Entry:
    """The entry of one request, still without its sentence."""
    event = sighting.event
    reference = event.object_ref
    return Entry(
        time=event.request_received_timestamp,
        last=event.request_received_timestamp,
        count=1,
        node=sighting.node,
        caller=identity(event.user.username),
        user=event.user.username,
        impersonated=event.impersonated_user.username if event.impersonated_user else "",
        credential=credential_of(event),
        pod=extra(event, POD),
        caller_node=extra(event, NODE),
        source_ips=event.source_ips,
        user_agent=event.user_agent,
        verb=event.verb,
        resource=resource_name(reference),
        namespace=reference.namespace if reference else "",
        name=(reference.name or body_name(event)) if reference else "",
        code=event.code,
        refused=is_refused(event),
        relation=relation,
        changes=change.parts,
        changes_from=change.source,
        issued=issued_by(event),
        path=event.request_uri,
        level=event.level,
        stage=event.stage,
        audit_id=event.audit_id,
    )


def is_refused(event: Event) -> bool:
    """Whether authentication or authorization refused the request."""
    return event.code == 401 or event.annotations.get("authorization.k8s.io/decision") == "forbid"


def alike(first: Entry, second: Entry) -> bool:
    """Whether two requests are one line: the same caller did the same thing with the same result."""
    return _likeness(first) == _likeness(second)


def _likeness(each: Entry) -> tuple[object, ...]:
    target = (each.resource, each.namespace, each.name, "" if each.resource else each.path)
    who = (each.user, each.impersonated, each.credential, each.source_ips, each.user_agent)
    return (*who, each.verb, *target, each.code, each.changes, each.changes_from, each.issued)


# Past tense, and what follows "tried to".
_VERBS = {
    "get": ("read", "read"),
    "list": ("listed", "list"),
    "watch": ("watched", "watch"),
    "create": ("created", "create"),
    "update": ("changed", "change"),
    "patch": ("changed", "change"),
    "delete": ("deleted", "delete"),
    "deletecollection": ("deleted every one of", "delete every one of"),
}
_SUBRESOURCES = {
    "exec": ("ran a command in", "run a command in"),
    "attach": ("attached to", "attach to"),
    "portforward": ("forwarded ports of", "forward ports of"),
    "proxy": ("sent a request through", "send a request through"),
    "log": ("read the logs of", "read the logs of"),
    "eviction": ("evicted", "evict"),
    "binding": ("placed on a node", "place on a node"),
    "token": ("issued a token for", "issue a token for"),
    "ephemeralcontainers": ("added a debug container to", "add a debug container to"),
    "approval": ("decided on", "decide on"),
}
_READS = frozenset({"get", "list", "watch"})
_ENDS_AS = {
    401: "was not known",
    403: "was refused",
    404: "it was not there",
    409: "it conflicted",
    422: "it was not valid",
}


def sentence(each: Entry) -> str:
    """The entry in one sentence, without its time and a full stop."""
    past, infinitive = _action(each)
    target = _target(each)
    if each.code >= 400 or each.refused:
        ending = _ENDS_AS.get(each.code, "it failed")
        did = f"tried to {infinitive} {target}: {ending} ({each.code})"
    elif each.code == 0 and each.stage == "RequestReceived":
        did = f"asked to {infinitive} {target}; the log does not have how it ended"
    else:
        did = f"{past} {target}{_changed(each)}"
    again = f", {each.count} times until {when(each.last)}" if each.count > 1 else ""
    return f"{_who(each)} {did}{again}{_whence(each)}"


def _action(each: Entry) -> tuple[str, str]:
    subresource = each.resource.partition("/")[2]
    if subresource == "scale":
        return ("read the scale of", "read the scale of") if each.verb in _READS else ("scaled", "scale")
    if subresource == "status" and each.verb not in _READS:
        return "updated the status of", "update the status of"
    if subresource in _SUBRESOURCES:
        return _SUBRESOURCES[subresource]
    return _VERBS.get(each.verb, (f"sent {each.verb} to", f"send {each.verb} to"))


def _who(each: Entry) -> str:
    name = each.user or "somebody who was not authenticated"
    return f"{name}, acting as {each.impersonated}," if each.impersonated else name


def _target(each: Entry) -> str:
    if not each.resource:
        return each.path
    resource = each.resource.partition("/")[0]
    name = f" {each.name}" if each.name else ""
    where = f" in {each.namespace}" if each.namespace and resource != "namespaces" else ""
    if not each.namespace and each.verb in ("list", "watch") and not each.name:
        where = " of the whole cluster"
    return f"{resource}{name}{where}"


def _changed(each: Entry) -> str:
    if each.issued:
        return f": {each.issued}"
    if each.changes:
        return f": {', '.join(each.changes)}"
    if each.changes_from is Source.NOT_RECORDED:
        what = "what was done there" if each.resource.partition("/")[2] else "what changed"
        return f"; {what} is not recorded"
    return ""


def _whence(each: Entry) -> str:
    program = each.user_agent.partition(" ")[0].partition("/")[0]
    if each.caller in (Identity.CONTROL_PLANE, Identity.NODE):
        return ""
    origin = f" from {each.source_ips[0]}" if each.source_ips else ""
    pod = f" (Pod {each.pod})" if each.pod else ""
    return f",{origin}{f' with {program}' if program else ''}{pod}" if origin or program else pod


def reads(event: Event) -> bool:
    """Whether a request changes nothing: it reads, and opens no session into a Pod or through a proxy."""
    subresource = event.object_ref.subresource if event.object_ref else ""
    return event.verb in (*_READS, "head", "options") and subresource not in ("exec", "attach", "portforward", "proxy")
