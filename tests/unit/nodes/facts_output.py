"""What node/facts.sh prints for a node with these facts, for tests that have no such node."""

from __future__ import annotations

import base64

from auditlog.nodes.facts import Facts, RemoteFile


def facts_output(facts: Facts) -> str:
    """The text that ``parse_facts`` turns into ``facts`` again. Stray manifests are written as such pods."""
    lines = ["format 1", f"hostname {facts.hostname}"]
    if facts.node_name is not None:
        lines.append(f"node-name {facts.node_name}")
    if facts.role is not None:
        lines.append(f"role {facts.role}")
    lines.append(f"kubelet {'running' if facts.kubelet_runs else 'stopped'}")
    for name, written in (
        ("manifest", facts.written.manifest),
        ("policy", facts.written.policy),
        ("kubeadm-config", facts.written.kubeadm_config),
    ):
        if written is not None:
            lines.append(f"written {name} {written}")
    if facts.policy_path is not None:
        lines.append(f"policy-path {encoded(facts.policy_path)}")
    if facts.log_path is not None:
        lines.append(f"log-path {encoded(facts.log_path)}")
    if facts.webhook_path is not None:
        lines.append(f"webhook-path {encoded(facts.webhook_path)}")
    for name, file in (
        ("manifest", facts.manifest),
        ("policy", facts.policy),
        ("before-manifest", facts.before_manifest),
        ("before-policy", facts.before_policy),
        ("before-kubeadm-config", facts.before_kubeadm_config),
        ("owner", RemoteFile(f"{facts.owner}\n", 1, 1, "600") if facts.owner else None),
        ("entry", RemoteFile(f"{facts.entry}\n", 1, 1, "600") if facts.entry else None),
        ("former-owner", RemoteFile(f"{facts.former_owner}\n", 1, 1, "600") if facts.former_owner else None),
        ("edits-back", RemoteFile("yes\n", 1, 1, "600") if facts.edits_back else None),
        ("owned", RemoteFile(f"{facts.owned}\n", 1, 1, "600") if facts.owned else None),
        (
            "owned-kubeadm-config",
            RemoteFile(f"{facts.owned_kubeadm_config}\n", 1, 1, "600") if facts.owned_kubeadm_config else None,
        ),
    ):
        lines.append(f"file {name} {_file(file, facts.policy_folder_changed if name == 'policy' else 0)}")
    lines += [
        f"scripts {facts.scripts_sha256 or f'absent {facts.scripts_folder_changed}'}",
        f"staged-policy {facts.staged_policy_sha256 or 'absent'}",
    ]
    if facts.webhook is not None:
        lines.append(f"webhook {facts.webhook.sha256} {facts.webhook.changed} {facts.webhook.modified}")
    lines.append(f"staged-webhook {facts.staged_webhook_sha256 or 'absent'}")
    if facts.proof is not None:
        lines.append(f"proof {encoded(facts.proof)}")
    if facts.unproven is not None:
        lines.append(f"unproven {encoded(facts.unproven)}")
    if facts.unfinished_change:
        lines.append(f"file journal 1 1 600 {encoded('')}")
    lines += [
        f"static-pod {encoded(stray.name)} {encoded('metadata: {name: kube-apiserver}')} {stray.changed}"
        for stray in facts.stray_manifests
    ]
    for process in facts.processes:
        command_line = "".join(f"{argument}\0" for argument in process.arguments)
        identity = f" {process.identity}" if process.identity else ""
        lines.append(f"process {process.pid} {process.started} {encoded(command_line)}{identity}")
    for sign in facts.cluster:
        told = f" {encoded(sign.sentence)}" if sign.sentence else ""
        lines.append(f"cluster {sign.health} {sign.kind} {sign.subject}{told}")
    lines += [
        f"log-used-bytes {facts.log_used_bytes}",
        f"log-free-bytes {facts.log_free_bytes}",
        f"log-size-bytes {facts.log_size_bytes}",
        f"log-written {facts.log_written_bytes} {facts.log_written_seconds}",
    ]
    if facts.log_read_only is not None:
        lines.append(f"log-folder-read-only {encoded(facts.log_read_only)}")
    if facts.memory_available_bytes is not None:
        lines.append(f"memory-available-bytes {facts.memory_available_bytes}")
    lines.append(f"memory-running-bytes {facts.memory_running_bytes}")
    if facts.redirect_tool is not None:
        lines.append(f"redirect-tool {facts.redirect_tool}")
    if facts.firewall:
        lines.append(f"firewall {encoded(facts.firewall)}")
    if facts.flagz is not None:
        lines.append(f"flagz {encoded(facts.flagz)}")
    if facts.kubeadm_config is not None:
        kind = "kubeadm-config-kept" if facts.kubeadm_config.stale else "kubeadm-config"
        lines.append(f"{kind} {facts.kubeadm_config.resource_version} {encoded(facts.kubeadm_config.text)}")
    if facts.kubeadm_config_error is not None:
        lines.append(f"kubeadm-config-error {encoded(facts.kubeadm_config_error)}")
    lines += [f"missing-tool {tool}" for tool in facts.missing_tools]
    return "\n".join([*lines, "end", ""])


def _file(file: RemoteFile | None, folder_changed: int) -> str:
    if file is None:
        return f"absent {folder_changed}"
    return f"{file.changed} {file.modified} {file.mode} {encoded(file.text)}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
