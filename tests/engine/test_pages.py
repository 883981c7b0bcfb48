"""The pages of real changes in docs/examples, made by the engine's previews of three nodes that are folders.

``EXAMPLE_PAGES=1`` writes them anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from auditlog.nodes.fact_types import StrayManifest
from auditlog.nodes.facts import Facts
from auditlog.policy.presets import preset_text
from auditlog.review.markdown import summary
from auditlog.review.preview import read_preview
from lab.paths import REPOSITORY
from tests.engine.audited_cluster import SUDO
from tests.engine.fake_node import fake_node
from tests.engine.kubernetes_api import KubernetesApi
from tests.engine.program_stack import OWNER, STACK, configure
from tests.engine.ssh_server import SshServer, new_key, serving
from tests.engine.test_stack_files import pulumi
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import applied, remote, untouched

pytest_plugins = ("tests.engine.kubernetes_fixtures",)

PAGES = REPOSITORY / "docs/examples/pages"
NODES = ("cp1", "cp2", "cp3")
HOUR = 3600


@dataclass
class Cluster:
    """Three nodes of one stack."""

    servers: dict[str, SshServer]
    file: Path
    environment: dict[str, str]

    def agree(self, facts: Facts, *nodes: str) -> None:
        """From now on these are the facts of the nodes, of all when none are named."""
        for name in nodes or NODES:
            entry = name if facts.owner else None
            own = dataclasses.replace(facts, hostname=name, entry=entry, edits_back=facts.owner is not None)
            (self.servers[name].folder / "facts").write_text(facts_output(own))

    def pulumi(self, *words: str, succeeds: bool = True) -> str:
        file = ("--stack", STACK, "--config-file", str(self.file))
        run = pulumi(REPOSITORY, self.environment, *words, *file)
        assert (run.returncode == 0) is succeeds, run.stdout
        return str(run.stdout)

    def page(self, *, succeeds: bool = True) -> str:
        """The page of a preview, with a digest that is the same on every machine."""
        text = self.pulumi("preview", "--json", succeeds=succeeds)
        made = summary(read_preview(text[text.index("{\n") : text.rindex("}\n") + 2]), "prod")
        return re.sub(r"(Plan digest: `)[0-9a-f]{64}", rf"\g<1>{'0f' * 32}", made)


@pytest.fixture
def cluster(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine_environment: dict[str, str],
    kubernetes_api: KubernetesApi,
    namespace: str,
) -> Iterator[Cluster]:
    """As kubeadm left it, with a stack that alerts and has no dashboards."""
    fake_node(tmp_path / "node", monkeypatch)._command("sudo", SUDO)
    key, project = new_key(), tmp_path / "project"
    project.mkdir()
    with contextlib.ExitStack() as started:
        servers = {}
        for name in NODES:
            (tmp_path / name).mkdir()
            servers[name] = started.enter_context(serving(tmp_path / name, key))
        nodes = [
            {"name": name, "host": each.host, "port": each.port, "user": "ops", "hostKey": each.host_key}
            for name, each in servers.items()
        ]
        (project / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "kubernetes-audit", "runtime": "python"}))
        (project / "kubeconfig").write_text(kubernetes_api.kubeconfig())
        assert pulumi(project, engine_environment, "stack", "init", "test").returncode == 0
        made = Cluster(servers, project / "Pulumi.test.yaml", engine_environment)
        config = {"cluster": "prod", "nodes": nodes, "policy": {"preset": "low-write"}, "proof": {"enabled": False}}
        made.file.write_text(made.file.read_text() + yaml.safe_dump({"config": config}))
        configure(
            made.file,
            alerts={"loki": "configmap", "prometheus": "configmap", "namespace": namespace},
            kubeconfigFile=str(project / "kubeconfig"),
        )
        key_text = servers["cp1"].private_key
        given = pulumi(project, engine_environment, "config", "set", "--secret", "sshPrivateKey", given=key_text)
        assert given.returncode == 0, given.stdout
        made.agree(untouched())
        yield made


def in_force(policy: str) -> Facts:
    """A node that the stack has changed, with two days of events in its log."""
    facts = dataclasses.replace(applied(policy), owner=OWNER)
    return dataclasses.replace(facts, log_written_bytes=640 * 2**20, log_written_seconds=48 * HOUR)


def deployed(cluster: Cluster, preset: str) -> None:
    configure(cluster.file, policy={"preset": preset})
    cluster.pulumi("up", "--yes", "--skip-preview")
    cluster.agree(in_force(preset_text(preset)))


def turn_on(cluster: Cluster) -> str:
    configure(cluster.file, policy={"preset": "standard"})
    return cluster.page()


def record_more(cluster: Cluster) -> str:
    deployed(cluster, "low-write")
    configure(cluster.file, policy={"preset": "standard"})
    return cluster.page()


def record_less(cluster: Cluster) -> str:
    deployed(cluster, "standard")
    secrets = [{"group": "", "resources": ["secrets"]}]
    reads = {"level": "None", "verbs": ["get", "list", "watch"], "resources": secrets}
    configure(cluster.file, policy={"preset": "standard", "rulesBefore": [reads]})
    return cluster.page()


def hand_edit(cluster: Cluster) -> str:
    deployed(cluster, "standard")
    facts = in_force(preset_text("standard"))
    cluster.agree(dataclasses.replace(facts, manifest=remote(MANIFEST, 3000)), "cp2")
    return cluster.page()


def take_off(cluster: Cluster) -> str:
    deployed(cluster, "standard")
    configure(cluster.file, enabled=False)
    return cluster.page()


def refused(cluster: Cluster) -> str:
    deployed(cluster, "low-write")
    configure(cluster.file, policy={"preset": "standard"})
    stray = StrayManifest("kube-apiserver.yaml.bak", 4000)
    cluster.agree(dataclasses.replace(in_force(preset_text("low-write")), stray_manifests=(stray,)), "cp2")
    return cluster.page(succeeds=False)


CHANGES: dict[str, tuple[Callable[[Cluster], str], tuple[str, ...]]] = {
    "turn-on": (turn_on, ("recorded from now on", "rehearsed", "restores what was there before")),
    "record-more": (record_more, ("who read a Secret", "see all now")),
    "record-less": (record_less, ("**recorded no more** | who read a Secret", "can never fire any more")),
    "hand-edit": (hand_edit, ("cp2 (1 of 3 nodes)",)),
    "take-off": (take_off, ("audit logging is taken off", "is never recorded")),
    "refused": (refused, ("the preview failed, nothing can be applied", "kube-apiserver.yaml.bak")),
}
"""By the page's name: the change, and what its first screen must hold."""


@pytest.mark.parametrize("name", CHANGES)
def test_the_page_of_a_change_is_as_the_example_shows_it(cluster: Cluster, name: str) -> None:
    change, decisive = CHANGES[name]
    page = change(cluster)
    if os.environ.get("EXAMPLE_PAGES"):
        PAGES.mkdir(exist_ok=True)
        (PAGES / f"{name}.md").write_text(page)
    first_screen = page.partition("<details>")[0]
    assert [words for words in decisive if words not in first_screen] == []
    assert page == (PAGES / f"{name}.md").read_text()


def test_in_a_terminal_the_first_line_decides_and_the_message_has_the_page_s_lines(cluster: Cluster) -> None:
    page = record_more(cluster)
    shown = cluster.pulumi("preview")
    first = next(line for line in shown.splitlines() if "kubernetes-audit-test" in line)
    assert "In short: policy file and manifest of cp1, cp2, cp3 (3 of 3 nodes); the API of each node is away" in first
    message = " ".join(shown[shown.index("    In short:") :].split())
    for topic, sentences in re.findall(r"^\| \*\*(.+)\*\* \| (.+) \|$", page, re.MULTILINE):
        assert f"{topic}: {sentences.replace('<br>', '; ')}".replace("\\", "") in message
