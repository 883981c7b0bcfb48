"""An incident on three control-plane nodes, told by timeline, lineage, the policy of that hour and the page.

The story: alice issues a token for ci/deployer and hands it on. With it, acting as prod/admin, somebody issues a second
one, reads Secrets, changes a workload and deletes a ConfigMap, each time through another node. Meanwhile the policy of
cp2 is lowered by hand, and later forty seconds are cut out of the log of cp3. `make incident` writes the transcript and
the picture into docs/examples.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.api import Lab, Node
from lab.paths import REPOSITORY
from lab.stack import PulumiStack
from tests.lab.test_first_stack import LOG, POLICY, PROCESS, eventually
from tests.report.browser import browser, chromium

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium: make incident installs it"),
]

_SETUP = """
K="kubectl --kubeconfig /etc/kubernetes/admin.conf"
I=$($K -n kube-system get pods -l component=etcd -o jsonpath='{.items[0].spec.containers[0].image}')
for n in ci prod; do $K create namespace $n; done
$K -n ci create serviceaccount deployer
for a in admin reader; do $K -n prod create serviceaccount $a; done
$K -n ci create role tokens --verb=create --resource=serviceaccounts/token
$K -n ci create rolebinding tokens --role=tokens --user=alice@example.com
$K -n prod create role imitate --verb=impersonate --resource=serviceaccounts --resource-name=admin
$K -n prod create rolebinding imitate --role=imitate --serviceaccount=ci:deployer
$K -n prod create role tokens --verb=create --resource=serviceaccounts/token
$K -n prod create rolebinding tokens --role=tokens --serviceaccount=prod:admin
$K -n prod create rolebinding edit --clusterrole=edit --serviceaccount=prod:admin
$K -n prod create role secrets --verb=get,list --resource=secrets
$K -n prod create rolebinding secrets --role=secrets --serviceaccount=prod:reader
$K -n prod create secret generic database --from-literal=password=hunter2
$K -n prod create secret generic mail --from-literal=password=hunter3
$K -n prod create configmap app-config --from-literal=mode=live
$K -n prod create deployment web --image=$I --replicas=1 -- sleep 100000
"""
_LOWERED = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    resources: [{group: "", resources: [secrets]}]
  - level: Metadata
"""


SHOWN = tuple(f"10.0.20.10{number}" for number in range(3))
"""The nodes' addresses in the transcript."""


@dataclass
class Incident:
    """What happened, and the transcript of the questions about it."""

    lab: Lab
    folder: Path
    first: str = ""
    second: str = ""
    lowered: tuple[datetime, datetime] = (datetime.min, datetime.min)
    cut: tuple[datetime, datetime] = (datetime.min, datetime.min)
    transcript: list[str] = field(default_factory=list)

    @property
    def access(self) -> list[str]:
        nodes = self.lab.nodes
        keys = [word for node in nodes for word in ("--host-key", f"{node.address} {node.host_key}")]
        hosts = ",".join(f"ops@{node.address}" for node in nodes)
        return ["--nodes", hosts, "--identity", str(self.lab.paths.ssh_key), *keys]

    @property
    def policies(self) -> str:
        """The history that the drift watch keeps."""
        return str(self.folder / "policies.json")

    def ask(self, title: str, *words: str, expected: int = 0, nodes: bool = True) -> str:
        """Asks the nodes' logs, and notes question and answer."""
        done = self.auditlog(*words, *(self.access if nodes else ()), "-o", "wide")
        assert done.returncode == expected, (words, done.returncode, done.stdout, done.stderr)
        shown = [*words, "--nodes", ",".join(f"ops@{address}" for address in SHOWN)] if nodes else words
        command = shlex.join(["auditlog", *shown]).replace(self.policies, "policies.json")
        self.transcript.append(f"## {title}\n\n```sh\n{command}\n```\n\n```text\n{done.stdout.strip()}\n```\n")
        return done.stdout

    def data(self, *words: str) -> Any:
        """The same as data."""
        return json.loads(self.auditlog(*words, *self.access, "-o", "json").stdout)

    def auditlog(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "auditlog", *words]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    def kubectl(self, node: str, token: str, *words: str, check: bool = True) -> str:
        """Through this node's API server, as whoever has the token, and with nothing else."""
        through = self.lab.node(node)
        plain = f"kubectl --kubeconfig=/dev/null --server=https://{through.address}:6443"
        trusted = "--certificate-authority=/etc/kubernetes/pki/ca.crt"
        return through.run(f"{plain} {trusted} --token={token} {shlex.join(words)}", check=check).stdout.strip()

    def written(self) -> str:
        """The transcript as a page, with the documents' addresses."""
        about = (__doc__ or "").split("\n\n")[1].split(" `make")[0].removeprefix("The story: ")
        text = "\n".join(
            (
                "# An incident, told by the log\n",
                f"{about}\n",
                "A test does it on a real cluster of three nodes, and writes this page: `make incident`.\n",
                *self.transcript,
                "## The page\n\n![The report's page](../pictures/incident.png)\n",
            )
        )
        for node, shown in zip(self.lab.nodes, SHOWN, strict=True):
            text = text.replace(node.address, shown)
        return text


def _identity(token: str) -> str:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return f"JTI={claims['jti']}"


def _restart(lab: Lab, node: Node) -> None:
    """Ends the API server, as somebody does who wants another policy to be read."""
    before = node.run(f"{PROCESS} echo ${{comm%/comm}}; done").stdout.split()
    node.run(f"kill {' '.join(each.removeprefix('/proc/') for each in before)}")

    def anew() -> list[str]:
        found = node.run(f"{PROCESS} echo ${{comm%/comm}}; done", check=False).stdout.split()
        return [each for each in found if each not in before]

    assert eventually(anew, bool, 180)
    lab.wait_ready()


@pytest.fixture(scope="module")
def lab(three_nodes: Lab) -> Lab:
    three_nodes.reset()
    return three_nodes


@pytest.fixture(scope="module")
def incident(lab: Lab, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    folder = tmp_path_factory.mktemp("incident")
    told = Incident(lab, folder)
    settings = {"policy": {"preset": "standard"}, "restart": "quick", "acceptLostEvents": True}
    annotated = {"annotations": {"delivery": "api"}, "kubeconfigFile": str(lab.paths.kubeconfig)}
    stack.configure(lab.state, {**settings, **annotated})
    stack.run("up", "--yes", "--skip-preview")
    lab.node("cp1").run(_SETUP)
    time.sleep(5)

    through = f"--server=https://{lab.node('cp1').address}:6443"
    first = lab.kubectl(through, "-n", "ci", "create", "token", "deployer", as_user="alice").strip()
    as_admin = ("--as", "system:serviceaccount:prod:admin", "-n", "prod")
    second = told.kubectl("cp2", first, *as_admin, "create", "token", "reader")
    told.first, told.second = _identity(first), _identity(second)
    told.kubectl("cp2", second, "-n", "prod", "get", "secrets")
    told.kubectl("cp3", second, "-n", "prod", "get", "secret", "database")
    told.kubectl("cp3", second, "-n", "prod", "delete", "configmap", "app-config", check=False)
    told.kubectl("cp1", first, *as_admin, "set", "image", "deployment/web", "*=registry.example.com/miner:1")
    told.kubectl("cp3", first, *as_admin, "scale", "deployment/web", "--replicas=2")

    _lowered_for_a_while(told, second)

    started = datetime.now(UTC)
    time.sleep(20)
    told.kubectl("cp3", first, *as_admin, "delete", "configmap", "app-config")
    time.sleep(25)
    told.cut = started, datetime.now(UTC)
    time.sleep(15)
    between = " ".join(f"-v {name}={moment:%Y-%m-%dT%H:%M:%S}" for name, moment in zip("ab", told.cut, strict=True))
    stamp = 'match($0, /"stageTimestamp":"[^"]*"/); t = substr($0, RSTART + 18, 19)'
    cut = f"awk {between} '{{ {stamp} }} t < a || t > b' {LOG} >/tmp/kept && cat /tmp/kept >{LOG} && rm /tmp/kept"
    lab.node("cp3").run(cut)
    yield told
    if "INCIDENT_FOLDER" in os.environ:
        (Path(os.environ["INCIDENT_FOLDER"]) / "incident.md").write_text(told.written())


def _lowered_for_a_while(told: Incident, token: str) -> None:
    """On one node by hand; a watch that looks regularly sees it."""
    lab, node = told.lab, told.lab.node("cp2")
    original = node.run(f"cat {POLICY}").stdout
    node.run(f"cat >{POLICY} <<'END'\n{_LOWERED}END")
    _restart(lab, node)
    lowered = datetime.now(UTC)
    told.kubectl("cp2", token, "-n", "prod", "get", "secret", "mail")
    kept = told.auditlog("policy-history", *told.access, "--keep", told.policies)
    assert kept.returncode == 0, kept.stderr
    time.sleep(5)
    told.lowered = lowered, datetime.now(UTC)
    node.run(f"cat >{POLICY} <<'END'\n{original}END")
    _restart(lab, node)


def test_the_workloads_story_says_who_changed_what(incident: Incident) -> None:
    said = incident.ask("What happened to the workload", "timeline", "deploy/web", "-n", "prod", "--changes")
    assert "acting as system:serviceaccount:prod:admin, changed deployments.apps web in prod: image" in said
    assert "registry.example.com/miner:1" in said
    assert "replicas 1 -> 2" in said
    assert "created replicasets.apps web-" in said


def test_the_token_leads_back_to_alice(incident: Incident) -> None:
    said = incident.ask("Where the token came from, and what it did", "lineage", incident.second)
    chain = incident.data("lineage", incident.second)["answer"]["chain"]
    assert [each["user"] for each in chain] == [
        "system:serviceaccount:prod:reader",
        "system:serviceaccount:ci:deployer",
        "alice@example.com",
    ]
    assert chain[0]["issued"]["impersonated"] == "system:serviceaccount:prod:admin"
    assert "Cannot be known: who gave alice@example.com the certificate" in said
    assert "was refused (403)" in said
    uses = incident.data("lineage", incident.first)["answer"]["uses"]
    assert [each["credential"] for each in uses] == [incident.first, incident.second]


def test_the_policy_of_that_hour_is_told_node_by_node(incident: Incident) -> None:
    said = incident.ask("Which policy was in force", "policy-history")
    assert [
        line for line in said.splitlines() if "started anew unobserved" in line and not line.startswith("cp2")
    ] == []
    during = ("--since", incident.lowered[0].isoformat(), "--until", incident.lowered[1].isoformat())
    unknown = _of_policies(incident.data("secrets", *during))
    # The node kept no trace of a policy that nobody looked at, and the others are not to blame.
    assert {span["node"] for doubt in unknown for span in doubt["spans"]} == {"cp2"}, unknown
    assert any("started anew unobserved" in each["reason"] for each in unknown), unknown


def test_who_looks_regularly_knows_the_lowered_policy(incident: Incident) -> None:
    # Once more, as the watch does after the policy was put back.
    assert incident.auditlog("policy-history", *incident.access, "--keep", incident.policies).returncode == 0
    incident.ask(
        "The same, with what a regular look at the nodes kept", "policy-history", incident.policies, nodes=False
    )
    since, until = (moment.isoformat(timespec="seconds") for moment in incident.lowered)
    words = ("who", "--verb", "get", "--resource", "secrets", "--name", "mail", "--since", since, "--until", until)
    incident.ask("Who read the Secret mail", *words, f"--policy=history:{incident.policies}", expected=3)
    doubts = _of_policies(incident.data(*words, f"--policy=history:{incident.policies}"))
    # What the preset drops, of the cluster's own parts, it drops on every node.
    by_hand = [doubt for doubt in doubts if doubt["cause"] == "policy unknown" or doubt["rule"] == 1]
    assert [doubt["rule"] for doubt in by_hand if doubt["cause"] == "not recorded"] == [1], doubts
    assert {span["node"] for doubt in by_hand for span in doubt["spans"]} == {"cp2"}, doubts


def _of_policies(answer: Any) -> list[Any]:
    return [each for each in answer["outcome"]["doubts"] if each["cause"] in ("policy unknown", "not recorded")]


def test_what_nobody_can_know_is_said(incident: Incident) -> None:
    said = incident.ask("Who read Secrets", "secrets", "--namespace", "prod")
    assert "system:serviceaccount:prod:reader" in said
    assert "mail" not in said
    since, until = (moment.isoformat(timespec="seconds") for moment in incident.cut)
    deletion = ("who", "--verb", "delete", "--name", "app-config", "--namespace", "prod")
    said = incident.ask("Who deleted the ConfigMap", *deletion, "--since", since, "--until", until, expected=3)
    assert "Cannot be known" in said
    assert "NOT COVERED on cp3" in said
    assert "NOT COVERED on cp1" not in said


def test_the_page_shows_it(incident: Incident, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ("--title", "An incident", "--audit-log-maxsize", "100", "--audit-log-maxbackup", "10", "-o", str(page))
    done = incident.auditlog("report", *incident.access, *words)
    assert done.returncode == 0, done.stderr
    with browser(tmp_path) as shown:
        shown.open(page, 1280, 1500, "light")
        assert shown.complaints == []
        text = shown.evaluate("document.querySelector('main').textContent")
        for part in ("acted as system:serviceaccount:prod:admin", "miner:1", "A token for a ServiceAccount was issued"):
            assert part in text
        folder = (
            Path(os.environ["INCIDENT_FOLDER"]).parent / "pictures" if "INCIDENT_FOLDER" in os.environ else tmp_path
        )
        shown.picture(folder / "incident.png", whole=False)
