"""Audit events for trying detections out, written as phrases of `auditlog.policy.phrase`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from auditlog.policy.model import Request
from auditlog.policy.phrase import parse_phrase

ADDRESS = "203.0.113.7"


@dataclass(frozen=True)
class Example:
    """One request as its event, `times` over; `{n}` in `name` and `uri` is a number of its own each time."""

    phrase: str
    code: int = 200
    stage: str = "ResponseComplete"
    name: str = ""
    query: str = ""
    body: Any = None
    answer: Any = None
    agent: str = "kubectl/v1.36.0 (linux/amd64) kubernetes/abcdef0"
    annotations: Mapping[str, str] = field(default_factory=dict)
    impersonated: str = ""
    audit_id: str = ""
    times: int = 1

    @property
    def request(self) -> Request:
        """What an audit policy sees."""
        return parse_phrase(self.phrase)

    @property
    def level(self) -> str:
        """The least level that holds the bodies."""
        if self.answer is not None:
            return "RequestResponse"
        return "Metadata" if self.body is None else "Request"

    def lines(self, seconds: float = 1_800_000_000.0) -> list[tuple[float, str]]:
        """The event's time, in seconds since 1970, and its line, for each time; `seconds` is when the first one was."""
        return [(seconds + number / 1000, self._line(number)) for number in range(self.times)]

    def _line(self, number: int) -> str:
        request = self.request
        name = (self.name or request.name).replace("{n}", str(number))
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": self.level,
            "auditID": self.audit_id or f"00000000-0000-4000-8000-{number:012}",
            "stage": self.stage,
            "requestURI": _path(replace(request, name=name)) + self.query,
            "verb": request.verb,
            "user": {"username": request.user, "groups": list(request.groups)} if request.user else {},
            **({"impersonatedUser": {"username": self.impersonated}} if self.impersonated else {}),
            "sourceIPs": [ADDRESS],
            "userAgent": self.agent,
            **({"objectRef": _reference(request, name)} if request.resource_request else {}),
            "responseStatus": {"metadata": {}, "code": self.code},
            **({"requestObject": self.body} if self.body is not None else {}),
            **({"responseObject": self.answer} if self.answer is not None else {}),
            "requestReceivedTimestamp": "2027-01-15T08:00:00.000000Z",
            "stageTimestamp": "2027-01-15T08:00:00.000000Z",
            "annotations": {
                "authorization.k8s.io/decision": "forbid" if self.code == 403 else "allow",
                **self.annotations,
            },
        }
        # As the API server's encoder writes it: these three characters are escaped.
        text = json.dumps(event, separators=(",", ":"))
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _reference(request: Request, name: str) -> dict[str, str]:
    values = {
        "resource": request.resource,
        "namespace": request.namespace,
        "name": name,
        "apiGroup": request.api_group,
        "apiVersion": request.api_version,
        "subresource": request.subresource,
    }
    return {key: value for key, value in values.items() if value}


def _path(request: Request) -> str:
    if not request.resource_request:
        return request.path
    root = f"/apis/{request.api_group}/{request.api_version}" if request.api_group else f"/api/{request.api_version}"
    parts = [root]
    if request.namespace and request.resource != "namespaces":
        parts += ["namespaces", request.namespace]
    parts.append(request.resource)
    if request.name and (request.verb != "create" or request.subresource):
        parts.append(request.name)
    if request.subresource:
        parts.append(request.subresource)
    return "/".join(parts)
