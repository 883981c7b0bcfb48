"""Who may read and who may write: an account that only reads, keys of an SSH agent, previews that read nothing."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab import node as lab_node
from lab.api import Lab, Node
from lab.environment import environment
from lab.paths import REPOSITORY
from lab.stack import PROJECT, PulumiStack
from tests.lab.test_first_stack import POLICY, hashes, process_ids

READER = "auditor"
SUDOERS = f"/etc/sudoers.d/{READER}"
REMOVE_READER = f"rm -f {SUDOERS}; userdel --remove {READER}"
FACTS = "/etc/kubernetes/audit-logging/facts"


@pytest.fixture(scope="module")
def reading_key(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The key of an account on the node that may run the facts script as root, by the sudoers line of the README."""
    node.run(REMOVE_READER, check=False)  # what a run that was killed may have left
    key = tmp_path_factory.mktemp("reader") / "id_ed25519"
    lab_node.make_key(key, READER)
    home = f"/home/{READER}"
    node.run(
        f"useradd --create-home --password '*' --shell /bin/sh {READER} && install -d -m 700 -o {READER} {home}/.ssh &&"
        f" echo '{key.with_suffix('.pub').read_text().strip()}' >{home}/.ssh/authorized_keys &&"
        f" chown -R {READER} {home}/.ssh &&"
        f" echo '{READER} ALL=(root) NOPASSWD: {FACTS} \"\"' >{SUDOERS} && chmod 440 {SUDOERS}"
    )
    yield key
    node.run(REMOVE_READER, check=False)


@pytest.fixture(scope="module")
def reading_stack(lab: Lab, stack: PulumiStack, reading_key: Path) -> PulumiStack:
    """A stack that has been applied, whose previews read with the other account."""
    stack.run("up", "--yes", "--skip-preview")
    stack.configure(lab.state, {"reading": {"user": READER}})
    stack.set_secret("sshReadingPrivateKey", reading_key.read_text())
    return stack


def without_key(stack: PulumiStack) -> None:
    """Takes the key that can write out of the stack's configuration."""
    written = yaml.safe_load(stack.file.read_text())
    written["config"].pop(f"{PROJECT}:sshPrivateKey")
    stack.file.write_text(yaml.safe_dump(written, sort_keys=False))


def test_the_reading_account_can_read_the_facts_and_nothing_else(node: Node, reading_stack: PulumiStack) -> None:
    assert reading_stack.name
    as_reader = f"setpriv --reuid={READER} --regid={READER} --init-groups"
    assert node.run(f"{as_reader} sudo -n {FACTS}").stdout.startswith("format 1\n")
    for command in (f"{FACTS} policy=/etc/shadow", "cat /etc/shadow", "sh /etc/kubernetes/audit-logging/node.sh facts"):
        refused = node.run(f"{as_reader} sudo -n {command}", check=False)
        assert refused.returncode != 0
        assert "password is required" in refused.stderr


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


def test_an_up_takes_the_key_from_the_agent_and_keeps_none_in_the_state(
    reading_stack: PulumiStack, tmp_path: Path
) -> None:
    before = reading_stack.file.read_text()
    without_key(reading_stack)
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
    reading_stack.file.write_text(before)


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


def test_a_node_that_is_gone_stops_nobody(lab: Lab, stack: PulumiStack) -> None:
    there, lost = lab.state.nodes[0], {"name": "cp9", "host": "192.0.2.1", "gone": True}
    entry = {"name": there.name, "host": there.address, "user": lab_node.OPERATOR, "hostKey": there.host_key}
    stack.configure(lab.state, {"nodes": [entry, lost | {"hostKey": there.host_key}]})
    stack.run("up", "--yes", "--skip-preview")
    stack.run("preview", "--expect-no-changes")
    stack.run("destroy", "--yes", "--skip-preview")
