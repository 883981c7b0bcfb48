"""What a node said about itself: ``Facts``, each field with the line of ``node/facts.sh`` that it is read from.

A fact is declared here once: a field with its reader and its default. The default holds for an older script on the node
that does not print the line. Times are seconds since the epoch, sizes bytes. A file that is absent is None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, get_type_hints

from auditlog.annotations.model import MADE_MARK, OWNER_MARK
from auditlog.node_paths import POD_LOGS
from auditlog.nodes.answer import (
    ABSENT,
    MISSING,
    Each,
    FactsError,
    One,
    Reader,
    Together,
    answer_of,
    folder_changed,
    number,
    sha256_or_none,
    text,
    word,
)
from auditlog.nodes.fact_types import (
    CANARY,
    HashedFile,
    KubeadmConfig,
    PolicyFile,
    PolicyFolder,
    Process,
    RemoteFile,
    Role,
    Sign,
    StaticPod,
    StrayManifest,
    Written,
    file_name,
    file_of,
    is_recorded,
    record_of,
    torn_record_of,
)


def _kubelet_runs(words: Sequence[str]) -> bool:
    return words[0] != "stopped"


def _lines(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(text(words).splitlines())


def _second_number(words: Sequence[str]) -> int:
    return int(words[1])


def _path_or_none(words: Sequence[str]) -> str | None:
    return text(words) or None


def _path_and_sha256(words: Sequence[str]) -> tuple[str, str]:
    return text(words), words[1]


def _by_name(words: Sequence[str]) -> dict[str, str]:
    found = (line.partition(" ") for line in text(words).splitlines())
    return {name: said for name, _, said in found}


def _owners(words: Sequence[str]) -> dict[str, str | None]:
    marks = {name: json.loads(said or "{}") for name, said in _by_name(words).items()}
    return {name: each.get(OWNER_MARK, None if MADE_MARK in each else "") for name, each in marks.items()}


def _dead_api(words: Sequence[str]) -> str:
    return f"{words[0]} ({words[1]})"


def _has_journal(journal: RemoteFile | None) -> bool:
    return journal is not None


def _put_in_place(journal: RemoteFile | None) -> frozenset[str]:
    """Hashes of what the change of the journal (node/journal.sh) writes; a quick restart has two manifests."""
    keys = "desired|placed-first|policy-desired|admission-desired|static-policies-desired"
    found = re.findall(rf"^(?:{keys})=([0-9a-f]{{64}})$", journal.text, re.MULTILINE) if journal else ()
    return frozenset(found)


def _ends_nothing(journal: RemoteFile | None) -> bool:
    return journal is not None and re.search(r"^reloads=yes$", journal.text, re.MULTILINE) is not None


def _strays(pods: tuple[StaticPod, ...], journal: RemoteFile | None) -> tuple[StrayManifest, ...]:
    """Files that define the API server. A canary that the journal names is none: the next run ends it."""
    has_canary = journal is not None and re.search(r"^canary-port=\d+$", journal.text, re.MULTILINE) is not None
    expected = {None, CANARY} if has_canary else {None}
    return tuple(pod.file for pod in pods if pod.apiserver not in expected)


def _kubeadm_config(read: KubeadmConfig | None, kept: KubeadmConfig | None) -> KubeadmConfig | None:
    return kept or read


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One node as it is. Sizes are bytes, times are seconds since the epoch."""

    hostname: Annotated[str, One("hostname", word)]
    """The machine's host name."""
    node_name: Annotated[str | None, One("node-name", word)] = None
    """The machine's name in its cluster; None if the installed script predates this fact."""
    role: Annotated[Role | None, One("role", Role.read)] = None
    """What the node is to kubeadm; None if the installed script predates this fact."""
    kubelet_runs: Annotated[bool, One("kubelet", _kubelet_runs)] = True
    """Whether kubelet runs."""
    missing_tools: Annotated[tuple[str, ...], Each("missing-tool", word)] = ()
    """Programs that the scripts require and the node lacks."""

    manifest: Annotated[RemoteFile | None, file_of("manifest")]
    """The static pod's manifest; None if there is none."""
    policy: Annotated[RemoteFile | None, file_of("policy")]
    """The policy file at `policy_path`; None if there is none."""
    policy_path: Annotated[str | None, One("policy-path", text)] = None
    """Where the node looked for the policy, empty for nowhere; None if the installed script predates this fact."""
    policy_folder_changed: Annotated[int, One("file policy", folder_changed)] = 0
    """The ctime of the policy's folder, if the file is absent."""
    webhook: Annotated[HashedFile | None, One("webhook", HashedFile.read)] = None
    """The webhook's kubeconfig, as a hash; None if there is none."""
    webhook_path: Annotated[str | None, One("webhook-path", text)] = None
    """Where the node looked for it, empty for nowhere; None if the installed script predates this fact."""
    admission: Annotated[RemoteFile | None, file_of("admission")] = None
    """The stack's AdmissionConfiguration; None if there is none, or the installed script predates this fact."""
    admission_folder_changed: Annotated[int, One("file admission", folder_changed)] = 0
    """The ctime of its folder, if the file is absent."""
    admission_source_path: Annotated[str | None, One("admission-source-path", _path_or_none)] = None
    """Where the API server's AdmissionConfiguration is without this stack; None for nowhere, or if the installed script
    predates this fact."""
    admission_source: Annotated[RemoteFile | None, file_of("admission-source")] = None
    """That AdmissionConfiguration; None if it is not there."""
    static_policies: Annotated[RemoteFile | None, file_of("static-policies")] = None
    """The file of admission policies that annotate; None if there is none, or the node was not asked."""
    static_policies_folder_changed: Annotated[int, One("file static-policies", folder_changed)] = 0
    """The ctime of its folder, if the file is absent."""
    stray_manifests: Annotated[
        tuple[StrayManifest, ...], Together(_strays, Each("static-pod", StaticPod.read), file_of("journal"))
    ] = ()
    """Other files in kubelet's folder that define the API server."""
    manifest_pipes: Annotated[tuple[str, ...], Each("manifest-pipe", file_name)] = ()
    """Named pipes in kubelet's folder, if kubelet waits for somebody who writes to one."""
    policy_folder: Annotated[
        PolicyFolder | None,
        Together(
            PolicyFolder.of,
            One("static-folder", _path_and_sha256),
            Each("static-file", PolicyFile.read),
            One("static-taken", word),
        ),
    ] = None
    """The folder of admission policies that the API server reads; None if there is none, or the installed script
    predates this fact."""

    before_manifest: Annotated[RemoteFile | None, file_of("before-manifest")]
    """The manifest from before this program's first change; None before that."""
    before_policy: Annotated[RemoteFile | None, file_of("before-policy")]
    """The policy from before this program's first change; None if there was none."""
    before_kubeadm_config: Annotated[RemoteFile | None, file_of("before-kubeadm-config")]
    """ClusterConfiguration from before this program's first change; None before that."""

    owner: Annotated[str | None, record_of("owner")] = None
    """The stack that changed the node; None if none did."""
    lost_owner: Annotated[str | None, torn_record_of("owner")] = None
    """What a power cut left of the record of the owner, which is then no `owner`; None if nothing was lost. A version
    that did not sync its records may have left it empty."""
    former_owner: Annotated[str | None, record_of("former-owner")] = None
    """The owner from which `owner` took the machine over; None if nobody did."""
    entry: Annotated[str | None, record_of("entry")] = None
    """The name in `nodes` under which the stack changed the machine last; None if none is on record."""
    owned: Annotated[str | None, record_of("owned")] = None
    """The record of what of the manifest is the stack's own; None if there is none."""
    owned_kubeadm_config: Annotated[str | None, record_of("owned-kubeadm-config")] = None
    """The record of what of ClusterConfiguration is the stack's own; None if there is none."""
    edits_back: Annotated[bool, is_recorded("edits-back")] = False
    """Whether the node has on record that its deletions make the earlier texts by edits."""
    written: Annotated[
        Written,
        Together(
            Written,
            One("written manifest", word),
            One("written policy", word),
            One("written kubeadm-config", word),
            One("written admission", word),
            One("written static-policies", word),
        ),
    ] = field(default_factory=Written)
    """What the stack wrote last."""

    scripts_sha256: Annotated[str | None, One("scripts", sha256_or_none)]
    """Of the installed scripts; None if there are none."""
    scripts_folder_changed: Annotated[int, One("scripts", folder_changed)] = 0
    """The ctime of the folder that the scripts are missing from."""
    staged_policy_sha256: Annotated[str | None, One("staged-policy", sha256_or_none)]
    """Of the policy that waits for its manifest; None if none does."""
    staged_webhook_sha256: Annotated[str | None, One("staged-webhook", sha256_or_none)] = None
    """Of the kubeconfig that waits for its manifest; None if none does."""
    staged_admission_sha256: Annotated[str | None, One("staged-admission", sha256_or_none)] = None
    """Of the AdmissionConfiguration that waits for its manifest; None if none does."""
    staged_static_policies_sha256: Annotated[str | None, One("staged-static-policies", sha256_or_none)] = None
    """Of the admission policies that wait for their manifest; None if none do."""
    unfinished_change: Annotated[bool, Together(_has_journal, file_of("journal"))] = False
    """Whether a change began and did not end."""
    unfinished_sha256: Annotated[frozenset[str], Together(_put_in_place, file_of("journal"))] = frozenset()
    """Hashes of the manifests and the files beside them that the unfinished change may have left."""
    unfinished_reload: Annotated[bool, Together(_ends_nothing, file_of("journal"))] = False
    """Whether that change is of admission policies alone, which an API server reads again by itself."""

    processes: Annotated[tuple[Process, ...], Each("process", Process.read)] = ()
    """The API servers that run."""
    flagz: Annotated[str | None, One("flagz", text)] = None
    """The lines of /flagz on audit flags (`auditlog.nodes.flagz`); None if the API server was not asked or did not
    say."""
    dead_apis: Annotated[tuple[str, ...], Each("dead-api", _dead_api)] = ()
    """The cluster's aggregated APIs whose backends do not answer, each with the reason; empty if nobody asked."""
    pod_logs: Annotated[str, One("pod-logs", text)] = POD_LOGS
    """The folder where kubelet keeps what containers write."""
    memory_available_bytes: Annotated[int | None, One("memory-available-bytes", number)] = None
    """What the node could give another process; None if that is not known."""
    memory_running_bytes: Annotated[int, One("memory-running-bytes", number)] = 0
    """What the running API server takes."""
    redirect_tool: Annotated[str | None, One("redirect-tool", word)] = None
    """`iptables` or `nft`; None if the node has neither."""
    firewall: Annotated[str, One("firewall", text)] = ""
    """Why connections to the API's port may be treated differently on another port; empty if nothing does."""
    loopback_clients: Annotated[tuple[str, ...], One("loopback-clients", _lines)] = ()
    """Programs and static pods that reach the API over 127.0.0.1."""

    log_path: Annotated[str | None, One("log-path", text)] = None
    """Where the node looked for the log, empty for nowhere; None if the installed script predates this fact."""
    log_used_bytes: Annotated[int, One("log-used-bytes", number)] = 0
    """What the log and its rotated files take."""
    log_free_bytes: Annotated[int, One("log-free-bytes", number)]
    """What the log's file system has left; 0 if that is not known."""
    log_size_bytes: Annotated[int, One("log-size-bytes", number)] = 0
    """The size of the log's file system; 0 if that is not known."""
    log_read_only: Annotated[str | None, One("log-folder-read-only", text)] = None
    """The log's folder, or the nearest one above that exists, if nothing can be written there; else None."""
    log_written_bytes: Annotated[int, One("log-written", number)] = 0
    """What was written to the log in `log_written_seconds`, as far as uncompressed files tell; 0 if none do."""
    log_written_seconds: Annotated[int, One("log-written", _second_number)] = 0
    """Seconds over which `log_written_bytes` was counted."""
    log_silent_seconds: Annotated[int | None, One("log-silent-seconds", number)] = None
    """Seconds since the last write to the log; None without one, or if the installed script predates this fact."""
    proof: Annotated[str | None, One("proof", text)] = None
    """The note of the last proof that events arrive (`auditlog.proof.verdict`); None if there is none."""
    unproven: Annotated[str | None, One("unproven", text)] = None
    """The last update that came to the node; None if a proof followed it, or the scripts do not say."""

    kubeadm_config: Annotated[
        KubeadmConfig | None,
        Together(
            _kubeadm_config,
            One("kubeadm-config", KubeadmConfig.read),
            One("kubeadm-config-kept", KubeadmConfig.read_kept),
        ),
    ] = None
    """ClusterConfiguration; None if the node was not asked or could not tell."""
    kubeadm_config_error: Annotated[str | None, One("kubeadm-config-error", text)] = None
    """Why it could not tell; None if it could."""
    admission_policies: Annotated[Mapping[str, str] | None, One("annotations", _by_name)] = None
    """The cluster's admission policies and bindings of annotations: what each says, as JSON, by KIND/NAME. None if the
    node was not asked or could not tell."""
    admission_policy_owners: Annotated[Mapping[str, str | None] | None, One("annotation-owners", _owners)] = None
    """The stack that made each of them, by KIND/NAME; empty where none is on record. An earlier version of this program
    recorded none: theirs are None. None if the node was not asked or could not tell, or its script predates this."""
    cluster: Annotated[tuple[Sign, ...], Each("cluster", Sign.read)] = ()
    """What the node saw of its cluster; empty if the installed script predates this fact."""

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


def _readers() -> Mapping[str, Reader]:
    hints = get_type_hints(Facts, include_extras=True)
    return {each.name: hints[each.name].__metadata__[0] for each in fields(Facts)}


READERS = _readers()
"""The reader of every field."""
_REQUIRED = frozenset(
    each.name for each in fields(Facts) if each.default is NO_DEFAULT and each.default_factory is NO_DEFAULT
)
_NAMES = frozenset(name for reader in READERS.values() for name in reader.names)


def parse_facts(output: str) -> Facts:
    """Reads the output of ``node/facts.sh``. Raises FactsError."""
    answer = answer_of(output, _NAMES)
    values: dict[str, Any] = {}
    for name, reader in READERS.items():
        value = reader.read(answer)
        if value is not MISSING:
            values[name] = value
        elif name in _REQUIRED:
            (line,) = reader.names
            raise FactsError(f"the answer lacks {line.rpartition(' ')[2]!r}")
    return Facts(**values)
