"""The arguments of ``AuditLogging`` in Python, by the keys of ``docs/settings.md``.

Made by ``auditlog config arguments``; ``make lint`` fails when it is not what the program reads by.
"""

# ruff: noqa: N815 - keys are spelled as in a stack file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Required, TypedDict

from pulumi import Input


class AlertsArgs(TypedDict, total=False):
    """Settings of Alerts."""

    loki: Input[Literal["configmap", "prometheusrule", "ruler-api", "off"]]
    """How rules on events get to Loki's ruler: a ConfigMap for its sidecar, a resource for Alloy's
    `loki.rules.kubernetes`, or through the ruler's API. The first two require a kubeconfig, the last one `loki`.
    Allowed: one of configmap, prometheusrule, ruler-api, off. Default: off."""
    prometheus: Input[Literal["configmap", "prometheusrule", "off"]]
    """How rules on metrics get to Prometheus. All but `off` require a kubeconfig. Allowed: one of configmap,
    prometheusrule, off. Default: off."""
    namespace: Input[str]
    """The namespace; it must exist. Allowed: the name of an existing namespace. Default: monitoring."""
    disable: Input[Sequence[Input[str]]]
    """Detections that get no rule. Allowed: an id that `auditlog detections` shows for this."""
    thresholds: Input[Mapping[str, Input[float]]]
    """Thresholds by detection id; they replace the detection's own. Allowed: a number of 0 or more for each of: an
    id that `auditlog detections` shows for this."""
    ignoreUsers: Input[Mapping[str, Input[Sequence[Input[str]]]]]
    """Users that a detection ignores, by its id. Names must match in full. Allowed: a list of user names for each
    of: an id that `auditlog detections` shows for this."""
    selectors: Input[Mapping[str, Input[str]]]
    """PromQL matchers, if your job names are unusual. Allowed: PromQL matchers such as job="apiserver" for each of:
    apiServer, nodeExporter, alloy, loki."""
    labels: Input[Mapping[str, Input[str]]]
    """Labels of the Kubernetes objects, such as for the `ruleSelector` of a Prometheus operator. Allowed: labels
    with their values, both texts."""
    lokiFolder: Input[str]
    """The tenant's folder in the ruler. Allowed: the name of a Loki tenant. Default: `loki.tenant`; `fake`, the
    folder of a Loki without tenants, if that is not set."""
    rulerUrl: Input[str]
    """With `ruler-api`: where the ruler answers the machine that runs Pulumi. Allowed: Loki's https:// or http://
    URL, without user and /loki/api. Default: `loki.queryUrl`, or else `loki.url`."""
    runbooks: Input[str]
    """Where your readers find `docs/runbooks`: the part of an alert's `runbook_url` before `DETECTION.md`. Allowed:
    a URL. Default: no `runbook_url`."""
    grafana: Input[str]
    """Grafana's address. An alert's `dashboard_url` then shows its events in *Who did it*. Allowed: a URL. Default:
    no `dashboard_url`."""


class AlloyArgs(TypedDict, total=False):
    """Settings of Alloy."""

    mode: Input[Literal["daemonset", "snippet", "off"]]
    """What ships events: one Alloy from the stack on every control-plane node (`daemonset`), or configuration for
    your own Alloy (`snippet`). Both require a kubeconfig. Allowed: one of daemonset, snippet, off. Default:
    daemonset if `loki` is set, else off."""
    namespace: Input[str]
    """The namespace; the stack creates it. Allowed: the name of a namespace that the stack makes. Default:
    kubernetes-audit."""
    image: Input[str]
    """Alloy's image, with tag or digest. Allowed: an image with its tag or digest, as grafana/alloy:v1.18.1.
    Default: grafana/alloy:v1.18.1."""
    nodeSelector: Input[Mapping[str, Input[str]]]
    """Labels of the nodes on which it runs. Allowed: labels with their values, both texts. Default: {"node-
    role.kubernetes.io/control-plane": ""}."""
    hostNetwork: Input[bool]
    """Whether it uses the node's network. Default: false."""
    resources: Input[AlloyResourcesArgs]
    """What one Alloy requests and may use, as Kubernetes quantities."""
    catchUpMinutes: Input[int]
    """How far back to send events when Alloy first starts on a node. Allowed: a whole number from 1 to 10080.
    Default: 15."""
    forwardTo: Input[str]
    """With `snippet`: the receiver in your Alloy. Allowed: a receiver, as loki.write.default.receiver. Default: the
    snippet's `loki.write`."""
    scrapedFrom: Input[str]
    """The namespace of the Prometheus that scrapes Alloy. A NetworkPolicy keeps all other pods out. Allowed: the
    name of a namespace. Default: no NetworkPolicy."""


class AlloyResourcesArgs(TypedDict, total=False):
    """Settings of AlloyResources."""

    cpu: Input[str]
    """The requested CPU. Allowed: a quantity, as 50m. Default: 50m."""
    memory: Input[str]
    """The requested memory. Allowed: a quantity, as 128Mi. Default: 128Mi."""
    memoryLimit: Input[str]
    """The memory limit. Allowed: a quantity, as 512Mi. Default: 512Mi."""


class AnnotationsArgs(TypedDict, total=False):
    """Settings of Annotations."""

    delivery: Input[Literal["off", "api", "files"]]
    """How annotations get into events. With `api`, admission policies in the cluster write them; requires the
    secret `kubeconfig` or `kubeconfigFile`. With `files`, each API server reads them from its node; requires
    Kubernetes 1.37. Allowed: one of off, api, files. Default: off."""
    leaveOut: Input[Sequence[Input[str]]]
    """Entries of the catalogue that are not used. Allowed: the name of a file in `annotations/`, without
    `.yaml`."""
    files: Input[Sequence[Input[str]]]
    """Your own entries, besides the catalogue. A file is named as its entry. Allowed: paths of files like those in
    `annotations/`, relative to the project."""
    folder: Input[str]
    """The folder on the nodes for `delivery: files`. An API server reads one: name the one that it has, if any.
    Allowed: an absolute path on the nodes. Default: /etc/kubernetes/audit-annotations."""


class AuditLogArgs(TypedDict, total=False):
    """Settings of AuditLog."""

    enabled: Input[bool]
    """Whether to write a log. Set `false` if a webhook is enough. Default: true."""
    path: Input[str]
    """The log on the nodes. `-` writes to standard output, which kubelet rotates. Allowed: an absolute path on the
    nodes, or '-' for standard output. Default: /var/log/kubernetes/audit/audit.log."""
    maxAge: Input[int]
    """Days to keep rotated files; 0 for no limit. Allowed: a whole number from 0 to 36500. Default: 30."""
    maxBackup: Input[int]
    """Number of rotated files to keep; 0 for no limit. Allowed: a whole number from 0 to 100000. Default: 10."""
    maxSize: Input[int]
    """Size in megabytes at which the file is rotated. Allowed: a whole number from 1 to 1000000. Default: 100."""
    compress: Input[bool]
    """Whether rotated files are compressed. Default: the API server's own."""
    format: Input[Literal["json", "legacy"]]
    """The format of a line. Everything that reads the log, here and in Loki, requires `json`. Allowed: one of json,
    legacy. Default: the API server's own: json."""
    budget: Input[AuditLogBudgetArgs]
    """For how long to keep the log in how much space. `maxSize`, `maxBackup` and `maxAge` follow from it if not
    given; previews and an alert report when the log no longer meets it."""
    mode: Input[Literal["batch", "blocking", "blocking-strict"]]
    """Whether requests wait for their events: `batch` does not, `blocking` does, `blocking-strict` refuses a
    request whose event cannot be written. Allowed: one of batch, blocking, blocking-strict. Default: the API
    server's own: blocking for the log, batch for the webhook."""
    version: Input[str]
    """The API version of the events. Allowed: audit.k8s.io/v1. Default: the API server's own."""
    batch: Input[AuditLogBatchArgs]
    """How events are batched. Requires mode `batch`. Default: the API server's own."""
    truncate: Input[bool | AuditLogTruncateArgs]
    """Whether events and batches are cut, and above which size. Default: the API server's own: off."""


class AuditLogBatchArgs(TypedDict, total=False):
    """Settings of AuditLogBatch."""

    bufferSize: Input[int]
    """Events to hold in memory before new ones are lost. Allowed: a whole number from 1 to 2147483647. Default: the
    API server's own."""
    maxSize: Input[int]
    """Events in a batch. Allowed: a whole number from 1 to 2147483647. Default: the API server's own."""
    maxWait: Input[str]
    """The longest time an event waits for its batch. Allowed: a duration as in '500ms', '5s' or '1m30s'. Default:
    the API server's own."""
    throttle: Input[bool | AuditLogBatchThrottleArgs]
    """How many batches are sent. The log backend requires both numbers. Default: the API server's own."""


class AuditLogBatchThrottleArgs(TypedDict, total=False):
    """Settings of AuditLogBatchThrottle."""

    qps: Input[float]
    """Batches per second on average. Allowed: a number above 0. Default: the API server's own."""
    burst: Input[int]
    """Batches at once after a quiet period. Allowed: a whole number from 1 to 2147483647. Default: the API server's
    own."""


class AuditLogBudgetArgs(TypedDict, total=False):
    """Settings of AuditLogBudget."""

    days: Required[Input[int]]
    """Days that each node is to keep its log. Allowed: a whole number from 1 to 36500."""
    size: Required[Input[str]]
    """The space for it on each node, before compression: `10GiB`. Allowed: a size of 2MiB or more, such as
    10GiB."""


class AuditLogTruncateArgs(TypedDict, total=False):
    """Settings of AuditLogTruncate."""

    maxBatchSize: Input[int]
    """Size in bytes above which a batch is split. Allowed: a whole number from 1 to 9223372036854775807. Default:
    the API server's own."""
    maxEventSize: Input[int]
    """Size in bytes above which an event loses its bodies; at most `maxBatchSize`. Allowed: a whole number from 1
    to 9223372036854775807. Default: the API server's own."""


class BastionArgs(TypedDict, total=False):
    """Settings of Bastion."""

    host: Required[Input[str]]
    """The name or address to connect to, without user and port. Allowed: a host name or an address."""
    user: Input[str]
    """The account. If it is not root, it needs `sudo` without a password. Allowed: a user name. Default: root."""
    port: Input[int]
    """The port of the SSH server. Allowed: a whole number from 1 to 65535. Default: 22."""
    hostKey: Required[Input[str]]
    """The machine's public key. It keeps anybody on the way from answering in the machine's place. Allowed: the
    host's public Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'. On the machine itself: cat
    /etc/ssh/ssh_host_ed25519_key.pub. From here, to compare: ssh-keyscan -t ed25519 HOST."""


class DashboardsArgs(TypedDict, total=False):
    """Settings of Dashboards."""

    mode: Input[Literal["off", "configmap", "grafana-operator"]]
    """How dashboards get into Grafana: ConfigMaps for its chart's sidecar, or resources of its operator. Both
    require a kubeconfig. Allowed: one of off, configmap, grafana-operator. Default: off."""
    namespace: Input[str]
    """The namespace; it must exist. Allowed: the name of an existing namespace. Default: monitoring."""
    folder: Input[str]
    """The folder in Grafana. Allowed: the name of a folder in Grafana. Default: Kubernetes audit."""
    folderAnnotation: Input[str]
    """With `configmap`: the annotation that tells the sidecar the folder (`sidecar.dashboards.folderAnnotation`).
    Allowed: the name of an annotation. Default: grafana_folder."""
    label: Input[str]
    """With `configmap`: the label by which the sidecar finds dashboards. Allowed: the name of a label. Default:
    grafana_dashboard."""
    labelValue: Input[str]
    """With `configmap`: the label's value. Allowed: the value of a label. Default: 1."""
    instanceSelector: Input[Mapping[str, Input[str]]]
    """With `grafana-operator`: the labels of the Grafana that gets the dashboards. Allowed: labels with their
    values, both texts. Default: {"dashboards": "grafana"}."""
    apiServerMetrics: Input[str]
    """PromQL matchers for kube-apiserver's metrics. Allowed: PromQL matchers such as job="apiserver". Default: the
    usual job names."""


class LokiArgs(TypedDict, total=False):
    """Settings of Loki."""

    url: Required[Input[str]]
    """Loki's URL, without the path of its API. Allowed: Loki's https:// or http:// URL, without user and
    /loki/api."""
    tenant: Input[str]
    """Loki's tenant (`X-Scope-OrgID`). Allowed: the X-Scope-OrgID that Loki expects."""
    username: Input[str]
    """The user for basic authentication. Requires `password`. Allowed: a user name."""
    password: Input[str]
    """The password of `username`. Allowed: a text, set with pulumi config set --secret --path loki.password."""
    certificateAuthority: Input[str]
    """The certificate authority that signed Loki's certificate. Allowed: PEM certificates. Default: the certificate
    authorities in Alloy's image."""
    maxLineSize: Input[int]
    """The longest line in bytes that Loki takes (its `limits_config.max_line_size`). Allowed: a whole number from
    1024 to 1073741824. Default: 262144."""
    queryUrl: Input[str]
    """Where Loki answers queries, if at another URL. `up` asks there for its proof. Allowed: Loki's https:// or
    http:// URL, without user and /loki/api. Default: `url`."""
    queryThroughNodes: Input[bool]
    """Whether `up` asks Loki through its SSH connections to the nodes, where a Service's name (`….svc`) works.
    `false`: from the machine that runs `up`. Default: true."""


class NodeArgs(TypedDict, total=False):
    """Settings of Node."""

    name: Required[Input[str]]
    """The node's name in the cluster. Allowed: the node's name in the cluster."""
    gone: Input[bool]
    """The machine is gone for good. The stack forgets it without contacting it. Default: false."""
    joining: Input[bool]
    """The machine is about to join. It gets the policy file and the log's folder that `kubeadm join` needs.
    Default: false."""
    host: Required[Input[str]]
    """The name or address to connect to, without user and port. Allowed: a host name or an address."""
    user: Input[str]
    """The account. If it is not root, it needs `sudo` without a password. Allowed: a user name. Default: root."""
    port: Input[int]
    """The port of the SSH server. Allowed: a whole number from 1 to 65535. Default: 22."""
    hostKey: Required[Input[str]]
    """The machine's public key. It keeps anybody on the way from answering in the machine's place. Allowed: the
    host's public Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'. On the machine itself: cat
    /etc/ssh/ssh_host_ed25519_key.pub. From here, to compare: ssh-keyscan -t ed25519 HOST."""


_PolicyArgs = TypedDict("_PolicyArgs", {"raise": "Input[Sequence[Input[PolicyRaiseArgs]]]"}, total=False)


class PolicyArgs(_PolicyArgs, total=False):
    """Settings of Policy."""

    preset: Input[str]
    """A policy that comes with the project. `auditlog presets` lists them. Allowed: one of baseline, cis, forensic,
    lean, low-write, minimal, secrets, secrets-in-namespaces, standard. Default: standard, unless another source is
    set."""
    file: Input[str]
    """A policy file, relative to the project. Allowed: the path of an audit.k8s.io/v1 Policy file, relative to the
    project."""
    inline: Input[Any]
    """A policy in the stack file itself. Allowed: an audit.k8s.io/v1 Policy, as YAML text or as a mapping."""
    base64: Input[str]
    """A policy in base64, as in the `data` of a Secret. Allowed: an audit.k8s.io/v1 Policy in base64, as in the
    data of a Secret."""
    path: Input[str]
    """The policy file on the nodes. Allowed: an absolute path on the nodes. Default: /etc/kubernetes/audit-
    policy.yaml."""
    parameters: Input[PolicyParametersArgs]
    """The preset's parameters, if it has any."""
    rulesBefore: Input[Sequence[Input[Any]]]
    """Rules of an audit policy, before the policy's own rules. The first rule that matches decides."""
    rulesAfter: Input[Sequence[Input[Any]]]
    """Rules of an audit policy, after the policy's own rules."""
    drop: Input[PolicyDropArgs]
    """Requests that are not recorded in addition."""
    omitStages: Input[Sequence[Input[str]]]
    """Stages that write no event; replaces the policy's own. Allowed: of RequestReceived, ResponseStarted,
    ResponseComplete, Panic. Default: the policy's own."""
    omitManagedFields: Input[bool]
    """Whether bodies are recorded without `managedFields`; replaces the policy's own. Default: the policy's own."""


class PolicyDropArgs(TypedDict, total=False):
    """Settings of PolicyDrop."""

    users: Input[Sequence[Input[str]]]
    """Users; their requests are not recorded."""
    userGroups: Input[Sequence[Input[str]]]
    """Groups; their members' requests are not recorded."""
    namespaces: Input[Sequence[Input[str]]]
    """Namespaces; requests in them are not recorded."""
    resources: Input[Sequence[Input[PolicyDropResourceArgs]]]
    """Resources; requests for them are not recorded."""
    nonResourceURLs: Input[Sequence[Input[str]]]
    """Paths; requests for them are not recorded. A path may end in `*`."""


class PolicyDropResourceArgs(TypedDict, total=False):
    """Settings of PolicyDropResource."""

    group: Input[str]
    """The API group; empty for the core group. Allowed: an API group, '' for the core one."""
    resources: Input[Sequence[Input[str]]]
    """Plurals, also with a subresource: `pods/log`. Default: all."""
    resourceNames: Input[Sequence[Input[str]]]
    """Names of objects. Default: all."""


class PolicyParametersArgs(TypedDict, total=False):
    """Settings of PolicyParameters."""

    namespaces: Input[Sequence[Input[str]]]
    """A parameter of the preset `secrets-in-namespaces`."""


class PolicyRaiseArgs(TypedDict, total=False):
    """Settings of PolicyRaise."""

    level: Required[Input[Literal["None", "Metadata", "Request", "RequestResponse"]]]
    """The lowest level to record. Allowed: one of None, Metadata, Request, RequestResponse."""
    group: Input[str]
    """The API group; empty for the core group. Allowed: an API group, '' for the core one."""
    resource: Required[Input[str]]
    """A plural, or one of its subresources. Allowed: a plural as in 'pods', or 'pods/exec'."""


class ProofArgs(TypedDict, total=False):
    """Settings of Proof."""

    enabled: Input[bool]
    """Whether `up` ends with a proof on each changed node: a request, and its event in the log and, if shipped, in
    Loki. Without the event `up` fails; the nodes stay as they are. Default: true."""
    lokiSeconds: Input[int]
    """How long an event may take from the log to Loki, in seconds. Allowed: a whole number from 5 to 3600. Default:
    60."""


class ReadingArgs(TypedDict, total=False):
    """Settings of Reading."""

    user: Required[Input[str]]
    """The account; its private key is the secret `sshReadingPrivateKey`. Allowed: a user name."""


class WebhookArgs(TypedDict, total=False):
    """Settings of Webhook."""

    server: Required[Input[str]]
    """The URL to post events to. Allowed: an https:// or http:// URL without user and password."""
    certificateAuthority: Input[str]
    """The certificate authority that signed the server's certificate. Allowed: PEM certificates. Default: the
    certificate authorities of the API server's system."""
    clientCertificate: Input[str]
    """The API server's client certificate. Requires `clientKey`. Allowed: PEM certificates."""
    clientKey: Input[str]
    """The key of `clientCertificate`. Allowed: an unencrypted private key in PEM form."""
    token: Input[str]
    """A bearer token, instead of a client certificate. Allowed: a bearer token: printable ASCII without spaces."""
    path: Input[str]
    """The kubeconfig file on the nodes that holds all this. Allowed: an absolute path on the nodes. Default:
    /etc/kubernetes/audit-webhook.yaml."""
    initialBackoff: Input[str]
    """How long the API server waits before it retries a failed post. Allowed: a duration as in '500ms', '5s' or
    '1m30s'. Default: the API server's own."""
    mode: Input[Literal["batch", "blocking", "blocking-strict"]]
    """Whether requests wait for their events: `batch` does not, `blocking` does, `blocking-strict` refuses a
    request whose event cannot be written. Allowed: one of batch, blocking, blocking-strict. Default: the API
    server's own: blocking for the log, batch for the webhook."""
    version: Input[str]
    """The API version of the events. Allowed: audit.k8s.io/v1. Default: the API server's own."""
    batch: Input[WebhookBatchArgs]
    """How events are batched. Requires mode `batch`. Default: the API server's own."""
    truncate: Input[bool | WebhookTruncateArgs]
    """Whether events and batches are cut, and above which size. Default: the API server's own: off."""


class WebhookBatchArgs(TypedDict, total=False):
    """Settings of WebhookBatch."""

    bufferSize: Input[int]
    """Events to hold in memory before new ones are lost. Allowed: a whole number from 1 to 2147483647. Default: the
    API server's own."""
    maxSize: Input[int]
    """Events in a batch. Allowed: a whole number from 1 to 2147483647. Default: the API server's own."""
    maxWait: Input[str]
    """The longest time an event waits for its batch. Allowed: a duration as in '500ms', '5s' or '1m30s'. Default:
    the API server's own."""
    throttle: Input[bool | WebhookBatchThrottleArgs]
    """How many batches are sent. The log backend requires both numbers. Default: the API server's own."""


class WebhookBatchThrottleArgs(TypedDict, total=False):
    """Settings of WebhookBatchThrottle."""

    qps: Input[float]
    """Batches per second on average. Allowed: a number above 0. Default: the API server's own."""
    burst: Input[int]
    """Batches at once after a quiet period. Allowed: a whole number from 1 to 2147483647. Default: the API server's
    own."""


class WebhookTruncateArgs(TypedDict, total=False):
    """Settings of WebhookTruncate."""

    maxBatchSize: Input[int]
    """Size in bytes above which a batch is split. Allowed: a whole number from 1 to 9223372036854775807. Default:
    the API server's own."""
    maxEventSize: Input[int]
    """Size in bytes above which an event loses its bodies; at most `maxBatchSize`. Allowed: a whole number from 1
    to 9223372036854775807. Default: the API server's own."""


class AuditLoggingArgs(TypedDict, total=False):
    """The settings of one cluster, secrets included."""

    cluster: Required[Input[str]]
    """The cluster's name, for labels, dashboards and alerts. Allowed: a name of lower-case letters, digits, '-' and
    '.'."""
    nodes: Required[Input[Sequence[Input[NodeArgs]]]]
    """The control-plane nodes, in the order in which they change."""
    bastion: Input[BastionArgs]
    """A host through which to reach the nodes. Default: connect directly."""
    policy: Input[PolicyArgs]
    """The audit policy, and your changes to it. Default: the preset `standard`."""
    auditLog: Input[AuditLogArgs]
    """The log on the nodes. Default: a file with the rotation below."""
    loki: Input[LokiArgs]
    """The Loki to ship events to. Default: no Loki."""
    alloy: Input[AlloyArgs]
    """What ships events to Loki. Default: a DaemonSet if `loki` is set."""
    webhook: Input[WebhookArgs]
    """A server to which the API server posts events. Default: no webhook."""
    dashboards: Input[DashboardsArgs]
    """The Grafana dashboards. Default: none."""
    annotations: Input[AnnotationsArgs]
    """What admission policies add to events. Default: none."""
    alerts: Input[AlertsArgs]
    """The alerting rules. Default: none."""
    proof: Input[ProofArgs]
    """The proof at the end of `up` that events arrive. Default: on."""
    healthTimeoutSeconds: Input[int]
    """How long a restarted API server may take to become healthy before the node rolls back. Allowed: a whole
    number from 30 to 3600. Default: 300."""
    quarantineStrayManifests: Input[bool]
    """Whether `up` archives other files in `/etc/kubernetes/manifests` that define kube-apiserver. Otherwise they
    are an error. Default: false."""
    takeOver: Input[str]
    """Takes over this owner's nodes as they are. Name the former owner after you rename or move a stack, project or
    component. No effect once the nodes are taken over. Allowed: an owner as a refusal names it: PROJECT/STACK, or
    PROJECT/STACK/COMPONENT. Default: nodes of another owner are refused."""
    restart: Input[Literal["seamless", "quick", "drain"]]
    """How the API server restarts. `seamless`: a second one answers meanwhile; becomes `drain` if the node does not
    allow it. `quick`: away for 5 to 10 s; refused if it can lose audit events. `drain`: away for about 40 s.
    Allowed: one of seamless, quick, drain. Default: seamless."""
    rehearsal: Input[bool]
    """Whether the new manifest and policy first run as a second API server, before the running one is touched.
    Default: true."""
    acceptLostEvents: Input[bool]
    """Whether a `quick` restart is allowed even if it can lose audit events. Default: false."""
    enabled: Input[bool]
    """`false` restores the control plane as it was before audit logging, and removes the policy. Default: true."""
    liveRead: Input[bool]
    """`off`: previews do not read the nodes and say so; `up` refuses. Here `true` is on and `false` is off.
    Default: on."""
    reading: Input[ReadingArgs]
    """The account with which previews read the nodes, if it is not the one that changes them. Default: each node's
    own user."""
    kubeconfigFile: Input[str]
    """Use it instead of the secret `kubeconfig`: the state holds this path and no credential. If previews run on
    another machine than `up`, put a kubeconfig that only reads at this path there. Allowed: the path of a
    kubeconfig on the machine that runs Pulumi: absolute, or relative to the project. Default: the secret
    `kubeconfig`."""
    sshPrivateKey: Input[str]
    """The private key for the nodes. Allowed: a private key. Default: the SSH agent's keys."""
    sshReadingPrivateKey: Input[str]
    """The private key of `reading.user`. Allowed: a private key."""
    kubeconfig: Input[str]
    """For what the stack runs in the cluster: Alloy, dashboards, alerts. Allowed: the text of a kubeconfig for the
    cluster."""
