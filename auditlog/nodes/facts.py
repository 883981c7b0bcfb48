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

from auditlog.manifest import yaml_edit
from auditlog.manifest.desired import sha256
from auditlog.manifest.yaml_edit import YamlEditError

ABSENT = "absent"
CANARY = "kube-apiserver-canary"
POD_LOGS = "/var/log/pods"


class FactsError(ValueError):
    """The node's answer cannot be understood; the message says which line."""


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file on the node whose text, with credentials in it, stays there. ``changed`` is its ctime, ``modified`` its
    mtime."""

    sha256: str
    changed: int
    modified: int

    @property
    def token(self) -> str:
        """As ``RemoteFile.token``."""
        return f"{self.sha256}@{self.changed}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A text file on the node. ``changed`` is its ctime, ``modified`` its mtime."""

    text: str
    changed: int
    modified: int
    mode: str

    @property
    def hashed(self) -> HashedFile:
        return HashedFile(sha256(self.text), self.changed, self.modified)

    @property
    def token(self) -> str:
        """Names this content at this time: the same edit made once more has another token (reference/pulumi.md 8)."""
        return self.hashed.token


@dataclass(frozen=True, slots=True)
class Process:
    """A running API server: process id, argument list, start time.

    ``identity`` is "PID:TICKS" by the kernel's count since the boot, which setting the clock does not move; "" if the
    installed script predates it.
    """

    pid: int
    started: int
    arguments: tuple[str, ...]
    identity: str = ""

    @property
    def token(self) -> str:
        """Names this very process to the node."""
        return self.identity or f"{self.pid}@{self.started}"


@dataclass(frozen=True, slots=True)
class KubeadmConfig:
    """ClusterConfiguration in the ConfigMap, with the resourceVersion at which it was read.

    ``stale``: it was read when the change began that is unfinished now, because no API server can be asked.
    """

    text: str
    resource_version: str
    stale: bool = False

    @property
    def token(self) -> str:
        return f"{sha256(self.text)}@{self.resource_version}"


@dataclass(frozen=True, slots=True)
class StrayManifest:
    """A file beside the API server's manifest that defines that pod as well.

    ``name`` is its name as a person can read it: what is no printable UTF-8 is shown as an escape, and the name is
    not ``plain`` then. ``changed`` is its ctime.
    """

    name: str
    changed: int
    plain: bool = True


class Role(StrEnum):
    """What a node is to kubeadm: it has the administrator's kubeconfig, only kubelet's own, or neither."""

    CONTROL_PLANE = "control-plane"
    WORKER = "worker"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Written:
    """Hashes of what the stack last wrote or took over on a node; None for what it never did."""

    manifest: str | None = None
    policy: str | None = None
    kubeadm_config: str | None = None


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
    """What a node saw of one part of its cluster.

    ``subject`` is the URL of an API server or etcd ("-" where it has none), or the name of a node; ``sentence`` is
    empty where it is ok.
    """

    health: Health
    kind: SignKind
    subject: str
    sentence: str = ""

    def is_about(self, kind: SignKind, subject: str) -> bool:
        return (self.kind, self.subject) == (kind, subject)


@dataclass(frozen=True, slots=True)
class Facts:
    """One node as it is. A file that is absent is None.

    The ``before_`` texts are what the node keeps of the time before this program's first change; ``owner`` is the
    stack that changed it, and the ``owned`` texts are the records of what of manifest and kubeadm-config is its own.
    ``staged_policy_sha256`` is of the policy that waits there for its manifest, ``staged_webhook_sha256`` of the
    webhook's kubeconfig, of which only hashes are read. ``policy_path``, ``log_path`` and ``webhook_path`` are where
    the node looked, "" for nowhere; None when its script is of before it said so. ``log_used_bytes`` is what the log
    and its rotated files take, ``log_free_bytes`` what their file system has left of ``log_size_bytes``, 0 when that is
    not known. ``log_read_only`` is the log's folder, or the nearest one above it that is there, when nothing can be
    written there. ``policy_folder_changed`` is the ctime of the policy's folder where the file is absent.
    ``memory_available_bytes`` is what the node could give another process, ``memory_running_bytes`` what the running
    API server takes; ``redirect_tool`` is iptables or nft, None where the node has neither.
    ``unfinished_sha256`` are the hashes of the manifests and the policy that the unfinished change may have left.
    ``proof`` is the note of the last proof that events arrive (``auditlog.proof.verdict``). ``unproven`` names the last
    update that came to the node, None if a proof was kept after it or its scripts do not say. ``log_written_bytes`` is
    what was written to the log in the last ``log_written_seconds``, as far as uncompressed files tell; 0 where none do.
    ``scripts_folder_changed`` is the ctime of the folder that the scripts are missing from.
    ``firewall`` says why connections to the API's port may not be treated alike on another port, "" if nothing does.
    ``loopback_clients`` are the programs and static pods that reach the API over 127.0.0.1.
    ``pod_logs`` is the folder where kubelet keeps what containers write.
    ``node_name`` is the machine's name in its cluster, None if the installed script predates this fact.
    ``edits_back`` tells whether the node has on record that its deletions make the earlier texts by edits.
    ``entry`` is the name in ``nodes`` under which the stack changed the machine last, None if no entry was recorded.
    ``former_owner`` is the owner from which ``owner`` took the machine over, None if it was never taken over.
    ``cluster`` is what the node saw of its cluster, empty if the installed script predates this fact.
    ``flagz`` holds the lines of /flagz on audit flags (``auditlog.nodes.flagz``), None if the API server was not
    asked or did not say.
    ``lost_owner`` is what a power cut left of the record of the owner, which is then no ``owner``; None if nothing was
    lost. A version that did not sync its records may have left it empty.
    """

    hostname: str
    manifest: RemoteFile | None
    policy: RemoteFile | None
    before_manifest: RemoteFile | None
    before_policy: RemoteFile | None
    before_kubeadm_config: RemoteFile | None
    owner: str | None
    scripts_sha256: str | None
    staged_policy_sha256: str | None
    unfinished_change: bool
    stray_manifests: tuple[StrayManifest, ...]
    processes: tuple[Process, ...]
    log_free_bytes: int
    kubeadm_config: KubeadmConfig | None
    kubeadm_config_error: str | None
    missing_tools: tuple[str, ...]
    policy_path: str | None = None
    log_path: str | None = None
    log_used_bytes: int = 0
    owned: str | None = None
    owned_kubeadm_config: str | None = None
    webhook: HashedFile | None = None
    webhook_path: str | None = None
    staged_webhook_sha256: str | None = None
    log_size_bytes: int = 0
    log_read_only: str | None = None
    role: Role | None = None
    kubelet_runs: bool = True
    written: Written = Written()
    policy_folder_changed: int = 0
    memory_available_bytes: int | None = None
    memory_running_bytes: int = 0
    redirect_tool: str | None = None
    unfinished_sha256: frozenset[str] = frozenset()
    proof: str | None = None
    unproven: str | None = None
    log_written_bytes: int = 0
    log_written_seconds: int = 0
    scripts_folder_changed: int = 0
    firewall: str = ""
    loopback_clients: tuple[str, ...] = ()
    pod_logs: str = POD_LOGS
    node_name: str | None = None
    entry: str | None = None
    edits_back: bool = False
    former_owner: str | None = None
    cluster: tuple[Sign, ...] = ()
    flagz: str | None = None
    lost_owner: str | None = None

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
