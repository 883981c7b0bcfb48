"""The three ways to restart an API server and the rehearsal before them, on a real kubelet."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from lab.api import Lab, Node
from lab.audit_logs import file_lines
from tests.lab.clients import Record, four_clients
from tests.lab.node_change import NodeChanger, restarts
from tests.lab.outsiders import Seen, probing

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
LOGS = "/var/log/kubernetes/audit"
STATE = "/etc/kubernetes/audit-logging"
# Both record every request, in every stage.
EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
WRITES = f"{EVERYTHING}  verbs: [create, update, patch, delete, deletecollection]\n- level: Request\n"


@pytest.fixture(scope="module")
def changer(node: Node) -> NodeChanger:
    return NodeChanger(node, EVERYTHING)


def completed(lab: Lab, node: Node) -> Counter[str]:
    """How often each request's completion is in the logs of the API server and of its canary, by audit id."""
    events = (json.loads(line) for line in file_lines(lab.paths.node(node.name) / LOGS.removeprefix("/")))
    return Counter(event["auditID"] for event in events if event["stage"] == "ResponseComplete")


def assert_undisturbed(records: list[Record]) -> None:
    for record in records:
        assert record.refused == [], record.name
        assert record.failed_fresh == [], record.name
        assert record.closed_kept <= 2, f"{record.name}: closed once at each hand-over"
        assert len(record.answers) > 30


def left_over(node: Node) -> str:
    """What a change must not leave: a canary, a redirect, a journal."""
    return node.run(
        "ls /etc/kubernetes/manifests | grep canary; iptables -t nat -S | grep KUBERNETES-AUDIT; "
        f"ls {STATE}/journal 2>/dev/null; pgrep -f '[e]ndpoint-reconciler-type=none'; true"
    ).stdout


def test_the_first_enabling_is_seamless_and_no_client_notices(lab: Lab, node: Node, changer: NodeChanger) -> None:
    assert changer.plan().restart.sentences[0].startswith("restart: seamless; the API stays reachable")
    with four_clients(lab.paths.kubeconfig) as records:
        change = changer.enable()
        enabled = time.time()
        time.sleep(2)
    assert change.status == 0, change.printed
    assert_undisturbed(records)
    assert change.result.mode == "seamless"
    assert change.result.rehearsed
    assert change.result.marker.endswith(f" in {LOGS}/audit.log")
    assert "new connections to this node's API go to the canary" in change.printed
    found = completed(lab, node)
    answers = {audit_id: began for record in records for audit_id, began in record.answers.items()}
    assert all(found[audit_id] <= 1 for audit_id in answers)
    assert {audit_id for audit_id, began in answers.items() if began > enabled and found[audit_id] != 1} == set()
    assert left_over(node) == ""


def test_every_request_during_a_seamless_change_is_in_one_of_the_two_logs_exactly_once(lab: Lab, node: Node) -> None:
    with four_clients(lab.paths.kubeconfig) as records:
        change = NodeChanger(node, WRITES).enable()
    assert change.status == 0, change.printed
    assert_undisturbed(records)
    found = completed(lab, node)
    answers = [audit_id for record in records for audit_id in record.answers]
    assert [audit_id for audit_id in answers if found[audit_id] != 1] == []
    by_canary = node.run(f"grep -c configmaps {LOGS}/audit-canary.log").stdout.strip()
    assert int(by_canary) > 30, "the canary answered in between"


@pytest.mark.parametrize(
    ("what", "word"),
    [("flag", "unknown flag: --no-such-flag"), ("policy", "from file /etc/kubernetes/audit-policy.yaml")],
)
def test_the_rehearsal_refuses_what_the_api_server_refuses_and_the_running_one_is_untouched(
    node: Node, changer: NodeChanger, what: str, word: str
) -> None:
    running, manifest_text = restarts(node), node.sha256(MANIFEST)
    if what == "flag":
        change = changer.enable(
            lambda text: text.replace("    - --secure-port", "    - --no-such-flag=1\n    - --secure-port")
        )
    else:
        change = changer.enable(policy=EVERYTHING.replace("Metadata", "Everything"))
    assert change.status != 0
    assert (
        "the rehearsal of the new manifest and policy failed: the API server cannot start; nothing was changed"
        in change.printed
    )
    assert word in change.printed
    assert restarts(node) == running
    assert node.sha256(MANIFEST) == manifest_text
    assert node.run("cat /etc/kubernetes/audit-policy.yaml").stdout == WRITES
    assert left_over(node) == ""


def test_quick_ends_the_old_process_at_once_and_tells_of_writes_that_it_cut_off(
    lab: Lab, node: Node, changer: NodeChanger
) -> None:
    with four_clients(lab.paths.kubeconfig) as records:
        change = changer.enable(restart="quick", rehearsal=False)
    assert change.status == 0, change.printed
    assert change.result.mode == "quick"
    assert "cut off: " in change.printed
    assert node.sha256(MANIFEST) == sha256(change.plan.manifest.desired)
    assert all(len(record.answers) > 30 for record in records)
    assert left_over(node) == ""


def test_where_memory_is_short_it_drains_without_a_rehearsal_and_says_so(node: Node) -> None:
    node.run("sed 's/^MemAvailable:.*/MemAvailable: 100000 kB/' /proc/meminfo >/run/meminfo")
    node.run("mount --bind /run/meminfo /proc/meminfo")
    try:
        change = NodeChanger(node, WRITES).enable()
    finally:
        node.run("umount /proc/meminfo")
    (sentence,) = change.plan.restart.sentences
    assert sentence.startswith("restart: drain and not seamless, because memory is short for a second API server")
    assert "about 40 seconds" in sentence
    assert change.status == 0, change.printed
    assert change.result.mode == "drain"
    assert not change.result.rehearsed
    assert change.result.outage_seconds > 5


def test_a_canary_that_a_crash_left_is_not_stray_and_is_cleaned_up_by_the_next_run(
    node: Node, changer: NodeChanger
) -> None:
    canary = "/etc/kubernetes/manifests/kube-apiserver-canary.yaml"
    other = "s/name: kube-apiserver$/name: kube-apiserver-canary/; s/secure-port=6443/secure-port=16444/"
    node.run(f"sed '{other}' {MANIFEST} >/etc/kubernetes/canary && mv /etc/kubernetes/canary {canary}")
    assert [stray.name for stray in changer.facts().stray_manifests] == ["kube-apiserver-canary.yaml"]
    node.run(f"printf 'step=stand-in\\ncanary-port=16444\\n' >{STATE}/journal")
    facts = changer.facts()
    assert facts.stray_manifests == ()
    assert facts.unfinished_change
    change = changer.enable(restart="drain", rehearsal=False)
    assert change.status == 0, change.printed
    assert "the files are as they were before it" in change.printed
    assert "canary: ended" in change.printed
    assert left_over(node) == ""


@contextmanager
def forwarder(node: Node) -> Iterator[int]:
    """A load balancer on the node, as simple as can be: it passes its port on to the API server on loopback."""
    port = 7443
    script = f"socat TCP-LISTEN:{port},fork,reuseaddr TCP:127.0.0.1:6443 >/dev/null 2>&1 </dev/null & echo $!"
    pid = node.run(script).stdout.strip()
    try:
        yield port
    finally:
        node.run(f"kill {pid}")


def test_removal_takes_the_way_of_its_arguments_and_a_load_balancer_on_the_node_is_told_of_and_counted(
    lab: Lab, node: Node, changer: NodeChanger
) -> None:
    before = Path(lab.paths.snapshot(node.name) / "manifests/kube-apiserver.yaml").read_text()
    passed_on = Seen()
    with (
        forwarder(node) as port,
        probing(node.address, port, passed_on),
        four_clients(lab.paths.kubeconfig) as records,
    ):
        change = changer.remove()
    assert change.plan.restart.sentences[1].startswith("restart: socat on this node may reach the API over 127.0.0.1")
    assert change.status == 0, change.printed
    assert "outage: measured on 127.0.0.1 as well, where socat may reach the API" in change.printed
    assert change.result.mode == "seamless"
    assert_undisturbed(records)
    assert passed_on.outage_seconds > 5
    assert passed_on.agrees(change.result.outage_seconds)
    assert node.sha256(MANIFEST) == sha256(before)
    assert left_over(node) == ""
