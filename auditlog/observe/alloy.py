"""The configuration of Grafana Alloy that brings audit events from a node to Loki.

It is text in Alloy's language, formatted like the output of ``alloy fmt``, for Alloy 1.18 and later.

The reasons for its components:

- ``otelcol.receiver.filelog`` knows a file by its first bytes. An event is unique from its first 150 bytes on. Any
  number of rotations and compressions while Loki is away changes nothing: filelog reads every matching file from where
  it was. ``loki.source.file`` knows a file by its name and loses what is rotated while it waits
  (https://github.com/grafana/loki/issues/14462).
- An event's time is its ``stageTimestamp``, the moment at which the line was made. It differs between the
  stages of one request. ``requestReceivedTimestamp`` of a watch or an ``exec`` is hours older than the line. Loki
  refuses entries that are more than an hour older than the newest entry of their stream.
- With the event's own time, equal labels and equal text, Loki shows a re-sent entry once (loki v3.7.8, pkg/iter
  mergeEntryIterator). So there is no ``filename`` label, and what may have been lost can be re-sent. Metric queries may
  count it twice, so as little as possible is re-sent. Log queries show it twice as well where Loki divides a busy
  stream into several (``limits_config.shard_streams.enabled``, on by default).
- The files on the node are the buffer. Alloy never gives up a batch while Loki is away, and reads on when it is back.
- The place in a file moves on when an event has been handed to ``loki.write``, which acknowledges nothing. What waits
  there is lost when Alloy is killed: 10 MiB at most, because then filelog waits too. The stack's own Alloy is started
  by ``alloy_run.sh``. The script learns from Alloy's counters what has arrived, and has the rest read again at each
  start.
- Loki's OTLP endpoint would allow a queue that is acknowledged on disk. But it makes labels only of attributes that
  Loki's own configuration names. ``{job="kubernetes-audit"}`` would not work on a Loki with its default configuration.
  So Alloy uses Loki's push API.

Your own Alloy with the snippet has no such script:

- A kill loses what waited in ``loki.write``: about a second of events, or 10 MiB while Loki is away.
- An orderly stop while Loki is away loses the same.
- An orderly stop at another time can lose the event that is just being handed on, because Alloy 1.18 stops all
  components at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from auditlog.detections.shipping_delay import BYTES_METRIC, EVENTS_METRIC, NEWEST_METRIC, PREFIX
from auditlog.events.logql import JOB
from auditlog.observe.source import Source
from auditlog.settings.shipping import AlloySettings, LokiSettings

NODE_VARIABLE = "NODE_NAME"
"""The environment variable of the Alloy process that names its node."""

OWN_RECEIVER = "loki.write.audit.receiver"
CREDENTIALS_FOLDER = "/etc/alloy-loki"
PASSWORD_FILE = f"{CREDENTIALS_FOLDER}/password"
CERTIFICATE_AUTHORITY_FILE = f"{CREDENTIALS_FOLDER}/ca.crt"

STORAGE = "/var/lib/kubernetes-audit-alloy"
"""The folder on each node in which the stack's own Alloy keeps its places in the log files."""
SINCE_VARIABLE = "AUDIT_SINCE"
"""The environment variable with the ``stageTimestamp`` of the oldest event to send. Default: all are sent."""
LONGEST_EVENT = "16MiB"
"""filelog cuts longer lines. An event holds a request and a response; etcd takes 1.5 MiB of each by default."""

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
"""Where each field is in an event, as JMESPath. Queries, dashboards and rules use these names."""

_LABELS = ("job", "cluster", "node")
_COUNTED_BY = ("level", "verb")
_TIME = "stageTimestamp"
_EVENT = r'"^\\{\"kind\":\"Event\",\"apiVersion\":\"audit\\.k8s\\.io/"'
"""How an event begins, as a string in double quotes."""
_TOO_OLD = "audit_old"


def run_script() -> str:
    """The script that starts the stack's own Alloy, given ``STORAGE``, ``catch_up_minutes`` and Alloy's command."""
    return Path(__file__).with_name("alloy_run.sh").read_text()


def alloy_configuration(cluster: str, source: Source, loki: LokiSettings) -> str:
    """The configuration of the stack's own Alloy. Files hold its password and certificate authority."""
    places = {"directory": _text(f"{STORAGE}/places")}
    return "\n".join((_pipeline(cluster, source, places, "200ms", OWN_RECEIVER), _write(loki)))


def alloy_snippet(cluster: str, source: Source, alloy: AlloySettings, loki: LokiSettings | None) -> str:
    """The same pipeline for an Alloy that you already run, into its own ``loki.write`` or a new one.

    That Alloy needs ``NODE_NAME`` in its environment, the files of ``source``, storage that outlives it, and
    ``--stability.level=public-preview``. Its places are written through to the disk, because no script restores them
    after a power failure. Therefore it looks at the files only once a second.
    """
    pipeline = _pipeline(cluster, source, {"fsync": "true"}, "1s", alloy.forward_to or OWN_RECEIVER)
    return pipeline if loki is None or alloy.forward_to is not None else f"{pipeline}\n{_write(loki)}"


def _pipeline(cluster: str, source: Source, places: Mapping[str, str], interval: str, receiver: str) -> str:
    return "\n".join(
        (
            f"// Audit events of the API servers of cluster {cluster}, from each control-plane node to Loki.\n",
            "// How far each file has been read.",
            f'otelcol.storage.file "audit" {{\n{_attributes(places)}}}\n',
            _files(source, interval),
            'otelcol.exporter.loki "audit" {\n\tforward_to = [loki.process.audit.receiver]\n}\n',
            _events(cluster, receiver),
        )
    )


def _files(source: Source, interval: str) -> str:
    patterns = (*source.live, *source.rotated, *source.compressed)
    listed = "".join(f"\t\t{_text(pattern)},\n" for pattern in patterns)
    attributes = {
        "start_at": _text("beginning"),
        "compression": _text("auto"),
        "poll_interval": _text(interval),
        "max_log_size": _text(LONGEST_EVENT),
        "include_file_name": "false",
        # Not JSON with the line in it: the line.
        "resource": '{"loki.format" = "raw"}',
        "storage": "otelcol.storage.file.audit.handler",
    }
    if source.container_format:
        # Puts long lines together, those of each file by themselves.
        container = f'type = "container", format = "containerd", max_log_size = "{LONGEST_EVENT}"'
        attributes["include_file_path"] = "true"
        attributes["operators"] = f"[{{{container}, add_metadata_from_filepath = false}}]"
    return (
        "// Every file that has events: written to, rotated and compressed.\n"
        'otelcol.receiver.filelog "audit" {\n'
        f"\tinclude = [\n{listed}\t]\n"
        f"{_attributes(attributes)}\n"
        "\toutput {\n\t\tlogs = [otelcol.exporter.loki.audit.input]\n\t}\n}\n"
    )


def _events(cluster: str, receiver: str) -> str:
    fields = {name: _text(path) for name, path in STRUCTURED_METADATA.items()} | {_TIME: _text(_TIME)}
    labels = {"job": _text(JOB), "cluster": _text(cluster), "node": f'sys.env("{NODE_VARIABLE}")'}
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
        f"{_only_recent()}\n"
        "\tstage.structured_metadata {\n"
        f"{_map('values', {name: _text(name) for name in STRUCTURED_METADATA})}"
        "\t}\n\n"
        f"{_newest()}\n"
        "\tstage.static_labels {\n"
        f"{_map('values', labels)}"
        "\t}\n\n"
        f"{_counters()}\n"
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
                "selector": f'`{{exporter=~".+"}} !~ {_EVENT}`',
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


def _only_recent() -> str:
    older = f'"{{{{ if lt .{_TIME} \\"" + sys.env("{SINCE_VARIABLE}") + "\\" }}}}{_TOO_OLD}{{{{ end }}}}"'
    drop = {"source": _text(_TOO_OLD), "value": _text(_TOO_OLD), "drop_counter_reason": _text(_TOO_OLD)}
    return (
        "\tstage.template {\n"
        + _attributes({"source": _text(_TOO_OLD), "template": older}, depth=2)
        + "\t}\n\n\tstage.drop {\n"
        + _attributes(drop, depth=2)
        + "\t}\n"
    )


def _newest() -> str:
    seconds = f'`{{{{ (toDate "2006-01-02T15:04:05Z07:00" .{_TIME}).Unix }}}}`'
    gauge = {
        "name": _text(NEWEST_METRIC),
        "description": _text("When the event was made that was handed on last, in seconds since 1970."),
        "source": _text("seconds"),
        "prefix": _text(PREFIX),
        "action": _text("set"),
        "max_idle_duration": _text("87600h"),
    }
    return (
        "\tstage.template {\n"
        + _attributes({"source": _text("seconds"), "template": seconds}, depth=2)
        + "\t}\n\n\tstage.metrics {\n\t\tmetric.gauge {\n"
        + _attributes(gauge, depth=3)
        + "\t\t}\n\t}\n"
    )


def _counters() -> str:
    """Counters of events and bytes, with two labels that the lines themselves do not keep."""
    counted = {
        EVENTS_METRIC: ("Audit events that were handed on.", "inc", {}),
        BYTES_METRIC: ("Bytes of the audit events that were handed on.", "add", {"count_entry_bytes": "true"}),
    }
    blocks = []
    for name, (description, action, more) in counted.items():
        attributes = {
            "name": _text(name),
            "description": _text(description),
            "prefix": _text(PREFIX),
            "action": _text(action),
            "match_all": "true",
            **more,
            "max_idle_duration": _text("24h"),
        }
        blocks.append("\t\tmetric.counter {\n" + _attributes(attributes, depth=3) + "\t\t}\n")
    return (
        "\tstage.labels {\n"
        + _map("values", {name: _text(name) for name in _COUNTED_BY})
        + "\t}\n\n\tstage.metrics {\n"
        + "\n".join(blocks)
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


def _attributes(values: Mapping[str, str], depth: int = 1) -> str:
    """One line for each attribute, with the equals signs in one column, like the output of ``alloy fmt``."""
    width = max(map(len, values))
    indent = "\t" * depth
    return "".join(f"{indent}{name:<{width}} = {value}\n" for name, value in values.items())


def _map(name: str, values: Mapping[str, str]) -> str:
    width = max(map(len, values))
    entries = "".join(f"\t\t\t{key:<{width}} = {value},\n" for key, value in values.items())
    return f"\t\t{name} = {{\n{entries}\t\t}}\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
