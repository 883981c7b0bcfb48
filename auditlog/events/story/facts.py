"""What the admission policies of `annotations/` wrote into an event, in the words of a story."""

from __future__ import annotations

from collections.abc import Mapping

from auditlog.annotations.model import SENTINEL
from auditlog.annotations.what_changed import written

_WORDS: Mapping[tuple[str, str], str] = {
    ("workload-change", "images"): "image {}",
    ("workload-change", "replicas"): "replicas {}",
    ("workload-change", "serviceAccount"): "service account {}",
    ("workload-change", "changed"): "{}",
    ("workload", "privileged"): "privileged {}",
    ("workload", "hostNamespaces"): "shares {} of the node",
    ("workload", "hostPath"): "mounts {} of the node",
    ("workload", "capabilities"): "adds capabilities {}",
    ("workload", "serviceAccount"): "runs as service account {}",
    ("scale", "replicas"): "replicas {}",
    ("configmap", "changed"): "{}",
    ("secret", "changed"): "{}",
    ("binding", "role"): "gives {}",
    ("binding", "subjects"): "to {}",
    ("role", "wildcards"): "grants every one of {}",
    ("role", "escalating"): "grants {}",
    ("role", "sensitive"): "grants access to {}",
    ("session", "command"): "command {}",
    ("session", "container"): "container {}",
    ("session", "ports"): "ports {}",
    ("namespace", "podSecurity"): "pod security {}",
    ("deleted", "owners"): "belonged to {}",
    ("deleted", "labels"): "had labels {}",
    ("deleted", "uid"): "",
    ("deleted", "collection"): "",
}
"""How a story puts an annotation; "" for one that people need not read."""

OWNERS = ("deleted", "owners")


def facts_of(annotations: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The values by entry and key, in the order of the event."""
    return {(entry, key): value for entry, key, value in written(annotations) if key != SENTINEL}


def is_annotated(annotations: Mapping[str, str]) -> bool:
    """Whether such a policy looked at the request, even if it had nothing to say."""
    return any(written(annotations))


def sentences(facts: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """What the annotations say, one part each. What an update changed comes before what the object is."""
    said = [key for key in facts if key[0] != "workload"]
    if any(entry == "workload-change" and key != "changed" for entry, key in said):
        said = [key for key in said if key != ("workload-change", "changed")]
    said += [key for key in facts if key[0] == "workload" and ("workload-change", key[1]) not in facts]
    texts = (_WORDS.get(key, f"{key[0]} {key[1]}: {{}}").format(facts[key]) for key in said)
    return tuple(filter(None, texts))
