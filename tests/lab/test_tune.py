"""`tune` on the log of a real API server: a scripted cycle of quiet, release and incident, with a mix made to be hard.

One noisy ServiceAccount lists Pods all the time, and in each incident reads Secrets and tries what it may not. A
controller has a certificate in a person's name. The log is ten minutes long: what differs by the hour is not in it.
``TUNE_CYCLES=136`` makes it two hours.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from auditlog.checks.budget import MISSED
from auditlog.cli import main
from auditlog.events.event import Event, to_request
from auditlog.policy.evaluate import evaluate
from auditlog.policy.model import Policy
from auditlog.policy.presets import preset_text
from auditlog.policy.read import read_policy
from auditlog.tuning.marks import DETECTION, Marks
from lab import kubeadm
from lab.api import Lab, Node
from lab.stack import PulumiStack
from tests.differential.oracle import Question, ask
from tests.lab.test_first_stack import LOG

# Ten minutes of traffic, beside the same tests of logs that are made up.
pytestmark = pytest.mark.exhaustive

PRESET = "forensic"
CYCLES = int(os.environ.get("TUNE_CYCLES", "9"))
NOISY = "system:serviceaccount:monitoring:scraper"
CONTROLLER = "release-bot"
_QUIET_SECONDS = 40
_SHARE = 0.7
"""The budget is that of what the policy in force takes. A third of the log is what the incidents and people keep."""
_AGENT = "scraper/3.2"


class Caller:
    """Somebody with a token, or with a certificate in a kubeconfig."""

    def __init__(self, lab: Lab, agent: str, token: str) -> None:
        self._url, self._agent, self._token = lab.state.endpoint, agent, token
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def get(self, path: str, agent: str = "") -> int:
        """The status of the answer to a GET."""
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": agent or self._agent}
        request = urllib.request.Request(self._url + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._context) as answer:  # noqa: S310
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture(scope="module")
def scraper(lab: Lab, node: Node, stack: PulumiStack) -> Caller:
    """The noisy program. The stack is up with the preset whose log is tuned."""
    stack.configure(lab.state, {"policy": {"preset": PRESET}})
    stack.run("up", "--yes", "--skip-preview")
    for words in (
        "create namespace monitoring",
        "-n monitoring create serviceaccount scraper",
        "create clusterrolebinding scraper --clusterrole=view --serviceaccount=monitoring:scraper",
        "-n monitoring create role secrets --verb=get,list --resource=secrets",
        "-n monitoring create rolebinding secrets --role=secrets --serviceaccount=monitoring:scraper",
        f"create clusterrolebinding {CONTROLLER} --clusterrole=view --user={CONTROLLER}",
    ):
        lab.kubectl(*words.split())
    command = f"kubeadm kubeconfig user --config {kubeadm.CONFIG_FILE} --client-name {CONTROLLER} --org bots"
    node.run(f"{command} >/root/{CONTROLLER}.conf")
    return Caller(lab, _AGENT, lab.kubectl("-n", "monitoring", "create", "token", "scraper", "--duration=6h").strip())


@pytest.fixture(scope="module")
def log(lab: Lab, node: Node, scraper: Caller, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of the cycles."""
    node.run(f": >{LOG}")
    for number in range(CYCLES):
        _quiet(node, scraper)
        _release(lab, number)
        _incident(scraper)
    path = tmp_path_factory.mktemp("log") / "audit.log"
    path.write_text(node.run(f"zcat -f {LOG.removesuffix('.log')}-2*.log* {LOG}", check=False).stdout)
    return path


def test_the_budget_is_met_on_the_part_that_it_was_not_fitted_on(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = tuned(log, capsys)
    (node,) = value["nodes"]
    assert value["met"], value["nodes"]
    assert node["tried"]["after"] <= 1.1 * value["budget"]["bytesPerDay"]
    assert abs(node["tried"]["error"]) < 0.1, node
    assert not value["lost"]["detections"]
    assert not value["lost"]["cis"]
    assert CONTROLLER in [each["user"] for each in value["takenForPeople"]]


def test_the_go_evaluator_confirms_what_is_kept_and_what_is_dropped(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tuned_policy(log, capsys)
    old, new = read_policy(preset_text(PRESET), PRESET), read_policy(text, "tuned")
    known = [event for event in events(log) if is_written(old, event)]
    requests = tuple(to_request(event) for event in known)
    for policy, written in ((old, preset_text(PRESET)), (new, text)):
        (answer,) = ask(37, [Question(written, requests)])
        assert answer.accepted, answer.error
        ours = [evaluate(policy, request) for request in requests]
        assert [(each.level.value, tuple(sorted(each.omit_stages))) for each in ours] == [
            (each.level, each.omit_stages) for each in answer.decisions
        ]
    dropped = [event for event in known if not is_written(new, event)]
    assert dropped
    assert not [event for event in dropped if not event.user.username.startswith("system:") or event.code in (401, 403)]


def test_a_preview_tells_what_of_a_budget_the_node_holds_and_from_when_on_that_is_known(
    log: Path, lab: Lab, stack: PulumiStack
) -> None:
    def preview(days: int, size: str) -> str:
        budget = {"auditLog": {"budget": {"days": days, "size": size}}}
        stack.configure(lab.state, {"policy": {"preset": PRESET}, **budget})
        return " ".join(stack.run("preview").stdout.split())

    if _days(log) < 1.02 / 24:
        assert "whether the log meets auditLog.budget (30 days in 2048 MB) cannot be known" in preview(30, "2GiB")
        return
    assert re.search(
        r"the node writes \d+ MB of events a day.*: auditLog.budget holds \d+ days of it", preview(1, "2GiB")
    )
    missed = preview(30, "100MiB")
    assert re.search(rf"{MISSED} \(30 days in 100 MB\): it holds 0\.\d days of that", missed)
    assert "older events are deleted" in missed


def test_deployed_the_incident_is_recorded_as_before(
    log: Path, lab: Lab, node: Node, stack: PulumiStack, scraper: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = yaml.safe_load(run(log, capsys, "overlay"))["policy"]
    before = incident_marks(events(log))
    stack.configure(lab.state, {"policy": {"preset": PRESET, **overlay}})
    stack.run("up", "--yes", "--skip-preview")
    node.run(f": >{LOG}")
    _incident(scraper)
    time.sleep(2)
    after = [msgspec.json.decode(line, type=Event) for line in node.run(f"cat {LOG}").stdout.encode().splitlines()]
    assert incident_marks(after) == before
    assert {each for each in before if each.startswith(DETECTION)}


def _quiet(node: Node, scraper: Caller) -> None:
    """The program scrapes, the controller looks after its releases, and the control plane does what it does."""
    until = time.monotonic() + _QUIET_SECONDS
    kubectl = f"kubectl --kubeconfig /root/{CONTROLLER}.conf"
    while time.monotonic() < until:
        for path in ("pods", "services", "endpoints", "nodes"):
            assert scraper.get(f"/api/v1/{path}") in (200, 403)
        assert scraper.get("/apis/discovery.k8s.io/v1/endpointslices") == 200
        node.run(f"{kubectl} get deployments -A -o name >/dev/null", check=False)
        time.sleep(0.5)


def _release(lab: Lab, number: int) -> None:
    image = f"registry.example.com/web:{number}"
    if number == 0:
        lab.kubectl("create", "deployment", "web", f"--image={image}", as_user="alice")
    lab.kubectl("set", "image", "deployment/web", f"web={image}", as_user="alice")
    lab.kubectl("scale", "deployment/web", f"--replicas={1 + number % 2}", as_user="alice")
    lab.kubectl("get", "pods,deployments", as_user="alice")
    time.sleep(8)


def _incident(scraper: Caller) -> None:
    """The program's token in another hand."""
    assert scraper.get("/api/v1/namespaces/monitoring/secrets") == 200
    assert scraper.get("/api/v1/namespaces/kube-system/secrets") == 403
    assert scraper.get("/api/v1/namespaces/monitoring/pods", agent="kubectl/v1.37.0") == 200
    for _ in range(3):
        assert scraper.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings") == 403


def incident_marks(found: list[Event]) -> set[str]:
    """What the program's events count for, by detections and by themselves."""
    every = frozenset({"secret-sweep", "service-account-used-by-hand", "forbidden-burst", "secrets-listed-everywhere"})
    marks = Marks(frozenset(), every)
    return {mark.reason for event in found if event.user.username == NOISY for mark in marks(event)}


def is_written(policy: Policy, event: Event) -> bool:
    decision = evaluate(policy, to_request(event))
    return decision.level != "None" and event.stage not in decision.omit_stages


def events(log: Path) -> list[Event]:
    return [msgspec.json.decode(line, type=Event) for line in log.read_bytes().splitlines()]


def tuned(log: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run(log, capsys, "json"))
    return value


def tuned_policy(log: Path, capsys: pytest.CaptureFixture[str]) -> str:
    return run(log, capsys, "policy")


def run(log: Path, capsys: pytest.CaptureFixture[str], form: str) -> str:
    """What the command answers for the budget."""
    days = _days(log)
    space = round(_SHARE * log.stat().st_size / days * 30)
    main(["tune", str(log), "--policy", f"preset:{PRESET}", "--keep", "30d", "--in", str(space), "-o", form])
    return capsys.readouterr().out


def _days(log: Path) -> float:
    moments = [event.stage_timestamp for event in events(log)]
    return (max(moments) - min(moments)).total_seconds() / 86_400
