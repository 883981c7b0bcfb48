"""The configuration of Grafana Alloy that brings audit events from a node to Loki.

It is text in the language of Alloy, laid out as ``alloy fmt`` does, and means the same to Alloy 1.0 and to later ones.

What decides its shape:

- An event's time is its ``stageTimestamp``, the moment at which the line was made. ``requestReceivedTimestamp`` of a
  watch or an ``exec`` is hours older than the line, and Loki refuses what is more than an hour older than the newest
  entry of its stream. It also differs between the stages of one request.
- With the event's own time, equal labels and equal text, Loki shows an entry that was sent twice once (loki v3.7.8,
  pkg/iter mergeEntryIterator). So there is no ``filename`` label, and what may have been lost can be sent again. Metric
  queries may count it twice, so that is done as little as possible. Where Loki divides a busy stream into several
  (``limits_config.shard_streams.enabled``, on by default), log queries show it twice as well.
- The files on the node are the buffer: Alloy never gives a batch up while Loki is away, and reads on when it is back.
  Alloy's own write-ahead log is left off. It marks the segment it is writing as done whenever all of it is sent, starts
  behind it after a crash, and so loses what came in between (alloy v1.0.0, marker_handler.go), while the place in the
  log files has moved on.
- Alloy keeps its place in a file by name, so a rotation while it is away loses the rest of the old file. At each start
  it therefore reads the rotated files that it finds, from their beginning, and sends events of the last
  ``catch_up_minutes`` again. Their positions are tied to a value that is new at each start, so that what a killed Alloy
  had read but not delivered is read again. Files that rotate while it runs it reads to their end before the next.
- Two things in the files that are still written to would not be read again: what a killed Alloy had read before its
  last note of its place and not delivered, at most a batch of 1 MiB; and, where the log is rotated while Alloy is away,
  the beginning of the new file, as far as Alloy had come in the old one of that name (it keeps the place also when the
  file is shorter: alloy v1.0.0, loki/source/file/tailer.go, newTailer). An Alloy of the stack's own has
  ``alloy_places.sh`` run before it, which forgets such a place, and lays what may wait in a batch at ``READ_AGAIN``.

What is not covered: a file that was rotated longer than ``catch_up_minutes`` before Alloy came back, or that the API
server has deleted by then (``maxBackup``, ``maxAge``); of a Loki that is away while the log rotates more than once, the
files between the first and the last, unless Alloy starts again within ``catch_up_minutes``; and a batch that waited for
Loki longer than ``catch_up_minutes`` when its Alloy ended. An Alloy that takes a snippet has no such script: it leaves
out those two things as well, until it starts again after their file was rotated, within ``catch_up_minutes``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from auditlog.observe.source import Source
from auditlog.settings.shipping import AlloySettings, LokiSettings

JOB = "kubernetes-audit"
NODE_VARIABLE = "NODE_NAME"
"""The environment variable of the Alloy process that names its node."""

OWN_RECEIVER = "loki.write.audit.receiver"
CREDENTIALS_FOLDER = "/etc/alloy-loki"
PASSWORD_FILE = f"{CREDENTIALS_FOLDER}/password"
CERTIFICATE_AUTHORITY_FILE = f"{CREDENTIALS_FOLDER}/ca.crt"

STORAGE = "/var/lib/kubernetes-audit-alloy"
"""The folder on each node in which an Alloy of the stack's own keeps its place in the log files."""
READ_AGAIN = f"{STORAGE}/read-again.log"
"""Where ``alloy_places.sh`` lays what is to be read once more."""

STRUCTURED_METADATA = {
    "verb": "verb",
    "user": "user.username",
    "groups": "user.groups",
    "sourceIP": "sourceIPs[0]",
    "apiGroup": "objectRef.apiGroup",
    "resource": "objectRef.resource",
    "subresource": "objectRef.subresource",
    "namespace": "objectRef.namespace",
    "name": "objectRef.name",
    "code": "responseStatus.code",
    "level": "level",
    "stage": "stage",
    "decision": 'annotations."authorization.k8s.io/decision"',
    "auditID": "auditID",
    "userAgent": "userAgent",
}
"""Where each field lies in an event, as JMESPath. The names are those that queries, dashboards and rules use."""

_LABELS = ("job", "cluster", "node")
_TIME = "stageTimestamp"
_NEVER = "87600h"
_EVENT = r'"^\\{\"kind\":\"Event\",\"apiVersion\":\"audit\\.k8s\\.io/"'
"""How an event begins, as a string in double quotes: the selectors of Alloy 1.0 know no other."""


def places_script() -> str:
    """What starts an Alloy of the stack's own.

    It is run with ``STORAGE``, ``catch_up_minutes`` and Alloy's command, which it becomes.
    """
    return Path(__file__).with_name("alloy_places.sh").read_text()


def alloy_configuration(cluster: str, source: Source, alloy: AlloySettings, loki: LokiSettings) -> str:
    """The whole configuration of an Alloy of the stack's own. Basic authentication and TLS come from files."""
    with_more = replace(source, rotated=(*source.rotated, READ_AGAIN))
    return "\n".join((_pipeline(cluster, with_more, alloy, OWN_RECEIVER), _write(loki)))


def alloy_snippet(cluster: str, source: Source, alloy: AlloySettings, loki: LokiSettings | None) -> str:
    """What an Alloy that is there already has to be given: the same pipeline, into its own ``loki.write`` or a new one.

    That Alloy needs ``NODE_NAME`` in its environment, the files of ``source``, and storage that outlives it.
    """
    pipeline = _pipeline(cluster, source, alloy, alloy.forward_to or OWN_RECEIVER)
    return pipeline if loki is None or alloy.forward_to is not None else f"{pipeline}\n{_write(loki)}"


def _pipeline(cluster: str, source: Source, alloy: AlloySettings, receiver: str) -> str:
    live = "loki.process.audit_container_log" if source.container_format else "loki.process.audit"
    parts = [
        f"// Audit events of the API servers of cluster {cluster}, from each control-plane node to Loki.\n",
        _files("audit", source.live, live),
        "// Read once: a value that no earlier start has seen, so that positions in rotated files do not outlive one.",
        _block(
            "local.file",
            "audit_start",
            filename=_text("/proc/sys/kernel/random/uuid"),
            detector=_text("poll"),
            poll_frequency=_text(_NEVER),
        ),
        "// The rotated files that are there at the start, listed once.",
        _files("audit_rotated", source.rotated, "loki.process.audit_catch_up", catch_up=True),
        _files("audit_compressed", source.compressed, "loki.process.audit_catch_up", catch_up=True, compressed=True),
    ]
    if source.container_format:
        parts.append(_container_log())
    parts += [_catch_up(source, alloy.catch_up_minutes), _events(cluster, receiver)]
    return "\n".join(parts)


def _files(
    name: str, patterns: Sequence[str], receiver: str, *, catch_up: bool = False, compressed: bool = False
) -> str:
    start = ", start = local.file.audit_start.content" if catch_up else ""
    once = f"\tsync_period = {_text(_NEVER)}\n" if catch_up else ""
    targets = "".join(f"\t\t{{__path__ = {_text(pattern)}{start}}},\n" for pattern in patterns)
    decompression = (
        "\n\tdecompression {\n"
        + _attributes({"enabled": "true", "initial_delay": _text("10s"), "format": _text("gz")}, depth=2)
        + "\t}\n"
        if compressed
        else ""
    )
    return (
        f'local.file_match "{name}" {{\n\tpath_targets = [\n{targets}\t]\n{once}}}\n\n'
        f'loki.source.file "{name}" {{\n'
        + _attributes({"targets": f"local.file_match.{name}.targets", "forward_to": f"[{receiver}.receiver]"})
        + f"{decompression}}}\n"
    )


def _container_log() -> str:
    return (
        "// Puts long lines together and leaves out what the API server says besides events.\n"
        'loki.process "audit_container_log" {\n'
        "\tforward_to = [loki.process.audit.receiver]\n\n\tstage.cri { }\n}\n"
    )


def _catch_up(source: Source, minutes: int) -> str:
    cri = "\tstage.cri { }\n\n" if source.container_format else ""
    return (
        "// Of rotated files only what is recent, since most of it has been sent before.\n"
        'loki.process "audit_catch_up" {\n'
        f"\tforward_to = [loki.process.audit.receiver]\n\n{cri}"
        f"{_only_events()}\n"
        "\tstage.regex {\n"
        f'\t\texpression = `.*"{_TIME}":"(?P<{_TIME}>[^"]+)"`\n'
        "\t}\n\n"
        f"{_timestamp()}\n"
        "\tstage.drop {\n"
        + _attributes({"older_than": _text(f"{minutes}m"), "drop_counter_reason": _text("audit_old")}, depth=2)
        + "\t}\n}\n"
    )


def _events(cluster: str, receiver: str) -> str:
    fields = {name: _text(path) for name, path in STRUCTURED_METADATA.items()} | {_TIME: _text(_TIME)}
    labels = {"job": _text(JOB), "cluster": _text(cluster), "node": f'env("{NODE_VARIABLE}")'}
    return (
        "// Labels are few; every other field is structured metadata.\n"
        'loki.process "audit" {\n'
        f"\tforward_to = [{receiver}]\n\n"
        f"{_only_events()}\n"
        "\tstage.json {\n"
        f"{_map('expressions', fields)}"
        "\t\tdrop_malformed = true\n"
        "\t}\n\n"
        f"{_timestamp()}\n"
        "\tstage.structured_metadata {\n"
        f"{_map('values', {name: _text(name) for name in STRUCTURED_METADATA})}"
        "\t}\n\n"
        "\tstage.static_labels {\n"
        f"{_map('values', labels)}"
        "\t}\n\n"
        "\tstage.label_keep {\n"
        f"\t\tvalues = [{', '.join(map(_text, _LABELS))}]\n"
        "\t}\n"
        "}\n"
    )


def _only_events() -> str:
    return (
        "\tstage.match {\n"
        + _attributes(
            {
                "selector": f'`{{filename=~".+"}} !~ {_EVENT}`',
                "action": _text("drop"),
                "drop_counter_reason": _text("audit_no_event"),
            },
            depth=2,
        )
        + "\t}\n"
    )


def _timestamp() -> str:
    return (
        "\tstage.timestamp {\n"
        + _attributes({"source": _text(_TIME), "format": _text("RFC3339Nano")}, depth=2)
        + "\t}\n"
    )


def _write(loki: LokiSettings) -> str:
    attributes = {"url": _text(loki.push_url)}
    if loki.tenant is not None:
        attributes["tenant_id"] = _text(loki.tenant)
    # 0 is no limit: nothing is given up while Loki is away. The longest wait bounds the delay after it is back.
    attributes |= {"max_backoff_retries": "0", "max_backoff_period": _text("10s")}
    blocks = ""
    if loki.username is not None:
        basic = {"username": _text(loki.username), "password_file": _text(PASSWORD_FILE)}
        blocks += "\n\t\tbasic_auth {\n" + _attributes(basic, depth=3) + "\t\t}\n"
    if loki.certificate_authority is not None:
        blocks += (
            "\n\t\ttls_config {\n" + _attributes({"ca_file": _text(CERTIFICATE_AUTHORITY_FILE)}, depth=3) + "\t\t}\n"
        )
    return 'loki.write "audit" {\n\tendpoint {\n' + _attributes(attributes, depth=2) + f"{blocks}\t}}\n}}\n"


def _block(kind: str, name: str, **attributes: str) -> str:
    return f'{kind} "{name}" {{\n{_attributes(attributes)}}}\n'


def _attributes(values: Mapping[str, str], depth: int = 1) -> str:
    """One line for each attribute, with the equals signs in one column as ``alloy fmt`` puts them."""
    width = max(map(len, values))
    indent = "\t" * depth
    return "".join(f"{indent}{name:<{width}} = {value}\n" for name, value in values.items())


def _map(name: str, values: Mapping[str, str]) -> str:
    width = max(map(len, values))
    entries = "".join(f"\t\t\t{key:<{width}} = {value},\n" for key, value in values.items())
    return f"\t\t{name} = {{\n{entries}\t\t}}\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
