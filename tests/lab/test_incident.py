"""An incident on a real control plane, told by timeline, lineage, the policy of that hour and the page.

The story: alice issues a token for ci/deployer and hands it on. With it, acting as prod/admin, somebody issues a second
one, reads Secrets, changes a workload and deletes a ConfigMap. Meanwhile the policy is lowered by hand, and later forty
seconds are cut out of the log. `make incident` writes the transcript and the picture into docs/examples.
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


@dataclass
class Incident:
    """What happened, and the transcript of the questions about it."""

    node: Node
    key: Path
    folder: Path
    first: str = ""
    second: str = ""
    lowered: tuple[datetime, datetime] = (datetime.min, datetime.min)
    cut: tuple[datetime, datetime] = (datetime.min, datetime.min)
    transcript: list[str] = field(default_factory=list)

    @property
    def access(self) -> list[str]:
        return ["--nodes", f"ops@{self.node.address}", "--identity", str(self.key), "--host-key", self.node.host_key]

    def ask(self, title: str, *words: str, expected: int = 0) -> str:
        """Asks the node's log, and notes question and answer."""
        done = self._auditlog(*words, *self.access, "-o", "wide")
        assert done.returncode == expected, (words, done.returncode, done.stdout, done.stderr)
        shown = shlex.join(["auditlog", *words, "--nodes", "ops@10.0.20.100"])
        self.transcript.append(f"## {title}\n\n```sh\n{shown}\n```\n\n```text\n{done.stdout.strip()}\n```\n")
        return done.stdout

    def data(self, *words: str) -> Any:
        """The same as data."""
        return json.loads(self._auditlog(*words, *self.access, "-o", "json").stdout)

    def _auditlog(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "auditlog", *words]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    def kubectl(self, token: str, *words: str, check: bool = True) -> str:
        """As whoever has the token, and with nothing else."""
        plain = f"kubectl --kubeconfig=/dev/null --server=https://{self.node.address}:6443"
        trusted = "--certificate-authority=/etc/kubernetes/pki/ca.crt"
        return self.node.run(f"{plain} {trusted} --token={token} {shlex.join(words)}", check=check).stdout.strip()


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
def incident(lab: Lab, node: Node, stack: PulumiStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Incident]:
    folder = tmp_path_factory.mktemp("incident")
    told = Incident(node, lab.paths.ssh_key, folder)
    settings = {"policy": {"preset": "standard"}, "restart": "quick", "acceptLostEvents": True}
    annotated = {"annotations": {"delivery": "api"}, "kubeconfigFile": str(lab.paths.kubeconfig)}
    stack.configure(lab.state, {**settings, **annotated})
    stack.run("up", "--yes", "--skip-preview")
    node.run(_SETUP)
    time.sleep(5)

    first = lab.kubectl("-n", "ci", "create", "token", "deployer", as_user="alice").strip()
    as_admin = ("--as", "system:serviceaccount:prod:admin", "-n", "prod")
    second = told.kubectl(first, *as_admin, "create", "token", "reader")
    told.first, told.second = _identity(first), _identity(second)
    told.kubectl(second, "-n", "prod", "get", "secrets")
    told.kubectl(second, "-n", "prod", "get", "secret", "database")
    told.kubectl(second, "-n", "prod", "delete", "configmap", "app-config", check=False)
    told.kubectl(first, *as_admin, "set", "image", "deployment/web", "*=registry.example.com/miner:1")
    told.kubectl(first, *as_admin, "scale", "deployment/web", "--replicas=2")

    original = node.run(f"cat {POLICY}").stdout
    node.run(f"cat >{POLICY} <<'END'\n{_LOWERED}END")
    _restart(lab, node)
    lowered = datetime.now(UTC)
    told.kubectl(second, "-n", "prod", "get", "secret", "mail")
    # The watch that looks regularly sees the lowered policy.
    kept = told._auditlog("policy-history", *told.access, "--keep", str(folder / "policies.json"))
    assert kept.returncode == 0, kept.stderr
    time.sleep(5)
    told.lowered = lowered, datetime.now(UTC)
    node.run(f"cat >{POLICY} <<'END'\n{original}END")
    _restart(lab, node)

    started = datetime.now(UTC)
    time.sleep(20)
    told.kubectl(first, *as_admin, "delete", "configmap", "app-config")
    time.sleep(25)
    told.cut = started, datetime.now(UTC)
    time.sleep(15)
    between = " ".join(f"-v {name}={moment:%Y-%m-%dT%H:%M:%S}" for name, moment in zip("ab", told.cut, strict=True))
    stamp = 'match($0, /"stageTimestamp":"[^"]*"/); t = substr($0, RSTART + 18, 19)'
    node.run(f"awk {between} '{{ {stamp} }} t < a || t > b' {LOG} >/tmp/kept && cat /tmp/kept >{LOG} && rm /tmp/kept")
    yield told
    target = Path(os.environ.get("INCIDENT_FOLDER", folder))
    about = __doc__.split("\n\n")[1] if __doc__ else ""
    text = "\n".join(
        (
            "# An incident, told by the log\n",
            f"{about.split(' `make')[0].removeprefix('The story: ')}\n",
            "A test does it on a real control plane, and writes this page: `make incident`.\n",
            *told.transcript,
            "## The page\n\n![The report's page](../pictures/incident.png)\n",
        )
    )
    if "INCIDENT_FOLDER" in os.environ:
        (target / "incident.md").write_text(text.replace(node.address, "10.0.20.100"))


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


def test_the_policy_of_that_hour_has_the_lowered_one(incident: Incident) -> None:
    incident.ask("Which policy was in force", "policy-history")
    during = ("--since", incident.lowered[0].isoformat(), "--until", incident.lowered[1].isoformat())
    doubts = incident.data("secrets", *during)
    reasons = [each["reason"] for each in doubts["outcome"]["doubts"]]
    assert any("not known" in each and "started anew unobserved" in each for each in reasons), reasons
    # The node kept no trace of a policy that nobody looked at; who looks regularly knows.
    kept = f"--policy=history:{incident.folder / 'policies.json'}"
    known = incident.data("secrets", kept, *during)["outcome"]["doubts"]
    assert any("rule 1" in each["reason"] and "in force on" in each["reason"] for each in known), known


def test_what_nobody_can_know_is_said(incident: Incident) -> None:
    said = incident.ask("Who read Secrets", "secrets", "--namespace", "prod")
    assert "system:serviceaccount:prod:reader" in said
    assert "mail" not in said
    since, until = (moment.isoformat() for moment in incident.cut)
    asked = (
        "who",
        "--verb",
        "delete",
        "--name",
        "app-config",
        "--namespace",
        "prod",
        "--since",
        since,
        "--until",
        until,
    )
    said = incident.ask("Who deleted the ConfigMap", *asked, expected=3)
    assert "Cannot be known" in said


def test_the_page_shows_it(incident: Incident, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ("--title", "An incident", "--audit-log-maxsize", "100", "--audit-log-maxbackup", "10", "-o", str(page))
    done = incident._auditlog("report", *incident.access, *words)
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
