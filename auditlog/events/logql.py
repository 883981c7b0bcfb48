"""The audit log in Loki, and pieces of LogQL over it.

Labels are job, cluster and node (docs/design.md, "Few labels"). The line is the event's JSON. Structured metadata holds
verb, user, groups, sourceIP, resource, apiGroup, subresource, namespace, name, code, level, stage, decision, auditID
and userAgent. A field that an event lacks is missing there, and LogQL compares it as "".
"""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.annotations.model import POLICY_PREFIX, STATIC_SUFFIX

JOB = "kubernetes-audit"
"""The label `job` of every stream, which finds this log among others."""


def streams(*labels: str) -> str:
    """The selector of the log's streams with these labels too, each as in ``cluster="prod"``."""
    return "{" + ", ".join([f'job="{JOB}"', *labels]) + "}"


SELECTOR = streams()

READS = 'verb=~"get|list|watch"'
WRITES = 'verb=~"create|update|patch|delete|deletecollection"'
DELETIONS = 'verb=~"delete|deletecollection"'
REFUSED = 'code=~"401|403"'
SUCCEEDED = 'code=~"[123].."'
ANONYMOUS = 'user="" or user="system:anonymous" or groups=~".*system:unauthenticated.*"'
"""No identity. The user name is empty when authentication failed; Loki's `=~"|x"` does not match the empty text."""
PERSON = 'user!="" | user!~"system:.*"'
"""A user whose name does not begin with `system:` counts as a person or an outside program."""
SECRETS = 'resource="secrets" | apiGroup=""'
POD_SESSIONS = (
    '(resource="pods" and subresource=~"exec|attach|portforward|proxy|ephemeralcontainers")'
    ' or (resource="nodes" and subresource="proxy")'
)
"""Ways into a running pod or a kubelet, whatever the verb: kubectl execs over a WebSocket, which is a `get`."""
RBAC = 'apiGroup="rbac.authorization.k8s.io"'
ADMISSION = 'apiGroup="admissionregistration.k8s.io"'
CREDENTIAL_REQUESTS = 'verb="create" | resource="serviceaccounts" | subresource="token"'
NOT_FOR_A_NODE = 'user!~"system:node:.*"'
"""Every kubelet asks for the tokens of its pods all day."""

HAS_IMPERSONATION = '|= `"impersonatedUser":{`'
HAS_DEPRECATION = "|= `k8s.io/deprecated`"
HAS_DEPRECATION_TRUE = '|= `"k8s.io/deprecated":"true"`'
HAS_SLOW_LATENCY = "|= `apiserver.latency.k8s.io/total`"
"""The API server adds this annotation to requests that took longer than half a second."""

WITH_IMPERSONATED_USER = '| json impersonated="impersonatedUser.username"'
WITH_DEPRECATION = '| json removedIn="annotations[\\"k8s.io/removed-release\\"]", version="objectRef.apiVersion"'
WITH_LATENCY = '| json latency="annotations[\\"apiserver.latency.k8s.io/total\\"]"'


def annotation_paths(name: str, entry: str, key: str) -> str:
    """Two fields of a `json` stage that hold one annotation.

    ``NAME`` is for a policy that is an object of the cluster, ``static_NAME`` for a policy from a file of the node.
    """
    api, static = (f'annotations[\\"{POLICY_PREFIX}{entry}{suffix}/{key}\\"]' for suffix in ("", STATIC_SUFFIX))
    return f'{name}="{api}", {STATIC}{name}="{static}"'


def read_from_either(asked: Mapping[str, tuple[str, str]]) -> tuple[str, str]:
    """The stages that read annotations into fields of these names, each by entry and key, from objects or files.

    If the first comes from a file, all are read from files. Whoever may write admission policies can put anything into
    the others.
    """
    paths = ", ".join(annotation_paths(name, entry, key) for name, (entry, key) in asked.items())
    first = next(iter(asked))
    formats = ", ".join(
        f"{name}=`{{{{ if .{STATIC}{first} }}}}{{{{ .{STATIC}{name} }}}}{{{{ else }}}}{{{{ .{name} }}}}{{{{ end }}}}`"
        for name in asked
    )
    return f"json {paths}", f"label_format {formats}"


STATIC = "static_"
"""How the name of a field begins that holds an annotation from a file."""
WITH_ROLE = (
    '| json boundRole="responseObject.roleRef.name", requestedRole="requestObject.roleRef.name",'
    ' sentSubjects="requestObject.subjects", rules="requestObject.rules",'
    f" {annotation_paths('saidRole', 'binding', 'role')}, {annotation_paths('saidSubjects', 'binding', 'subjects')}"
    " | label_format role=`{{ or .boundRole .requestedRole"
    f' (or .{STATIC}saidRole .saidRole | trimPrefix "Cluster" | trimPrefix "Role ") }}}}`,'
    f" subjects=`{{{{ or .{STATIC}saidSubjects .saidSubjects .sentSubjects }}}}`"
    f" | drop saidRole, saidSubjects, sentSubjects, {STATIC}saidRole, {STATIC}saidSubjects"
)
"""The role and the subjects of a binding, from a body that the policy keeps or from annotations; else empty."""

_CHANGES = {
    "keys": ("configmap/changed", "secret/changed"),
    "added": ("workload-change/added",),
    "images": ("workload-change/images",),
    "replicas": ("workload-change/replicas", "scale/replicas"),
    "account": ("workload-change/serviceAccount",),
    "type": ("service/type",),
    "podSecurity": ("namespace/podSecurity",),
    "role": ("binding/role",),
    "subjects": ("binding/subjects",),
    "wildcards": ("role/wildcards",),
    "privileged": ("workload/privileged",),
    "ran": ("session/command",),
    "uid": ("deleted/uid",),
}
"""What a table shows of a change, and the annotations that hold it."""
_SAID = {f"said{number}": key for number, key in enumerate(key for keys in _CHANGES.values() for key in keys)}


def _shown(what: str, keys: tuple[str, ...]) -> str:
    names = [name for name, key in _SAID.items() if key in keys]
    return "".join(
        f"{{{{ with or .{STATIC}{name} .{name} }}}}{'' if what == 'keys' else what + ' '}{{{{ . }}}} {{{{ end }}}}"
        for name in names
    )


_EACH_SAID = ", ".join(annotation_paths(name, *key.split("/")) for name, key in _SAID.items())
WITH_CHANGES = (
    f"| json {_EACH_SAID} | label_format changed=`{''.join(_shown(what, keys) for what, keys in _CHANGES.items())}`"
    f" | drop {', '.join([*_SAID, *(f'{STATIC}{name}' for name in _SAID)])}"
)
"""What changed, by annotations, in the field `changed`. `auditlog.annotations.what_changed` reads more of them."""

ADMIN_ROLE = 'role="cluster-admin"'


def pipeline(selector: str, *stages: str) -> str:
    """A log query. A stage that begins with `|` or `!` is used unchanged; any other is a filter on fields."""
    return " ".join([selector, *(stage if stage.startswith(("|", "!")) else f"| {stage}" for stage in stages)])


def count(by: str, query: str, window: str, offset: str = "") -> str:
    """How many events a log query has in a window, by the named fields (comma-separated, "" for one number).

    With an offset, the window is the one that ended that long ago.

    The query is always a sum, because only into a sum does Loki push the grouping down. Otherwise every combination of
    structured metadata is its own series and soon exceeds max_query_series (500).
    """
    earlier = f" offset {offset}" if offset else ""
    return _sum(by, f"count_over_time({query} [{window}]{earlier})")


def requests(by: str, query: str, window: str) -> str:
    """How many requests a log query has in a window, by the named fields: each once, as soon as it has an event.

    A request has an event at one stage or at two:

    - Failed authentication: ResponseStarted alone (apiserver, endpoints/filters/authn_audit.go).
    - Most requests: ResponseComplete alone.
    - A watch or a session: ResponseStarted while it is open, both once it has ended.

    So per combination of fields the stage with the most events counts.
    """
    by_stage = count(", ".join(part for part in (by, "stage") if part), f'{query} | stage!="RequestReceived"', window)
    return f"max by ({by}) ({by_stage})" if by else f"max({by_stage})"


def rate(by: str, query: str, window: str) -> str:
    """Events per second, like `count`."""
    return _sum(by, f"rate({query} [{window}])")


def size(by: str, query: str, window: str) -> str:
    """Bytes of lines in a window, like `count`."""
    return _sum(by, f"bytes_over_time({query} [{window}])")


def size_rate(by: str, query: str, window: str) -> str:
    """Bytes of lines per second, like `count`."""
    return _sum(by, f"bytes_rate({query} [{window}])")


def _sum(by: str, expression: str) -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"
