"""What the admission policies of `annotations/` wrote into an event: the one place that knows how their keys look."""

from __future__ import annotations

import re
from collections.abc import Mapping

_KEY = re.compile(r"audit-annotations-(?P<entry>[a-z0-9-]+)(\.static\.k8s\.io)?/(?P<key>[A-Za-z]+)")
_SENTINEL = "complete"

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
"""What is said of an annotation; "" for one that people need not read."""

OWNERS = ("deleted", "owners")


def facts_of(annotations: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """The values by entry and key, in the order of the event."""
    found = {}
    for name, value in annotations.items():
        match = _KEY.fullmatch(name)
        if match and match["key"] != _SENTINEL:
            found[match["entry"], match["key"]] = value
    return found


def is_annotated(annotations: Mapping[str, str]) -> bool:
    """Whether such a policy looked at the request, even if it had nothing to say."""
    return any(_KEY.fullmatch(name) for name in annotations)


def sentences(facts: Mapping[tuple[str, str], str]) -> tuple[str, ...]:
    """What the annotations say, one part each. What an update changed comes before what the object is."""
    said = [key for key in facts if key[0] != "workload"]
    if any(entry == "workload-change" and key != "changed" for entry, key in said):
        said = [key for key in said if key != ("workload-change", "changed")]
    said += [key for key in facts if key[0] == "workload" and ("workload-change", key[1]) not in facts]
    texts = (_WORDS.get(key, f"{key[0]} {key[1]}: {{}}").format(facts[key]) for key in said)
    return tuple(filter(None, texts))
