"""What a node said of itself: the parser of ``node/facts.sh`` and the typed result.

The output is one fact a line, texts in base64; it ends with ``end``, so that a connection that broke half-way is
noticed. Times are seconds since the epoch, sizes bytes.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum

from auditlog.errors import AuditlogError
from auditlog.manifest import yaml_edit
from auditlog.manifest.desired import sha256
from auditlog.manifest.yaml_edit import YamlEditError

ABSENT = "absent"
CANARY = "kube-apiserver-canary"
POD_LOGS = "/var/log/pods"


class FactsError(AuditlogError):
    """The node's answer cannot be understood; the message says which line."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file on the node whose text, with credentials in it, stays there."""

    sha256: str
    """Of its bytes."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    modified: int
    """Its mtime, in seconds since the epoch."""

    @property
    def token(self) -> str:
        """As ``RemoteFile.token``."""
        return f"{self.sha256}@{self.changed}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A text file on the node."""

    text: str
    """Its content."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    modified: int
    """Its mtime, in seconds since the epoch."""
    mode: str
    """Its permissions, in octal digits."""

    @property
    def hashed(self) -> HashedFile:
        return HashedFile(sha256(self.text), self.changed, self.modified)

    @property
    def token(self) -> str:
        """Names this content at this time: the same edit made once more has another token (reference/pulumi.md 8)."""
        return self.hashed.token


@dataclass(frozen=True, slots=True)
class Process:
    """A running API server."""

    pid: int
    """Its process id."""
    started: int
    """When it started, in seconds since the epoch."""
    arguments: tuple[str, ...]
    """Its argument list."""
    identity: str = ""
    """`PID:TICKS` by the kernel's count since the boot, which setting the clock does not move; empty if the installed
    script predates it."""

    @property
    def token(self) -> str:
        """Names this very process to the node."""
        return self.identity or f"{self.pid}@{self.started}"


@dataclass(frozen=True, slots=True)
class KubeadmConfig:
    """ClusterConfiguration in the ConfigMap kubeadm-config."""

    text: str
    """The YAML."""
    resource_version: str
    """The resourceVersion at which it was read."""
    stale: bool = False
    """Whether it was read when the change began that is unfinished now, because no API server can be asked."""

    @property
    def token(self) -> str:
        return f"{sha256(self.text)}@{self.resource_version}"


@dataclass(frozen=True, slots=True)
class StrayManifest:
    """A file beside the API server's manifest that defines that pod as well."""

    name: str
    """Its name; bytes that are no printable UTF-8 are shown as escapes."""
    changed: int
    """Its ctime, in seconds since the epoch."""
    plain: bool = True
    """Whether `name` is the name itself, without escapes."""


class Role(StrEnum):
    """What a node is to kubeadm: it has the administrator's kubeconfig, only kubelet's own, or neither."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Written:
    """Hashes of what the stack last wrote or took over on a node."""

    manifest: str | None = None
    """Of the manifest; None if it never did."""
    policy: str | None = None
    """Of the policy; None if it never did."""
    kubeadm_config: str | None = None
    """Of ClusterConfiguration; None if it never did."""


class Health(StrEnum):
    """What is known of a part of the cluster."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"


class SignKind(StrEnum):
    """The parts of a cluster that a node looks at (node/cluster.sh)."""

    API = "api"
    ETCD = "etcd"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Sign:
    """What a node saw of one part of its cluster."""

    health: Health
    """How it is."""
    kind: SignKind
    """Which part it is."""
    subject: str
    """The URL of an API server or etcd, `-` if it has none; or the name of a node."""
    sentence: str = ""
    """What is wrong; empty if it is ok."""

    def is_about(self, kind: SignKind, subject: str) -> bool:
        return (self.kind, self.subject) == (kind, subject)


@dataclass(frozen=True, slots=True)
class Facts:
    """One node as it is. Sizes are bytes, times are seconds since the epoch."""

    hostname: str
    """The machine's host name."""
    manifest: RemoteFile | None
    """The static pod's manifest; None if there is none."""
    policy: RemoteFile | None
    """The policy file at `policy_path`; None if there is none."""
    before_manifest: RemoteFile | None
    """The manifest from before this program's first change; None before that."""
    before_policy: RemoteFile | None
    """The policy from before this program's first change; None if there was none."""
    before_kubeadm_config: RemoteFile | None
    """ClusterConfiguration from before this program's first change; None before that."""
    owner: str | None
    """The stack that changed the node; None if none did."""
    scripts_sha256: str | None
    """Of the installed scripts; None if there are none."""
    staged_policy_sha256: str | None
    """Of the policy that waits for its manifest; None if none does."""
    unfinished_change: bool
    """Whether a change began and did not end."""
    stray_manifests: tuple[StrayManifest, ...]
    """Other files in kubelet's folder that define the API server."""
    processes: tuple[Process, ...]
    """The API servers that run."""
    log_free_bytes: int
    """What the log's file system has left; 0 if that is not known."""
    kubeadm_config: KubeadmConfig | None
    """ClusterConfiguration; None if the node was not asked or could not tell."""
    kubeadm_config_error: str | None
    """Why it could not tell; None if it could."""
    missing_tools: tuple[str, ...]
    """Programs that the scripts require and the node lacks."""
    policy_path: str | None = None
    """Where the node looked for the policy, empty for nowhere; None if the installed script predates this fact."""
    log_path: str | None = None
    """Where the node looked for the log, empty for nowhere; None if the installed script predates this fact."""
    log_used_bytes: int = 0
    """What the log and its rotated files take."""
    owned: str | None = None
    """The record of what of the manifest is the stack's own; None if there is none."""
    owned_kubeadm_config: str | None = None
    """The record of what of ClusterConfiguration is the stack's own; None if there is none."""
    webhook: HashedFile | None = None
    """The webhook's kubeconfig, as a hash; None if there is none."""
    webhook_path: str | None = None
    """Where the node looked for it, empty for nowhere; None if the installed script predates this fact."""
    staged_webhook_sha256: str | None = None
    """Of the kubeconfig that waits for its manifest; None if none does."""
    log_size_bytes: int = 0
    """The size of the log's file system; 0 if that is not known."""
    log_read_only: str | None = None
    """The log's folder, or the nearest one above that exists, if nothing can be written there; else None."""
    role: Role | None = None
    """What the node is to kubeadm; None if the installed script predates this fact."""
    kubelet_runs: bool = True
    """Whether kubelet runs."""
    written: Written = Written()
    """What the stack wrote last."""
    policy_folder_changed: int = 0
    """The ctime of the policy's folder, if the file is absent."""
    memory_available_bytes: int | None = None
    """What the node could give another process; None if that is not known."""
    memory_running_bytes: int = 0
    """What the running API server takes."""
    redirect_tool: str | None = None
    """`iptables` or `nft`; None if the node has neither."""
    unfinished_sha256: frozenset[str] = frozenset()
    """Hashes of the manifests and the policy that the unfinished change may have left."""
    proof: str | None = None
    """The note of the last proof that events arrive (`auditlog.proof.verdict`); None if there is none."""
    unproven: str | None = None
    """The last update that came to the node; None if a proof followed it, or the scripts do not say."""
    log_written_bytes: int = 0
    """What was written to the log in `log_written_seconds`, as far as uncompressed files tell; 0 if none do."""
    log_written_seconds: int = 0
    """Seconds over which `log_written_bytes` was counted."""
    scripts_folder_changed: int = 0
    """The ctime of the folder that the scripts are missing from."""
    firewall: str = ""
    """Why connections to the API's port may be treated differently on another port; empty if nothing does."""
    loopback_clients: tuple[str, ...] = ()
    """Programs and static pods that reach the API over 127.0.0.1."""
    pod_logs: str = POD_LOGS
    """The folder where kubelet keeps what containers write."""
    node_name: str | None = None
    """The machine's name in its cluster; None if the installed script predates this fact."""
    entry: str | None = None
    """The name in `nodes` under which the stack changed the machine last; None if none is on record."""
    edits_back: bool = False
    """Whether the node has on record that its deletions make the earlier texts by edits."""
    former_owner: str | None = None
    """The owner from which `owner` took the machine over; None if nobody did."""
    cluster: tuple[Sign, ...] = ()
    """What the node saw of its cluster; empty if the installed script predates this fact."""
    flagz: str | None = None
    """The lines of /flagz on audit flags (`auditlog.nodes.flagz`); None if the API server was not asked or did not say.
    """
    lost_owner: str | None = None
    """What a power cut left of the record of the owner, which is then no `owner`; None if nothing was lost. A version
    that did not sync its records may have left it empty."""

    @property
    def scripts_token(self) -> str:
        """Names the installed scripts, or their absence at this time."""
        return self.scripts_sha256 or f"none@{self.scripts_folder_changed}"

    @property
    def policy_token(self) -> str:
        """Names the policy file at this time, its absence included."""
        return self.policy.token if self.policy else f"{ABSENT}@{self.policy_folder_changed}"

    @property
    def changed_by_stack(self) -> bool:
        """Whether the live files are a stack's, wholly or half-way; what was there before is recorded then."""
        return self.owner is not None or self.unfinished_change

    def last_written(self, recorded: str | None, live_sha256: str) -> str | None:
        """The hash of what the stack wrote last: ``recorded``, unless the unfinished change has left the live file."""
        return live_sha256 if live_sha256 in self.unfinished_sha256 else recorded


def parse_facts(output: str) -> Facts:
    """Reads the output of ``node/facts.sh``. Raises FactsError."""
    lines = output.splitlines()
    if not lines or lines[0] != "format 1":
        cause = "; the account's shell prints that, also where nobody is at a terminal" if "format 1" in lines else ""
        raise FactsError(f"the answer does not start with 'format 1' but with {lines[0] if lines else ''!r}{cause}")
    if lines[-1] != "end":
        raise FactsError("the answer breaks off before its end")
    files: dict[str, RemoteFile | None] = {}
    single: dict[str, str] = {}
    static_pods: list[tuple[StrayManifest, str | None]] = []
    written: dict[str, str] = {}
    policy_folder_changed = 0
    scripts_folder_changed = 0
    log_written = (0, 0)
    processes: list[Process] = []
    cluster: list[Sign] = []
    missing_tools: list[str] = []
    kubeadm_config = webhook = None
    for number, line in enumerate(lines[1:-1], start=2):
        kind, *words = line.split(" ")
        try:
            match kind:
                case "file":
                    files[words[0]] = _file(words[0], words[1:])
                    if words[:2] == ["policy", ABSENT]:
                        policy_folder_changed = _time(words, 2)
                case "static-pod":
                    text = _bytes(words[1]).decode(errors="replace")
                    static_pods.append((_stray(_bytes(words[0]), _time(words, 2)), apiserver_pod(text)))
                case "cluster":
                    cluster.append(_sign(words))
                case "process":
                    processes.append(_process(words))
                case "kubeadm-config" | "kubeadm-config-kept":
                    stale = kind == "kubeadm-config-kept"
                    kubeadm_config = KubeadmConfig(text=_text(words[1]), resource_version=words[0], stale=stale)
                case "written":
                    written[words[0]] = words[1]
                case (
                    "kubeadm-config-error"
                    | "policy-path"
                    | "log-path"
                    | "webhook-path"
                    | "log-folder-read-only"
                    | "proof"
                    | "unproven"
                    | "firewall"
                    | "loopback-clients"
                    | "flagz"
                    | "pod-logs"
                ):
                    single[kind] = _text(words[0])
                case "log-written":
                    log_written = (int(words[0]), int(words[1]))
                case "webhook":
                    webhook = None if words == ["absent"] else HashedFile(words[0], int(words[1]), int(words[2]))
                case "missing-tool":
                    missing_tools.append(words[0])
                case "scripts":
                    single[kind] = words[0]
                    if words[0] == ABSENT:
                        scripts_folder_changed = _time(words, 1)
                case "hostname" | "node-name" | "role" | "kubelet" | "redirect-tool":
                    single[kind] = words[0]
                case "staged-policy" | "staged-webhook":
                    single[kind] = words[0]
                case "memory-available-bytes" | "memory-running-bytes":
                    single[kind] = words[0]
                case "log-free-bytes" | "log-used-bytes" | "log-size-bytes":
                    single[kind] = words[0]
                case _:
                    raise FactsError(f"line {number}: unknown fact {kind!r}")
        except (IndexError, ValueError, binascii.Error) as error:
            raise FactsError(f"line {number}: {error}") from error
    owner, entry, former_owner = files.get("owner"), files.get("entry"), files.get("former-owner")
    journal = files.get("journal")
    expected = {None, CANARY} if journal and _names_canary(journal.text) else {None}
    try:
        return Facts(
            hostname=single["hostname"],
            manifest=files["manifest"],
            policy=files["policy"],
            before_manifest=files["before-manifest"],
            before_policy=files["before-policy"],
            before_kubeadm_config=files["before-kubeadm-config"],
            owner=_record(owner),
            scripts_sha256=_hash(single["scripts"]),
            staged_policy_sha256=_hash(single["staged-policy"]),
            unfinished_change=journal is not None,
            stray_manifests=tuple(stray for stray, pod in static_pods if pod not in expected),
            processes=tuple(processes),
            log_free_bytes=int(single["log-free-bytes"]),
            kubeadm_config=kubeadm_config,
            kubeadm_config_error=single.get("kubeadm-config-error"),
            missing_tools=tuple(missing_tools),
            policy_path=single.get("policy-path"),
            log_path=single.get("log-path"),
            log_used_bytes=int(single.get("log-used-bytes", "0")),
            owned=_record(files.get("owned")),
            owned_kubeadm_config=_record(files.get("owned-kubeadm-config")),
            webhook=webhook,
            webhook_path=single.get("webhook-path"),
            staged_webhook_sha256=_hash(single.get("staged-webhook", "absent")),
            log_size_bytes=int(single.get("log-size-bytes", "0")),
            log_read_only=single.get("log-folder-read-only"),
            role=Role(single["role"]) if "role" in single else None,
            kubelet_runs=single.get("kubelet") != "stopped",
            written=Written(written.get("manifest"), written.get("policy"), written.get("kubeadm-config")),
            policy_folder_changed=policy_folder_changed,
            memory_available_bytes=_number(single.get("memory-available-bytes")),
            memory_running_bytes=int(single.get("memory-running-bytes", "0")),
            redirect_tool=single.get("redirect-tool"),
            unfinished_sha256=_put_in_place(journal.text) if journal else frozenset(),
            proof=single.get("proof"),
            unproven=single.get("unproven"),
            log_written_bytes=log_written[0],
            log_written_seconds=log_written[1],
            scripts_folder_changed=scripts_folder_changed,
            firewall=single.get("firewall", ""),
            loopback_clients=tuple(single.get("loopback-clients", "").splitlines()),
            pod_logs=single.get("pod-logs", POD_LOGS),
            node_name=single.get("node-name"),
            entry=_record(entry),
            former_owner=_record(former_owner),
            cluster=tuple(cluster),
            flagz=single.get("flagz"),
            edits_back=_record(files.get("edits-back")) is not None,
            lost_owner=owner.text.strip() if owner and _record(owner) is None else None,
        )
    except KeyError as error:
        raise FactsError(f"the answer lacks {error}") from error


def apiserver_pod(text: str) -> str | None:
    """Which API server kubelet would run from this file: kube-apiserver, its canary, or None for none of them.

    A half-written file that is no YAML yet counts when it names that pod: kubelet tries it again until it is.
    """
    try:
        document = yaml_edit.load(text)
    except YamlEditError:
        found = re.search(rf"^\s*name:\s*[\"']?({CANARY}|kube-apiserver\b)", text, re.MULTILINE)
        return found.group(1) if found else None
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return None
    name = document["metadata"].get("name")
    return name if name in ("kube-apiserver", CANARY) else None


def _names_canary(journal: str) -> bool:
    """Whether the change that the journal is of has a canary, which the next run ends."""
    return re.search(r"^canary-port=\d+$", journal, re.MULTILINE) is not None


def _put_in_place(journal: str) -> frozenset[str]:
    """Hashes of what the change of the journal (node/journal.sh) writes; a quick restart has two manifests."""
    return frozenset(re.findall(r"^(?:desired|placed-first|policy-desired)=([0-9a-f]{64})$", journal, re.MULTILINE))


def _file(name: str, words: list[str]) -> RemoteFile | None:
    if words[0] == ABSENT:
        return None
    changed, modified, mode, encoded = words
    try:
        text = _text(encoded)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the {name} file is not UTF-8 text: byte {error.object[error.start]:#04x} at {error.start}"
        ) from error
    return RemoteFile(text=text, changed=int(changed), modified=int(modified), mode=mode)


def _stray(name: bytes, changed: int) -> StrayManifest:
    shown = name.decode(errors="backslashreplace")
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)
    return StrayManifest(shown, changed, plain=shown.encode() == name)


def _record(file: RemoteFile | None) -> str | None:
    """What a record of the node's scripts says. One that a power cut left empty, or without its line break, says
    nothing."""
    return file.text.strip() or None if file and file.text.endswith("\n") else None


def _time(words: list[str], index: int) -> int:
    """A time that a script on the node, which may be of an earlier version, does not say."""
    return int(words[index]) if len(words) > index else 0


def _number(word: str | None) -> int | None:
    return None if word is None else int(word)


def _hash(word: str) -> str | None:
    return None if word == ABSENT else word


def _sign(words: list[str]) -> Sign:
    health, kind, subject, *sentence = words
    return Sign(Health(health), SignKind(kind), subject, _text(sentence[0]) if sentence else "")


def _process(words: list[str]) -> Process:
    pid, started, command_line, *identity = words
    arguments = base64.b64decode(command_line, validate=True).decode(errors="replace")
    return Process(int(pid), int(started), tuple(arguments.split("\0")[:-1]), "".join(identity))


def _text(encoded: str) -> str:
    return _bytes(encoded).decode()


def _bytes(encoded: str) -> bytes:
    return base64.b64decode(encoded, validate=True)
