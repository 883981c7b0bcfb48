"""What a detection is.

A detection says which requests it must see in the terms of an audit policy rule. Its LogQL is made from the same terms
(`auditlog.detections.logql`), so what is asked of the policy and what is asked of Loki cannot drift apart.
Structured metadata and labels are those that the Alloy configuration sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditlog.detections.callers import Callers
from auditlog.policy.model import GroupResources, Level, Stage
from auditlog.units import DAY

WRITES = ("create", "update", "patch")
CHANGES = (*WRITES, "delete", "deletecollection")
READS = ("get", "list", "watch")

COMPLETE = (Stage.RESPONSE_COMPLETE,)
STARTED_OR_COMPLETE = (Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)

RBAC = GroupResources("rbac.authorization.k8s.io", ("roles", "rolebindings", "clusterroles", "clusterrolebindings"))
BINDINGS = GroupResources("rbac.authorization.k8s.io", ("rolebindings", "clusterrolebindings"))
ROLES = GroupResources("rbac.authorization.k8s.io", ("roles", "clusterroles"))
WORKLOADS = (
    GroupResources("", ("pods", "replicationcontrollers")),
    GroupResources("apps", ("deployments", "daemonsets", "statefulsets", "replicasets")),
    GroupResources("batch", ("jobs", "cronjobs")),
)
OBJECTS = (
    GroupResources("", ("configmaps", "namespaces", "pods", "secrets", "serviceaccounts", "services")),
    GroupResources("apps", ("deployments", "daemonsets", "statefulsets")),
    RBAC,
)
"""What a detection that is about every request must see at least: what is worth reading and changing in any cluster."""

STRING = r'([^"\\]|\\.)*'
"""Regular expression for the inside of a JSON string."""
EVENT_START = (
    rf'^\{{"kind":"Event","apiVersion":"{STRING}","level":"{STRING}","auditID":"{STRING}"'
    rf',"stage":"{STRING}","requestURI":"'
)
"""Regular expression for an event up to its URI, in the order in which the API server writes its fields.

Anchored, so that nobody can hide a request by writing something alike into its body. The caller chooses audit ID and
URI, quotes included.
"""
IN_URI = EVENT_START + STRING
NO_DRY_RUN = rf'!~ `{EVENT_START}([^"\\?]|\\.)*\?({STRING}(&|\\u0026))?dryRun=All`'
"""Leaves out dry runs, which change nothing (every Pulumi preview is one). Not for deletions: their options may also be
in the body, which then counts instead of the URI.
"""

SUCCEEDED = "[12].."
"""Response codes of requests that were carried out; 101 is an opened session."""
ANY_CODE = ""


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Now: what happened gives away the cluster, or blinds the audit log."""
    WARNING = "warning"
    """Today: somebody has to say that this was meant."""
    INFO = "info"
    """For the record, and for those who look for a pattern."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that a detection looks for, as in a policy rule: empty means any. `level` is the least it needs."""

    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    level: Level = Level.METADATA


@dataclass(frozen=True, slots=True)
class Annotated:
    """What says the same as a body: the annotation `key` of `entry`, all of which `value` matches (RE2).

    `changed` names the entry that says, by its annotation `changed`, whether an update changed anything. One that did
    not does not count.
    """

    entry: str
    key: str
    value: str = ".+"
    changed: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """A count of audit events over `window` seconds.

    `open` means that every request of the callers counts, and that `requests` are those it must at least see.
    `stages` are those that may be counted; one of them is enough. `lines` are LogQL line filters on the event's JSON,
    `fields` more stages of the query, `codes` a regular expression for the answer's code. `by` names the metadata that
    tells one alert from another; `distinct` counts the different values of a field instead of events.
    """

    requests: tuple[Requests, ...]
    callers: Callers
    by: tuple[str, ...]
    open: bool = False
    stages: tuple[Stage, ...] = COMPLETE
    codes: str = SUCCEEDED
    lines: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    distinct: str = ""
    window: int = 300
    unseen: tuple[str, ...] = ()
    """Forms of the request that no policy makes visible, in words."""
    annotated: Annotated | None = None
    """The annotation that tells the same at Metadata; None where no body is looked at."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No event of a node at all over the threshold, which is in seconds."""


@dataclass(frozen=True, slots=True)
class Unannotated:
    """A count of writes over `window` seconds that lack the sentinel of an entry which annotates them.

    It leaves out the first moments after a change of our policies, for which there is another alert.
    """

    by: tuple[str, ...]
    window: int = 300


@dataclass(frozen=True, slots=True)
class Volume:
    """The bytes of a node's events over `window` seconds, as a multiple of what the stack's budget has for them.

    No rule without a budget.
    """

    window: int = DAY


@dataclass(frozen=True, slots=True)
class Metrics:
    """A PromQL expression that is compared with the threshold.

    `$apiServer`, `$nodeExporter`, `$alloy` and `$loki` in it stand for the selectors of those jobs, `$logFolders` for
    a regular expression of the folders above the log. `exported_by` names what must be scraped, for people.
    """

    expression: str
    exported_by: str
    comparison: str = ">"


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing worth an alert.

    `threshold` is what the value must exceed (for `Metrics` with another comparison: be compared with), `hold` the
    seconds for which it must do so. `summary` may use `{{ $labels.NAME }}` with the names of `Events.by`.
    """

    id: str
    title: str
    severity: Severity
    source: Events | Silence | Unannotated | Volume | Metrics
    summary: str
    meaning: str
    false_positives: str
    threshold: float = 0
    hold: int = 0

    @property
    def alert(self) -> str:
        """The alert's name, as Prometheus names are written: KubernetesAuditSecretSweep."""
        words = self.id.removeprefix("audit-").split("-")
        return "KubernetesAudit" + "".join(word.capitalize() for word in words)

    @property
    def runbook(self) -> str:
        """The runbook's path in the repository."""
        return f"docs/runbooks/{self.id}.md"
