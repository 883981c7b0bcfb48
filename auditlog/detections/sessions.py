"""Ways into a running container or node. kubectl opens them with `get` (WebSocket), older clients with `create`."""

from __future__ import annotations

from auditlog.detections.callers import Callers
from auditlog.detections.model import (
    ANY_CODE,
    IN_URI,
    NO_DRY_RUN,
    STARTED_OR_COMPLETE,
    Detection,
    Events,
    Requests,
    Severity,
)
from auditlog.policy.model import GroupResources

_SESSION_VERBS = ("get", "create")
_PROXY_VERBS = ("get", "create", "update", "patch", "delete")
_EXEC = (GroupResources("", ("pods/exec",)),)
# kubectl escapes the slashes of a command's words in the URI; other clients need not.
_SLASH = r"(%2F|/)"
_PROGRAMS = "curl|wget|nc|ncat|netcat|socat|nmap|tcpdump|nsenter|chroot|mount|base64"
_IN_SHELL = "curl|wget|nc|ncat|netcat|socat|nmap|tcpdump|nsenter|chroot"
"""Programs looked for among the words of a shell's command line too, where others are names of files and options."""
# What may stand in front of a program's name in a line for a shell: a space, ; | & ( ` " ' $( or a new line.
_BEFORE = r"(=|\+|%20|%3B|%7C|%26|%28|%60|%22|%27|%0A|%2F|/)"
_AFTER = r'(\+|%20|%3B|%7C|%26|%29|%60|%22|%27|%0A|&|\\u0026|")'
_END = r'(&|\\u0026|")'
_SUSPICIOUS = "|".join(
    (
        rf'command=([^&"\\]*{_SLASH})?({_PROGRAMS}){_END}',
        rf'command([^&"\\]*{_BEFORE})({_IN_SHELL}){_AFTER}',
        rf'command=([^&"\\]*{_SLASH})?(python[0-9.]*|perl|ruby|php|node){_END}command=-[a-z]*[cer]',
        r'command=[^&"\\]*(python[0-9.]*|perl|ruby|php|node)(\+|%20)-[a-z]*[cer](\+|%20)',
        r"169\.254\.169\.254",
        r"169\.254\.170\.2|100\.100\.100\.200",
        r"metadata\.(google\.internal|azure\.com)",
        rf"{_SLASH}(var{_SLASH})?run{_SLASH}secrets{_SLASH}",
        rf"{_SLASH}etc{_SLASH}(shadow|gshadow|sudoers|passwd|kubernetes)",
        rf"{_SLASH}proc{_SLASH}[0-9a-z-]+{_SLASH}environ",
        rf"{_SLASH}\.(ssh|kube|aws|docker){_SLASH}",
        rf"{_SLASH}dev{_SLASH}(tcp|udp)",
        r"(docker|containerd|crio)\.sock",
    )
)

DETECTIONS = (
    Detection(
        id="exec-session",
        title="A command was run in a container",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(_SESSION_VERBS, _EXEC),),
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "namespace", "name"),
        ),
        summary="{{ $labels.user }} ran a command in {{ $labels.namespace }}/{{ $labels.name }}",
        meaning="What happens inside of the session is not in the audit log; its first command is, in the request URI.",
        false_positives="Debugging; backup tools and operators that run a command in a database's Pod.",
    ),
    Detection(
        id="exec-in-kube-system",
        title="A session was opened into a Pod of kube-system",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(
                Requests(
                    _SESSION_VERBS,
                    (GroupResources("", ("pods/exec", "pods/attach")),),
                    namespaces=("kube-system",),
                ),
            ),
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "name"),
        ),
        summary="{{ $labels.user }} opened a session into kube-system/{{ $labels.name }}",
        meaning="These Pods hold the rights and keys of the cluster itself: etcd's, the network's, the storage's.",
        false_positives="`kubectl exec` of etcdctl or of the network add-on's own tool, by those who run the cluster.",
    ),
    Detection(
        id="suspicious-exec-command",
        title="A command was run in a container that attackers run",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(Requests(_SESSION_VERBS, _EXEC),),
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            codes=ANY_CODE,
            lines=(f"|~ `{IN_URI}({_SUSPICIOUS})`",),
            by=("user", "namespace", "name"),
        ),
        summary="{{ $labels.user }} ran a suspicious command in {{ $labels.namespace }}/{{ $labels.name }}",
        meaning=(
            "The command fetches something, opens a connection, reads the Pod's token or the cloud's metadata, or goes "
            "for the node. What is typed into a shell later is not seen, so this catches the careless."
        ),
        false_positives="`kubectl exec … -- curl` to try a Service; smoke tests.",
    ),
    Detection(
        id="attach-or-port-forward",
        title="Somebody attached to a container or forwarded a port",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(_SESSION_VERBS, (GroupResources("", ("pods/attach", "pods/portforward")),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "subresource", "namespace", "name"),
        ),
        summary="{{ $labels.user }}: {{ $labels.subresource }} of {{ $labels.namespace }}/{{ $labels.name }}",
        meaning="A forwarded port passes by every NetworkPolicy; an attached terminal is the process's own.",
        false_positives="Developers who reach a database or a web page this way.",
    ),
    Detection(
        id="proxy-to-workload",
        title="A person reached a Pod or Service through the API server",
        severity=Severity.INFO,
        source=Events(
            requests=(Requests(_PROXY_VERBS, (GroupResources("", ("pods/proxy", "services/proxy")),)),),
            callers=Callers.PEOPLE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "resource", "namespace", "name"),
        ),
        summary="{{ $labels.user }} reached {{ $labels.resource }} {{ $labels.namespace }}/{{ $labels.name }}",
        meaning="The workload sees the API server as its client: its own log does not show who it was.",
        false_positives="`kubectl proxy` for a dashboard; monitoring that scrapes through the API server.",
    ),
    Detection(
        id="node-proxy-used",
        title="The kubelet was reached through the API server",
        severity=Severity.CRITICAL,
        source=Events(
            requests=(Requests(_PROXY_VERBS, (GroupResources("", ("nodes/proxy",)),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            stages=STARTED_OR_COMPLETE,
            by=("user", "name", "sourceIP"),
        ),
        summary="{{ $labels.user }} reached the kubelet of {{ $labels.name }}",
        meaning=(
            "nodes/proxy opens the kubelet's own API, exec included, past admission. This request is the only trace."
        ),
        false_positives="Monitoring that scrapes kubelet or cAdvisor by /api/v1/nodes/NAME/proxy/metrics.",
    ),
    Detection(
        id="ephemeral-container-added",
        title="A container was added to a running Pod",
        severity=Severity.WARNING,
        source=Events(
            requests=(Requests(("update", "patch"), (GroupResources("", ("pods/ephemeralcontainers",)),)),),
            callers=Callers.NOT_CONTROL_PLANE,
            lines=(NO_DRY_RUN,),
            by=("user", "namespace", "name"),
        ),
        summary="{{ $labels.user }} added a container to {{ $labels.namespace }}/{{ $labels.name }}",
        meaning="It runs with an image of the caller's choice inside of the Pod, and can see its processes and mounts.",
        false_positives="`kubectl debug` by a developer.",
    ),
)
