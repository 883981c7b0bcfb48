"""Who may read and who may write: an account that only reads, keys of an SSH agent, previews that read nothing."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.events.history_text import read_kept
from auditlog.events.in_force import read_history
from auditlog.policy.validate import policy_as_read
from auditlog.settings.package_schema import NAME
from lab import cgroups
from lab import node as lab_node
from lab.api import Lab, Node
from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.ci_jobs import SYSTEMS, job_of
from tests.lab.reading_job import (
    FACTS,
    IN_THE_CLUSTER,
    ON_THE_NODE,
    READER,
    TO_READ,
    ReadingJob,
    ssh,
    users_of,
    writers,
)
from tests.lab.test_first_stack import POLICY, hashes, process_ids
from tests.unit.docs.pages import ROOT, blocks

SUDOERS = f"/etc/sudoers.d/{READER}"
REMOVE_READER = f"rm -rf {SUDOERS} /tmp/own; userdel --remove {READER}"
PAGE = [block.text for block in blocks(ROOT / "docs/access.md")]
"""The page's lines for an account that reads are what the lab uses."""
KUBECONFIG = REPOSITORY / ".kubeconfig-access"
ALERTS = {"loki": "configmap", "namespace": "default"}
IN_CLUSTER: dict[str, Any] = {"alerts": ALERTS, "kubeconfigFile": KUBECONFIG.name}


def documented(mark: str) -> str:
    """The one block of the page with ``mark`` in it."""
    (found,) = (text for text in PAGE if mark in text)
    return found


@pytest.fixture(scope="module")
def reading_key(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The key of an account on the node that may run the facts script as root, by the lines of docs/access.md."""
    node.run(REMOVE_READER, check=False)  # what a run that was killed may have left
    key = tmp_path_factory.mktemp("reader") / "id_ed25519"
    lab_node.make_key(key, READER)
    home, public = f"/home/{READER}", key.with_suffix(".pub").read_text().strip()
    authorized = documented(f'command="sudo -n {FACTS}"').replace("ssh-ed25519 AAAA…", public)
    node.run(
        f"useradd --create-home --password '*' --shell /bin/sh {READER} && install -d -m 700 -o {READER} {home}/.ssh &&"
        f" cat >{home}/.ssh/authorized_keys <<'END' && chown -R {READER} {home}/.ssh\n{authorized}END\n"
    )
    rights = documented(f"NOPASSWD: {FACTS}")
    node.run(f"cat >{SUDOERS} <<'END' && chmod 440 {SUDOERS} && visudo -c -q -f {SUDOERS}\n{rights}END\n")
    yield key
    node.run(REMOVE_READER, check=False)


@pytest.fixture(scope="module")
def reading_stack(lab: Lab, stack: PulumiStack, reading_key: Path) -> PulumiStack:
    """A stack that has been applied, whose previews read with the other account."""
    stack.run("up", "--yes", "--skip-preview")
    stack.configure(lab.state, {"reading": {"user": READER}})
    stack.set_secret("sshReadingPrivateKey", reading_key.read_text())
    return stack


PART = "app.kubernetes.io/part-of=kubernetes-audit"


def everything(node: Node) -> str:
    """Hashes of the files that a change of the node would touch, and its API servers."""
    files = "find /etc/kubernetes /etc/sudoers.d /home/auditor -type f -exec sha256sum {} + | sort -k 2"
    return node.run(files).stdout + str(process_ids(node))


def objects(lab: Lab) -> str:
    return lab.kubectl("get", "configmaps,pods,namespaces,clusterrolebindings", "-A", "-o", "name")


def without_key(stack: PulumiStack) -> None:
    """Takes the key that can write out of the stack's configuration."""
    written = yaml.safe_load(stack.file.read_text())
    written["config"].pop(f"{NAME}:sshPrivateKey")
    stack.file.write_text(yaml.safe_dump(written, sort_keys=False))


def test_the_reading_account_can_read_the_facts_and_nothing_else(node: Node, reading_stack: PulumiStack) -> None:
    assert reading_stack.name
    as_reader = f"setpriv --reuid={READER} --regid={READER} --init-groups sh -c"
    assert node.run(f"{as_reader} 'sudo -n {FACTS}'").stdout.startswith("format 1\n")
    before = everything(node)
    for what, (command, refusal) in ON_THE_NODE.items():
        tried = node.run(f"{as_reader} {shlex.quote(command)}", check=False)
        assert tried.returncode != 0, what
        assert re.search(refusal, tried.stdout + tried.stderr), (what, tried.stderr)
    assert everything(node) == before


def test_the_drift_watch_keeps_the_policy_that_the_reading_account_sees(
    node: Node, reading_stack: PulumiStack, tmp_path: Path
) -> None:
    on_the_node = everything(node)
    variables = environment(reading_stack.paths) | {"STACK_FILE": str(reading_stack.file)}
    command = [str(REPOSITORY / "ci/drift"), reading_stack.name, str(tmp_path)]
    watched = subprocess.run(command, env=variables, text=True, capture_output=True, check=False)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert f"the nodes were read as {READER}" in " ".join(watched.stdout.split())
    *_, running, since = read_history(read_kept(tmp_path / "policies.json"), policy_as_read).of(node.name)
    assert (running.unknown, since.unknown) == ("", "nobody has looked since")
    assert running.policies[0].source == f"policy {node.sha256(POLICY)[:12]}"
    assert everything(node) == on_the_node


def test_a_preview_with_the_reading_account_is_unchanged_and_sees_drift(node: Node, reading_stack: PulumiStack) -> None:
    reading_stack.run("preview", "--expect-no-changes")
    kept = node.run(f"cat {POLICY}").stdout
    node.run(f"echo '# by hand' >>{POLICY}")
    try:
        preview = reading_stack.run("preview").stdout
    finally:
        node.run(f"cat >{POLICY} <<'END'\n{kept}END\n")
    assert f"the policy file {POLICY} was edited since this stack wrote it" in preview
    assert "-# by hand" in preview


def test_a_preview_needs_no_key_that_can_write(reading_stack: PulumiStack) -> None:
    before = reading_stack.file.read_text()
    without_key(reading_stack)
    try:
        reading_stack.run("preview")
        refused = reading_stack.run("up", "--yes", "--skip-preview", check=False)
    finally:
        reading_stack.file.write_text(before)
    assert refused.returncode != 0
    assert "sshPrivateKey: is missing; allowed: a private key" in refused.stdout


def test_an_up_takes_the_key_from_the_agent_and_the_kubeconfig_from_a_file_and_keeps_neither_in_the_state(
    lab: Lab, reading_stack: PulumiStack, tmp_path: Path
) -> None:
    reading_stack.configure(lab.state, {"reading": {"user": READER}, **IN_CLUSTER})
    without_key(reading_stack)
    KUBECONFIG.write_text(lab.paths.kubeconfig.read_text())
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        while not socket.exists():
            assert agent.poll() is None
            time.sleep(0.01)
        variables = environment(reading_stack.paths) | {"SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", str(reading_stack.paths.ssh_key)], check=True, env=variables, capture_output=True)
        result = subprocess.run(
            reading_stack.command("up", "--yes", "--skip-preview"),
            cwd=REPOSITORY,
            env=variables,
            text=True,
            capture_output=True,
            check=False,
        )
        agent.terminate()
    assert result.returncode == 0, result.stdout + result.stderr
    exported = reading_stack.run("stack", "export", "--show-secrets").stdout
    assert "PRIVATE KEY" not in exported
    assert f'"kubeconfig": "{KUBECONFIG.name}"' in exported
    assert "client-key-data" not in exported


@pytest.fixture(scope="module")
def readers_kubeconfig(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A kubeconfig with the token of the account of docs/access.md."""
    account = tmp_path_factory.mktemp("account") / "account.yaml"
    account.write_text(documented("kind: ServiceAccount"))
    lab.kubectl("apply", "-f", str(account))
    (command,) = documented("kubectl create token").splitlines()
    token = lab.kubectl(*command.split()[1:]).strip()
    kubeconfig = yaml.safe_load(lab.paths.kubeconfig.read_text())
    return yaml.safe_dump({**kubeconfig, "users": [{"name": kubeconfig["users"][0]["name"], "user": {"token": token}}]})


def test_nothing_that_a_preview_was_given_can_write(
    lab: Lab, node: Node, reading_stack: PulumiStack, reading_key: Path, readers_kubeconfig: str, tmp_path: Path
) -> None:
    job = ReadingJob.of(reading_stack, tmp_path, readers_kubeconfig)
    previewed = job.preview()
    assert previewed.returncode == 0, previewed.stdout
    assert "no changes" in previewed.stdout
    assert job.private_keys() == {reading_key.read_text().strip()}
    assert job.cluster_users() == {*users_of(readers_kubeconfig)} != set()
    before = everything(node), objects(lab)

    assert writers(node, job.private_keys(), tmp_path) == []
    for command in ("id", "cat /etc/kubernetes/admin.conf", "sftp-server"):
        assert ssh(node, reading_key, READER, command).stdout.startswith("format 1\n"), "the key starts one script"
    assert "Permission denied" in ssh(node, reading_key, "root", "true").stderr
    tunnel = ssh(node, reading_key, READER, "-W", "127.0.0.1:2379")
    assert "administratively prohibited" in tunnel.stderr

    (tmp_path / "kubeconfig").write_text(readers_kubeconfig)
    (kept,) = lab.kubectl("get", "configmaps", "-n", "default", "-l", PART, "-o", "name").split()
    for what, words in (*IN_THE_CLUSTER.items(), *TO_READ.items()):
        said = [
            word.format(object=kept, node=node.name) if "{object}" in word or "{node}" in word else word
            for word in words
        ]
        tried = job.run("kubectl", f"--kubeconfig={tmp_path}/kubeconfig", *said)
        assert tried.returncode != 0, what
        assert "forbidden" in tried.stdout.lower(), (what, tried.stdout)
        if what in IN_THE_CLUSTER:
            lab.kubectl(*said, "--dry-run=server")

    for words in (("up", "--yes", "--skip-preview"), ("destroy", "--yes", "--skip-preview")):
        assert job.pulumi(*words).returncode != 0
    assert job.run(str(REPOSITORY / "ci/deploy"), job.stack.name, str(job.artifacts)).returncode != 0
    assert (everything(node), objects(lab)) == before


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_ci_system_previews_with_what_reads_and_gives_no_preview_what_writes(
    reading_stack: PulumiStack, reading_key: Path, readers_kubeconfig: str, tmp_path: Path, system: str
) -> None:
    run = job_of(system, "preview", reading_stack.name)
    job = ReadingJob.of(reading_stack, tmp_path, readers_kubeconfig)
    job = replace(job, given={**job.given, **run.variables})
    folder = REPOSITORY / "preview" / reading_stack.name
    try:
        previewed = job.run("sh", "-c", run.script)
        assert previewed.returncode == 0, previewed.stdout
        assert "no changes" in (folder / "summary.md").read_text()
        assert job.private_keys() == {reading_key.read_text().strip()}
        refused = job.run("sh", "-c", job_of(system, "deploy", reading_stack.name).script)
        assert refused.returncode != 0, refused.stdout
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_such_a_preview_shows_what_would_change_in_the_cluster(
    lab: Lab, reading_stack: PulumiStack, readers_kubeconfig: str, tmp_path: Path
) -> None:
    alerts = {**ALERTS, "disable": ["mass-deletion"]}
    reading_stack.configure(lab.state, {"reading": {"user": READER}, **IN_CLUSTER, "alerts": alerts})
    without_key(reading_stack)
    previewed = ReadingJob.of(reading_stack, tmp_path, readers_kubeconfig).preview()
    assert previewed.returncode == 0, previewed.stdout
    assert "| `loki-rules` | update |" in previewed.stdout
    KUBECONFIG.unlink()
    KUBECONFIG.write_text(lab.paths.kubeconfig.read_text())
    reading_stack.configure(lab.state, {"reading": {"user": READER}})
    reading_stack.run("up", "--yes", "--skip-preview")
    KUBECONFIG.unlink()


def test_a_preview_that_reads_no_node_shows_no_change_and_says_what_is_not_checked(
    lab: Lab, node: Node, stack: PulumiStack
) -> None:
    stack.configure(lab.state, {"liveRead": "off"})
    before, processes = hashes(node), process_ids(node)
    preview = stack.run("preview", "--expect-no-changes").stdout
    assert "liveRead is off: cp1 not read" in preview
    refused = stack.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    assert "cp1 would be changed unread" in refused.stdout
    assert (hashes(node), process_ids(node)) == (before, processes)
    stack.configure(lab.state, {})


def test_an_up_with_the_digest_of_an_older_preview_changes_nothing(
    lab: Lab, node: Node, stack: PulumiStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.configure(lab.state, {"auditLog": {"maxAge": 31}})
    (digest,) = set(re.findall(r"plan digest: ([0-9a-f]{64})", stack.run("preview").stdout))
    node.run(f"echo '# by hand' >>{POLICY}")
    before = hashes(node)
    monkeypatch.setenv("KUBERNETES_AUDIT_PLAN_DIGEST", digest)
    refused = stack.run("up", "--yes", "--skip-preview", check=False)
    assert refused.returncode != 0
    assert "The plan is not the one that was previewed; nothing was changed" in refused.stdout
    assert hashes(node) == before
    assert "# by hand" in node.run(f"cat {POLICY}").stdout


def test_switching_off_shows_and_makes_the_reverse_edit_and_switching_on_comes_back(
    lab: Lab, node: Node, stack: PulumiStack
) -> None:
    stack.configure(lab.state, {})
    stack.run("up", "--yes", "--skip-preview")
    stack.configure(lab.state, {"enabled": False})
    preview = stack.run("preview", "--diff").stdout
    assert "\n-    - --audit-log-path=" in preview
    assert "\n+    - --" not in preview
    stack.run("up", "--yes", "--skip-preview")
    assert node.run(f"ls {POLICY} 2>/dev/null || true").stdout == ""
    stack.run("preview", "--expect-no-changes")
    lab.wait_ready()


def test_a_node_that_is_gone_stops_nobody_and_a_removal_shows_no_text_in_a_command_line(
    lab: Lab, node: Node, stack: PulumiStack
) -> None:
    there, lost = lab.state.nodes[0], {"name": "cp9", "host": "192.0.2.1", "gone": True}
    entry = {"name": there.name, "host": there.address, "user": lab_node.OPERATOR, "hostKey": there.host_key}
    stack.configure(lab.state, {"nodes": [entry, lost | {"hostKey": there.host_key}]})
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    seen = commands_during(lambda: stack.run("destroy", "--yes", "--skip-preview"), node)
    assert "restore-manifest" in seen
    assert "restore-kubeadm-config" in seen
    assert TEXTS not in seen, "everybody on the node can read a command line"


TEXTS = "apiVersion: "
"""In the manifest and in kubeadm-config."""


def commands_during(act: Callable[[], object], node: Node) -> str:
    """The command lines of the node's processes, of all the time that ``act`` takes."""
    seen: set[bytes] = set()
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act)
        while not acting.done():
            for process in cgroups.processes(node.state.cgroup):
                with contextlib.suppress(OSError):
                    seen.add(Path(f"/proc/{process}/cmdline").read_bytes())
            time.sleep(0.05)
        acting.result()
    return b"\n".join(sorted(seen)).replace(b"\0", b" ").decode(errors="replace")
