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

    loki: Input[Literal["configmap", "off"]]
    """How rules on events get to Loki's ruler. All but `off` need the secret `kubeconfig`. Allowed: one of
    configmap, off. Without it: off."""
    prometheus: Input[Literal["configmap", "prometheusrule", "off"]]
    """How rules on metrics get to Prometheus. All but `off` need the secret `kubeconfig`. Allowed: one of
    configmap, prometheusrule, off. Without it: off."""
    namespace: Input[str]
    """Where they are kept; it has to exist. Allowed: the name of an existing namespace. Without it: monitoring."""
    disable: Input[Sequence[Input[str]]]
    """Detections that become no rule. Allowed: an id that `auditlog detections` shows for this."""
    thresholds: Input[Mapping[str, Input[float]]]
    """Numbers in place of a detection's own, by id. Allowed: a number of 0 or more for each of: an id that
    `auditlog detections` shows for this."""
    ignoreUsers: Input[Mapping[str, Input[Sequence[Input[str]]]]]
    """Users that a detection leaves alone, by its id; a name is compared as a whole. Allowed: a list of user names
    for each of: an id that `auditlog detections` shows for this."""
    selectors: Input[Mapping[str, Input[str]]]
    """By what metrics are found in Prometheus, where it is not by the usual job names. Allowed: PromQL matchers
    such as job="apiserver" for each of: apiServer, nodeExporter, alloy, loki."""
    labels: Input[Mapping[str, Input[str]]]
    """Labels of the objects in Kubernetes, for the `ruleSelector` of a Prometheus operator for example. Allowed:
    labels with their values, both texts."""
    lokiFolder: Input[str]
    """The ruler's folder of the tenant; `fake` is that of a Loki without tenants. Allowed: the name of a Loki
    tenant. Without it: fake."""
    runbooks: Input[str]
    """What comes before `DETECTION.md` in an alert's `runbook_url`: where `docs/runbooks` can be read. Allowed: a
    URL. Without it: no `runbook_url`."""


class AlloyArgs(TypedDict, total=False):
    """Settings of Alloy."""

    mode: Input[Literal["daemonset", "snippet", "off"]]
    """What ships the events: an Alloy of the stack's own on every control-plane node (`daemonset`), or
    configuration for one that is there (`snippet`). Both need the secret `kubeconfig`. Allowed: one of daemonset,
    snippet, off. Without it: daemonset where `loki` is given, off elsewhere."""
    namespace: Input[str]
    """Where it is kept; the stack makes the namespace. Allowed: the name of a namespace that the stack makes.
    Without it: kubernetes-audit."""
    image: Input[str]
    """The image of Alloy, with its tag or digest. Allowed: an image with its tag or digest, as
    grafana/alloy:v1.18.1. Without it: grafana/alloy:v1.18.1."""
    nodeSelector: Input[Mapping[str, Input[str]]]
    """The labels of the nodes that it runs on. Allowed: labels with their values, both texts. Without it: {"node-
    role.kubernetes.io/control-plane": ""}."""
    hostNetwork: Input[bool]
    """Whether it uses the node's own network. Without it: false."""
    resources: Input[AlloyResourcesArgs]
    """What one Alloy asks for and may use, as Kubernetes quantities."""
    catchUpMinutes: Input[int]
    """How far back events are sent when it starts on a node for the first time. Allowed: a whole number from 1 to
    10080. Without it: 15."""
    forwardTo: Input[str]
    """With `snippet`: the receiver in the Alloy that the snippet is for. Allowed: a receiver, as
    loki.write.default.receiver. Without it: a `loki.write` of the snippet's own."""
    scrapedFrom: Input[str]
    """The namespace of the Prometheus that scrapes it: a NetworkPolicy keeps all other pods away. Allowed: the name
    of a namespace. Without it: no NetworkPolicy."""


class AlloyResourcesArgs(TypedDict, total=False):
    """Settings of AlloyResources."""

    cpu: Input[str]
    """The processor time that is asked for. Allowed: a quantity, as 50m. Without it: 50m."""
    memory: Input[str]
    """The memory that is asked for. Allowed: a quantity, as 128Mi. Without it: 128Mi."""
    memoryLimit: Input[str]
    """The memory that may be used. Allowed: a quantity, as 512Mi. Without it: 512Mi."""


class AnnotationsArgs(TypedDict, total=False):
    """Settings of Annotations."""

    delivery: Input[Literal["off", "api"]]
    """How annotations get into events. With `api`, admission policies in the cluster write them; requires the
    secret `kubeconfig` or `kubeconfigFile`. Allowed: one of off, api. Without it: off."""
    leaveOut: Input[Sequence[Input[str]]]
    """Entries of the catalogue that are not used. Allowed: the name of a file in `annotations/`, without
    `.yaml`."""
    files: Input[Sequence[Input[str]]]
    """Your own entries, besides the catalogue. A file is named as its entry. Allowed: paths of files like those in
    `annotations/`, relative to the project."""


class AuditLogArgs(TypedDict, total=False):
    """Settings of AuditLog."""

    enabled: Input[bool]
    """Whether there is a log; `false` where a webhook is enough. Without it: true."""
    path: Input[str]
    """The log on the nodes. `-` writes to standard output, which kubelet rotates. Allowed: an absolute path on the
    nodes, or '-' for standard output. Without it: /var/log/kubernetes/audit/audit.log."""
    maxAge: Input[int]
    """Days that rotated files are kept; 0 for no limit. Allowed: a whole number from 0 to 36500. Without it: 30."""
    maxBackup: Input[int]
    """Rotated files that are kept; 0 for no limit. Allowed: a whole number from 0 to 100000. Without it: 10."""
    maxSize: Input[int]
    """Megabytes at which the file is rotated. Allowed: a whole number from 1 to 1000000. Without it: 100."""
    compress: Input[bool]
    """Whether rotated files are compressed. Without it: the API server's own."""
    format: Input[Literal["json", "legacy"]]
    """How a line is written. What reads the log, here and in Loki, needs `json`. Allowed: one of json, legacy.
    Without it: the API server's own: json."""
    mode: Input[Literal["batch", "blocking", "blocking-strict"]]
    """Whether requests wait for their events: `batch` does not, `blocking` does, `blocking-strict` refuses a
    request whose event cannot be written. Allowed: one of batch, blocking, blocking-strict. Without it: the API
    server's own: blocking for the log, batch for the webhook."""
    version: Input[str]
    """The version that events are written in. Allowed: audit.k8s.io/v1. Without it: the API server's own."""
    batch: Input[AuditLogBatchArgs]
    """How events are gathered; with mode `batch` only. Without it: the API server's own."""
    truncate: Input[bool | AuditLogTruncateArgs]
    """Whether, and from which size on, events and batches are cut. Without it: the API server's own: off."""


class AuditLogBatchArgs(TypedDict, total=False):
    """Settings of AuditLogBatch."""

    bufferSize: Input[int]
    """Events in memory before new ones are lost. Allowed: a whole number from 1 to 2147483647. Without it: the API
    server's own."""
    maxSize: Input[int]
    """Events in a batch. Allowed: a whole number from 1 to 2147483647. Without it: the API server's own."""
    maxWait: Input[str]
    """How long an event waits at most for its batch. Allowed: a duration as in '500ms', '5s' or '1m30s'. Without
    it: the API server's own."""
    throttle: Input[bool | AuditLogBatchThrottleArgs]
    """How many batches are sent; the log backend needs both numbers. Without it: the API server's own."""


class AuditLogBatchThrottleArgs(TypedDict, total=False):
    """Settings of AuditLogBatchThrottle."""

    qps: Input[float]
    """Batches a second on average. Allowed: a number above 0. Without it: the API server's own."""
    burst: Input[int]
    """Batches at once after a quiet time. Allowed: a whole number from 1 to 2147483647. Without it: the API
    server's own."""


class AuditLogTruncateArgs(TypedDict, total=False):
    """Settings of AuditLogTruncate."""

    maxBatchSize: Input[int]
    """Bytes above which a batch is split. Allowed: a whole number from 1 to 9223372036854775807. Without it: the
    API server's own."""
    maxEventSize: Input[int]
    """Bytes above which an event loses its bodies; at most `maxBatchSize`. Allowed: a whole number from 1 to
    9223372036854775807. Without it: the API server's own."""


class BastionArgs(TypedDict, total=False):
    """Settings of Bastion."""

    host: Required[Input[str]]
    """The name or address that the program connects to, without user and port. Allowed: a host name or an
    address."""
    user: Input[str]
    """The account; one that is not root needs `sudo` without a password. Allowed: a user name. Without it: root."""
    port: Input[int]
    """The port of the SSH server. Allowed: a whole number from 1 to 65535. Without it: 22."""
    hostKey: Required[Input[str]]
    """The machine's public key. Without it anybody on the way could answer in its place. Allowed: the host's public
    Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'; on the machine itself: cat /etc/ssh/ssh_host_ed25519_key.pub, or
    from here, to be compared with it: ssh-keyscan -t ed25519 HOST."""


class DashboardsArgs(TypedDict, total=False):
    """Settings of Dashboards."""

    mode: Input[Literal["off", "configmap", "grafana-operator"]]
    """How dashboards get into Grafana: ConfigMaps for the sidecar of its chart, or resources of its operator. Both
    need the secret `kubeconfig`. Allowed: one of off, configmap, grafana-operator. Without it: off."""
    namespace: Input[str]
    """Where they are kept; it has to exist. Allowed: the name of an existing namespace. Without it: monitoring."""
    folder: Input[str]
    """The folder in Grafana. Allowed: the name of a folder in Grafana. Without it: Kubernetes audit."""
    folderAnnotation: Input[str]
    """With `configmap`: the annotation by which the sidecar knows the folder
    (`sidecar.dashboards.folderAnnotation`). Allowed: the name of an annotation. Without it: grafana_folder."""
    label: Input[str]
    """With `configmap`: the label by which the sidecar finds dashboards. Allowed: the name of a label. Without it:
    grafana_dashboard."""
    labelValue: Input[str]
    """With `configmap`: its value. Allowed: the value of a label. Without it: 1."""
    instanceSelector: Input[Mapping[str, Input[str]]]
    """With `grafana-operator`: the labels of the Grafana that gets the dashboards. Allowed: labels with their
    values, both texts. Without it: {"dashboards": "grafana"}."""
    apiServerMetrics: Input[str]
    """By what kube-apiserver's metrics are found in Prometheus. Allowed: PromQL matchers such as job="apiserver".
    Without it: the job names that are usual."""


class LokiArgs(TypedDict, total=False):
    """Settings of Loki."""

    url: Required[Input[str]]
    """Where Loki is, without the path of its API. Allowed: Loki's https:// or http:// URL, without user and
    /loki/api."""
    tenant: Input[str]
    """Loki's tenant (`X-Scope-OrgID`). Allowed: the X-Scope-OrgID that Loki expects."""
    username: Input[str]
    """The user of basic authentication; together with `password`. Allowed: a user name."""
    password: Input[str]
    """The password of `username`. Allowed: a text, set with pulumi config set --secret --path loki.password."""
    certificateAuthority: Input[str]
    """Who signed Loki's certificate. Allowed: PEM certificates. Without it: the certificate authorities in Alloy's
    image."""
    maxLineSize: Input[int]
    """Bytes of the longest line that Loki takes (its `limits_config.max_line_size`). Allowed: a whole number from
    1024 to 1073741824. Without it: 262144."""
    queryUrl: Input[str]
    """Where Loki answers questions, if elsewhere; `up` asks there for its proof. Allowed: Loki's https:// or
    http:// URL, without user and /loki/api. Without it: `url`."""
    queryThroughNodes: Input[bool]
    """Whether `up` asks Loki through its SSH connections to the nodes; a Service's name (`….svc`) is known there.
    `false`: from the machine that runs it. Without it: true."""


class NodeArgs(TypedDict, total=False):
    """Settings of Node."""

    name: Required[Input[str]]
    """The node's name in the cluster. Allowed: the node's name in the cluster."""
    gone: Input[bool]
    """The machine is gone for good: what the stack knows of it is forgotten, without dialling. Without it:
    false."""
    joining: Input[bool]
    """The machine is about to join: it gets the policy file and the log's folder that `kubeadm join` will need.
    Without it: false."""
    host: Required[Input[str]]
    """The name or address that the program connects to, without user and port. Allowed: a host name or an
    address."""
    user: Input[str]
    """The account; one that is not root needs `sudo` without a password. Allowed: a user name. Without it: root."""
    port: Input[int]
    """The port of the SSH server. Allowed: a whole number from 1 to 65535. Without it: 22."""
    hostKey: Required[Input[str]]
    """The machine's public key. Without it anybody on the way could answer in its place. Allowed: the host's public
    Ed25519 or ECDSA key, as 'ssh-ed25519 AAAA…'; on the machine itself: cat /etc/ssh/ssh_host_ed25519_key.pub, or
    from here, to be compared with it: ssh-keyscan -t ed25519 HOST."""


_PolicyArgs = TypedDict("_PolicyArgs", {"raise": "Input[Sequence[Input[PolicyRaiseArgs]]]"}, total=False)


class PolicyArgs(_PolicyArgs, total=False):
    """Settings of Policy."""

    preset: Input[str]
    """A policy that comes with the project; `auditlog presets` shows what each records. Allowed: one of baseline,
    cis, forensic, low-write, minimal, secrets, secrets-in-namespaces, standard. Without it: standard, where no
    other source is given."""
    file: Input[str]
    """A policy file, relative to the project. Allowed: the path of an audit.k8s.io/v1 Policy file, relative to the
    project."""
    inline: Input[Any]
    """A policy in the stack file itself. Allowed: an audit.k8s.io/v1 Policy, as YAML text or as a mapping."""
    base64: Input[str]
    """A policy as the `data` of a Secret holds it. Allowed: an audit.k8s.io/v1 Policy in base64, as in the data of
    a Secret."""
    path: Input[str]
    """The policy file on the nodes. Allowed: an absolute path on the nodes. Without it: /etc/kubernetes/audit-
    policy.yaml."""
    parameters: Input[PolicyParametersArgs]
    """Parameters of the preset that has some."""
    rulesBefore: Input[Sequence[Input[Any]]]
    """Rules as in an audit policy, before those of the policy: the first that matches decides."""
    rulesAfter: Input[Sequence[Input[Any]]]
    """Rules as in an audit policy, after those of the policy."""
    drop: Input[PolicyDropArgs]
    """What is not recorded besides."""
    omitStages: Input[Sequence[Input[str]]]
    """Stages that write no event, in place of the policy's own. Allowed: of RequestReceived, ResponseStarted,
    ResponseComplete, Panic. Without it: the policy's own."""
    omitManagedFields: Input[bool]
    """Whether bodies are recorded without `managedFields`, in place of the policy's own. Without it: the policy's
    own."""


class PolicyDropArgs(TypedDict, total=False):
    """Settings of PolicyDrop."""

    users: Input[Sequence[Input[str]]]
    """Their requests are not recorded."""
    userGroups: Input[Sequence[Input[str]]]
    """Their members' requests are not recorded."""
    namespaces: Input[Sequence[Input[str]]]
    """Requests in them are not recorded."""
    resources: Input[Sequence[Input[PolicyDropResourceArgs]]]
    """Requests for them are not recorded."""
    nonResourceURLs: Input[Sequence[Input[str]]]
    """Requests for these paths are not recorded; `*` may end one."""


class PolicyDropResourceArgs(TypedDict, total=False):
    """Settings of PolicyDropResource."""

    group: Input[str]
    """The API group; empty for the core. Allowed: an API group, '' for the core one."""
    resources: Input[Sequence[Input[str]]]
    """Plurals, with a subresource as in `pods/log`; none means all."""
    resourceNames: Input[Sequence[Input[str]]]
    """Names of single objects; none means all."""


class PolicyParametersArgs(TypedDict, total=False):
    """Settings of PolicyParameters."""

    namespaces: Input[Sequence[Input[str]]]
    """A parameter of the preset `secrets-in-namespaces`."""


class PolicyRaiseArgs(TypedDict, total=False):
    """Settings of PolicyRaise."""

    level: Required[Input[Literal["None", "Metadata", "Request", "RequestResponse"]]]
    """The level that is recorded at least. Allowed: one of None, Metadata, Request, RequestResponse."""
    group: Input[str]
    """The API group; empty for the core. Allowed: an API group, '' for the core one."""
    resource: Required[Input[str]]
    """A plural, or one of its subresources. Allowed: a plural as in 'pods', or 'pods/exec'."""


class ProofArgs(TypedDict, total=False):
    """Settings of Proof."""

    enabled: Input[bool]
    """Whether `up` ends by making a request on each node and finding its event in the log, and in Loki where the
    stack ships to it. An `up` that does not find it fails; the nodes stay as they are. Without it: true."""
    lokiSeconds: Input[int]
    """How long an event may take from the log to Loki. Allowed: a whole number from 5 to 3600. Without it: 60."""


class ReadingArgs(TypedDict, total=False):
    """Settings of Reading."""

    user: Required[Input[str]]
    """The account; its private key is the secret `sshReadingPrivateKey`. Allowed: a user name."""


class WebhookArgs(TypedDict, total=False):
    """Settings of Webhook."""

    server: Required[Input[str]]
    """Where events are posted to. Allowed: an https:// or http:// URL without user and password."""
    certificateAuthority: Input[str]
    """Who signed the server's certificate. Allowed: PEM certificates. Without it: the certificate authorities of
    the API server's own system."""
    clientCertificate: Input[str]
    """What the API server shows the server; together with `clientKey`. Allowed: PEM certificates."""
    clientKey: Input[str]
    """The key of `clientCertificate`. Allowed: an unencrypted private key in PEM form."""
    token: Input[str]
    """A bearer token, in place of a client certificate. Allowed: a bearer token: printable ASCII without spaces."""
    path: Input[str]
    """The kubeconfig on the nodes that holds all this. Allowed: an absolute path on the nodes. Without it:
    /etc/kubernetes/audit-webhook.yaml."""
    initialBackoff: Input[str]
    """How long the API server waits before it tries a failed post again. Allowed: a duration as in '500ms', '5s' or
    '1m30s'. Without it: the API server's own."""
    mode: Input[Literal["batch", "blocking", "blocking-strict"]]
    """Whether requests wait for their events: `batch` does not, `blocking` does, `blocking-strict` refuses a
    request whose event cannot be written. Allowed: one of batch, blocking, blocking-strict. Without it: the API
    server's own: blocking for the log, batch for the webhook."""
    version: Input[str]
    """The version that events are written in. Allowed: audit.k8s.io/v1. Without it: the API server's own."""
    batch: Input[WebhookBatchArgs]
    """How events are gathered; with mode `batch` only. Without it: the API server's own."""
    truncate: Input[bool | WebhookTruncateArgs]
    """Whether, and from which size on, events and batches are cut. Without it: the API server's own: off."""


class WebhookBatchArgs(TypedDict, total=False):
    """Settings of WebhookBatch."""

    bufferSize: Input[int]
    """Events in memory before new ones are lost. Allowed: a whole number from 1 to 2147483647. Without it: the API
    server's own."""
    maxSize: Input[int]
    """Events in a batch. Allowed: a whole number from 1 to 2147483647. Without it: the API server's own."""
    maxWait: Input[str]
    """How long an event waits at most for its batch. Allowed: a duration as in '500ms', '5s' or '1m30s'. Without
    it: the API server's own."""
    throttle: Input[bool | WebhookBatchThrottleArgs]
    """How many batches are sent; the log backend needs both numbers. Without it: the API server's own."""


class WebhookBatchThrottleArgs(TypedDict, total=False):
    """Settings of WebhookBatchThrottle."""

    qps: Input[float]
    """Batches a second on average. Allowed: a number above 0. Without it: the API server's own."""
    burst: Input[int]
    """Batches at once after a quiet time. Allowed: a whole number from 1 to 2147483647. Without it: the API
    server's own."""


class WebhookTruncateArgs(TypedDict, total=False):
    """Settings of WebhookTruncate."""

    maxBatchSize: Input[int]
    """Bytes above which a batch is split. Allowed: a whole number from 1 to 9223372036854775807. Without it: the
    API server's own."""
    maxEventSize: Input[int]
    """Bytes above which an event loses its bodies; at most `maxBatchSize`. Allowed: a whole number from 1 to
    9223372036854775807. Without it: the API server's own."""


class AuditLoggingArgs(TypedDict, total=False):
    """The settings of one cluster, secrets included."""

    cluster: Required[Input[str]]
    """The cluster's name, for labels, dashboards and alerts. Allowed: a name of lower-case letters, digits, '-' and
    '.'."""
    nodes: Required[Input[Sequence[Input[NodeArgs]]]]
    """The control-plane nodes, in the order in which they are changed."""
    bastion: Input[BastionArgs]
    """The host through which the nodes are reached. Without it: no such host."""
    policy: Input[PolicyArgs]
    """The audit policy, and what of it changes. Without it: the preset `standard`."""
    auditLog: Input[AuditLogArgs]
    """The log on the nodes. Without it: a file with the rotation below."""
    loki: Input[LokiArgs]
    """Where events are shipped to. Without it: no Loki."""
    alloy: Input[AlloyArgs]
    """What ships the events. Without it: a DaemonSet where `loki` is given."""
    webhook: Input[WebhookArgs]
    """A server that the API server posts events to. Without it: no webhook."""
    dashboards: Input[DashboardsArgs]
    """The Grafana dashboards. Without it: none."""
    annotations: Input[AnnotationsArgs]
    """What admission policies add to events. Without it: none."""
    alerts: Input[AlertsArgs]
    """The alerting rules. Without it: none."""
    proof: Input[ProofArgs]
    """The proof that events arrive, with which `up` ends. Without it: it is made."""
    healthTimeoutSeconds: Input[int]
    """How long a restarted API server may take to become healthy before everything is put back. Allowed: a whole
    number from 30 to 3600. Without it: 300."""
    quarantineStrayManifests: Input[bool]
    """Whether `up` moves other files in `/etc/kubernetes/manifests` that define kube-apiserver to the archive; they
    are an error otherwise. Without it: false."""
    takeOver: Input[str]
    """The owner whose nodes this stack takes over as they are: the former name of a stack, project or component
    that was renamed or moved. Without effect once the nodes are taken over. Allowed: an owner as a refusal names
    it: PROJECT/STACK, or PROJECT/STACK/COMPONENT. Without it: nodes of another owner are refused."""
    restart: Input[Literal["seamless", "quick", "drain"]]
    """How the API server is restarted: `seamless` (a second one answers meanwhile; `drain` where the node does not
    allow it), `quick` (away for 5 to 10 s, only where no audit event can be lost), `drain` (away for about 40 s).
    Allowed: one of seamless, quick, drain. Without it: seamless."""
    rehearsal: Input[bool]
    """Whether the new manifest and policy run as a second API server before the running one is touched. Without it:
    true."""
    acceptLostEvents: Input[bool]
    """Whether a `quick` restart may be made where it can lose audit events. Without it: false."""
    enabled: Input[bool]
    """`false`: the control plane is given back as it was before audit logging, and the policy is taken away.
    Without it: true."""
    liveRead: Input[bool]
    """`off`: previews do without the nodes and say so, and `up` refuses. Here `true` is on and `false` is off.
    Without it: on."""
    reading: Input[ReadingArgs]
    """The account that previews read the nodes with, where it is another than the one that changes them. Without
    it: each node's own user."""
    kubeconfigFile: Input[str]
    """In place of the secret `kubeconfig`: the state holds this path and no credential. Where previews run
    elsewhere than `up`, a kubeconfig that only reads has this path there. Allowed: the path of a kubeconfig on the
    machine that runs Pulumi: absolute, or relative to the project. Without it: the secret `kubeconfig`."""
    sshPrivateKey: Input[str]
    """The private key that opens the nodes. Allowed: a private key. Without it: the SSH agent's keys."""
    sshReadingPrivateKey: Input[str]
    """The private key of `reading.user`. Allowed: a private key."""
    kubeconfig: Input[str]
    """For what the stack keeps in the cluster itself: Alloy, dashboards, alerts. Allowed: the text of a kubeconfig
    for the cluster."""
