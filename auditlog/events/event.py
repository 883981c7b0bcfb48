"""One recorded audit event, and the request that it records.

Field names and meanings: `k8s.io/apiserver/pkg/apis/audit/v1/types.go`. Only the fields that counting and the questions
need are decoded. Everything else in a line is skipped, which makes decoding fast.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from urllib.parse import unquote

from msgspec import Raw, Struct, field

from auditlog.policy.model import Request

LevelName = Literal["None", "Metadata", "Request", "RequestResponse"]
StageName = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]

NO_BODY = Raw()
"""What a body field holds when the event has none."""


class User(Struct, frozen=True, gc=False, rename="camel"):
    """An authenticated identity; the name is empty when authentication failed."""

    username: str = ""
    groups: tuple[str, ...] = ()


class ObjectReference(Struct, frozen=True, gc=False, rename="camel"):
    """What a resource request was about.

    It has the name of a created object too. The request's URL had none: the API server fills it in from the body
    (`pkg/audit/request.go`, LogRequestObject).
    """

    resource: str = ""
    namespace: str = ""
    name: str = ""
    api_group: str = ""
    api_version: str = ""
    subresource: str = ""


class ResponseStatus(Struct, frozen=True, gc=False):
    """The outcome; `code` is the HTTP status, 0 when none was recorded."""

    code: int = 0


class Event(Struct, frozen=True, gc=False, rename="camel"):
    """An audit.k8s.io/v1 Event. `request_object` and `response_object` are the bodies' JSON text, undecoded."""

    level: LevelName
    audit_id: str = field(name="auditID")
    stage: StageName
    stage_timestamp: datetime
    request_received_timestamp: datetime
    request_uri: str = field(name="requestURI", default="")
    verb: str = ""
    user: User = User()
    impersonated_user: User | None = None
    source_ips: tuple[str, ...] = field(name="sourceIPs", default=())
    user_agent: str = ""
    object_ref: ObjectReference | None = None
    response_status: ResponseStatus = ResponseStatus()
    annotations: dict[str, str] = field(default_factory=dict)
    request_object: Raw = NO_BODY
    response_object: Raw = NO_BODY

    @property
    def code(self) -> int:
        """The HTTP status of the response, 0 before there is one."""
        return self.response_status.code


class FullUser(User, frozen=True, gc=False, rename="camel"):
    """An identity with what its authenticator adds: the ID of the credential and, of a bound token, Pod and node."""

    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)


class FullEvent(Event, frozen=True, gc=False, rename="camel"):
    """An event for questions about credentials. It takes a third longer to decode if most users have extra fields."""

    user: FullUser = FullUser()
    impersonated_user: FullUser | None = None


class Sighting(Struct, frozen=True, gc=False):
    """An event, and the node whose API server wrote it."""

    node: str
    event: Event


class Recorded(Sighting, frozen=True, gc=False):
    """A sighting with its line, for questions about the text."""

    line: bytes


def to_request(event: Event) -> Request:
    """The request as the policy evaluator saw it when this event was written.

    - The user is the authenticated one: the policy is evaluated before impersonation (DefaultBuildHandlerChain in
      `k8s.io/apiserver/pkg/server/config.go`). No user name means that authentication failed.
    - A create has a name, and the create of a Namespace a namespace, only if the URL has it. The event's objectRef may
      hold both, from the body.
    - A request without objectRef is not for a resource; its path is the decoded URL without the query.
    """
    user = event.user.username or None
    reference = event.object_ref
    path = request_path(event.request_uri)
    if reference is None:
        return Request(user=user, groups=event.user.groups, verb=event.verb, resource_request=False, path=path)
    names_object = event.verb != "create" or bool(reference.subresource) or _has_object_name(path, reference)
    creates_namespace = not names_object and reference.resource == "namespaces" and not reference.api_group
    return Request(
        user=user,
        groups=event.user.groups,
        verb=event.verb,
        resource_request=True,
        api_group=reference.api_group,
        api_version=reference.api_version,
        resource=reference.resource,
        subresource=reference.subresource,
        namespace="" if creates_namespace else reference.namespace,
        name=reference.name if names_object else "",
        path=path,
    )


def request_path(request_uri: str) -> str:
    """The decoded path of a request URI, as the policy's nonResourceURLs are compared with."""
    return unquote(request_uri.partition("?")[0])


def _has_object_name(path: str, reference: ObjectReference) -> bool:
    return path.rstrip("/").rpartition("/")[2] != reference.resource


def resource_name(reference: ObjectReference | None) -> str:
    """`deployments.apps/scale`, `pods`, or "" for a request that is not about a resource."""
    return "" if reference is None else dotted(reference.resource, reference.api_group, reference.subresource)


def dotted(resource: str, api_group: str, subresource: str) -> str:
    """A resource's name as kubectl writes it, with the subresource after a slash."""
    name = f"{resource}.{api_group}" if api_group else resource
    return f"{name}/{subresource}" if subresource else name
