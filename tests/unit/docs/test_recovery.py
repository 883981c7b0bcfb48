"""The recovery guide's commands, run in a folder of their own in place of a node's /etc/kubernetes.

What they would ask of the node's kernel, kubelet and API server is answered by fakes, which note what they were
called with.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT, blocks, prose

PAGE = ROOT / "docs" / "guides" / "recovery.md"
STAND_INS = ("iptables", "ip6tables", "nft", "crictl", "journalctl", "kubectl", "pulumi", "pgrep", "kill")
MANIFEST, POLICY = "manifests/kube-apiserver.yaml", "audit-policy.yaml"


class Node:
    """A folder that is laid out like a node's /etc/kubernetes in the middle of a change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kubernetes, self.bin = folder, folder / "etc" / "kubernetes", folder / "bin"
        self.calls = folder / "calls"
        self.bin.mkdir(parents=True)
        for tool in STAND_INS:
            # What there is to take away is there once; then the kernel says that it is not.
            (self.bin / tool).write_text(
                f'#!/bin/sh\necho "{tool} $*" >>{self.calls}\n'
                f'case "$*" in *" -D "*) [ "$(grep -cxF -e "{tool} $*" {self.calls})" -lt 2 ] ;; *) echo 4711 ;; esac\n'
            )
            (self.bin / tool).chmod(0o755)
        self.write(MANIFEST, "new\n")
        self.write("manifests/kube-apiserver.yaml.bak", "name: kube-apiserver\n")
        self.write("manifests/kube-apiserver-canary.yaml", "name: kube-apiserver\n")
        self.write(POLICY, "new policy\n")
        self.write("audit-logging/lock", "")
        self.write("audit-logging/paths", f"policy={self.kubernetes}/{POLICY}\nlog=/var/log/audit.log\nwebhook=\n")
        self.write("audit-logging/kubeadm-config", "1\nkind: ClusterConfiguration\n")
        self.write("audit-logging/before/kube-apiserver.yaml", "before audit logging\n")
        self.write("audit-logging/before/cluster-configuration.yaml", "kind: ClusterConfiguration\n")
        for time, text in (("20260101T000000Z", "older"), ("20260301T000000Z", "newer")):
            self.write(f"apiserver-manifest-archive/{time}/kube-apiserver.yaml", f"{text}\n")
            self.write(f"apiserver-manifest-archive/{time}/audit-policy.yaml", f"{text} policy\n")
        self.write("apiserver-manifest-archive/stray-manifests/20260401T000000Z-old.yaml", "stray\n")
        self.write_below("var/log/pods/kube-system_kube-apiserver-cp1_1/kube-apiserver/0.log", "its last words\n")

    def write(self, name: str, text: str) -> None:
        self.write_below(f"etc/kubernetes/{name}", text)

    def write_below(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, name: str) -> str:
        return (self.kubernetes / name).read_text()

    def run(self, heading: str) -> str:
        """Runs every command block of that section; gives what they print."""
        script = 'kill() { command kill.fake "$@"; }\n'.replace("kill.fake", str(self.bin / "kill"))
        script += "\n".join(section(heading))
        script = script.replace("/etc/kubernetes", str(self.kubernetes)).replace("/var/log", f"{self.folder}/var/log")
        ran = subprocess.run(
            ["sh", "-c", script],
            env={"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.stderr == "", ran.stderr
        return ran.stdout

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


def section(heading: str) -> list[str]:
    starts = [(line, text.removeprefix("## ")) for line, text in prose(PAGE) if text.startswith("## ")]
    index = next(at for at, (_, text) in enumerate(starts) if text == heading)
    first = starts[index][0]
    last = starts[index + 1][0] if index + 1 < len(starts) else 10**6
    return [block.text for block in blocks(PAGE) if block.language == "sh" and first < block.line < last]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_it_tells_whether_somebody_is_at_work(node: Node) -> None:
    node.write("audit-logging/journal", "step=swap\n")
    said = node.run("Is somebody at work?")
    assert "step=swap" in said
    assert "free" in said
    assert any(call.startswith("pgrep -af audit-logging/node.sh") for call in node.called)


def test_it_shows_the_api_servers_last_words(node: Node) -> None:
    assert "its last words" in node.run("What does the API server say?")


def test_a_stray_manifest_is_found_and_moved_out(node: Node) -> None:
    assert "kube-apiserver.yaml.bak" in node.run("Stray manifests")
    assert not (node.kubernetes / "manifests/kube-apiserver.yaml.bak").exists()
    assert (node.kubernetes / "kube-apiserver.yaml.bak").exists()


def test_the_newest_backup_comes_back_and_no_folder_of_stray_manifests(node: Node) -> None:
    node.run("Restore what ran before")
    assert (node.read(MANIFEST), node.read(POLICY)) == ("newer\n", "newer policy\n")
    assert sorted(path.name for path in (node.kubernetes / "audit-logging").glob("*.yaml")) == []


def test_the_backup_that_the_journal_names_comes_before_the_newest(node: Node) -> None:
    backup = node.kubernetes / "apiserver-manifest-archive/20260101T000000Z"
    node.write("audit-logging/journal", f"step=swap\nbackup={backup}\n")
    node.run("Restore what ran before")
    assert (node.read(MANIFEST), node.read(POLICY)) == ("older\n", "older policy\n")


def test_a_policy_elsewhere_is_put_back_there(node: Node) -> None:
    node.write("audit/policy.yaml", "new policy\n")
    node.write("audit-logging/paths", f"policy={node.kubernetes}/audit/policy.yaml\nlog=-\nwebhook=\n")
    node.run("Restore what ran before")
    assert (node.read("audit/policy.yaml"), node.read(POLICY)) == ("newer policy\n", "new policy\n")


def test_the_manifest_from_before_audit_logging_comes_back(node: Node) -> None:
    node.run("Back to before audit logging")
    assert node.read(MANIFEST) == "before audit logging\n"


def test_the_redirect_goes_before_the_canary(node: Node) -> None:
    node.run("Redirect and canary")
    assert not (node.kubernetes / "manifests/kube-apiserver-canary.yaml").exists()
    for tool in ("iptables", "ip6tables"):
        for chain in ("PREROUTING", "OUTPUT"):
            assert node.called.count(f"{tool} -w -t nat -D {chain} -j KUBERNETES-AUDIT") == 2
        assert f"{tool} -w -t nat -X KUBERNETES-AUDIT" in node.called
    assert "nft delete table ip6 KUBERNETES-AUDIT" in node.called
    (commands,) = section("Redirect and canary")
    assert commands.index("nft delete") < commands.index("rm -f")


def test_the_journal_goes(node: Node) -> None:
    node.write("audit-logging/journal", "step=swap\n")
    node.run("The journal")
    assert not (node.kubernetes / "audit-logging/journal").exists()


def test_kubeadm_config_of_before_is_shown(node: Node) -> None:
    assert "kind: ClusterConfiguration" in node.run("kubeadm-config")


def test_every_name_that_the_guide_gives_is_one_that_the_node_scripts_use() -> None:
    scripts = "".join(path.read_text() for path in sorted((ROOT / "node").glob("*.sh")))
    text = PAGE.read_text()
    for constant in ("STATE", "ARCHIVE", "MANIFESTS", "MANIFEST", "REDIRECT", "CANARY", "ADMIN_CONF"):
        (value,) = re.findall(rf"^{constant}=(\S+)$", scripts, re.MULTILINE)
        assert value.replace("$MANIFESTS", "/etc/kubernetes/manifests") in text, constant
    for name in ("journal", "lock", "paths", "messages", "guard-messages", "owner", "kubeadm-config", "before"):
        assert f"$STATE/{name}" in scripts
        assert name in text
    for entry in ("backup", "policy", "webhook"):
        assert f"{entry}=" in scripts
    assert "before-audit-logging" in scripts
    assert "cluster-configuration.yaml" in scripts


def test_every_section_with_commands_is_run_here() -> None:
    sections = [text.removeprefix("## ") for _, text in prose(PAGE) if text.startswith("## ")]
    source = Path(__file__).read_text()
    assert [each for each in sections if section(each) and f'run("{each}")' not in source] == ["Afterwards"]
