"""From the node's file to Loki with real Alloy and real Loki. The tests are steps on one stack, in this order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from auditlog.observe.alloy import STRUCTURED_METADATA
from lab.api import Lab, Node
from lab.observability import compare
from lab.observability.stack import Observability
from lab.stack import PulumiStack
from tests.observability.shipping import NAMESPACE, SELECTOR, STORAGE, cleared, entries, eventually

LOG = "/var/log/kubernetes/audit/audit.log"


@pytest.fixture(scope="module")
def shipping(lab: Lab, observability: Observability, stack: PulumiStack) -> Iterator[float]:
    """The stack with Alloy, up; gives the second since 1970 at which it was made."""
    with cleared(lab):
        started = time.time()
        observability.configure(stack)
        stack.run("up", "--yes", "--skip-preview")
        yield started


def test_the_daemon_set_runs_on_every_control_plane_node(lab: Lab, shipping: float) -> None:  # noqa: ARG001
    printed = lab.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json")
    pods = json.loads(printed)["items"]
    assert sorted(pod["spec"]["nodeName"] for pod in pods) == [node.name for node in lab.nodes]
    assert {pod["status"]["containerStatuses"][0]["ready"] for pod in pods} == {True}


def test_up_ends_with_an_event_of_each_node_that_it_found_in_log_and_loki(
    lab: Lab, node: Node, observability: Observability, stack: PulumiStack, shipping: float
) -> None:
    proof = json.loads(stack.run("stack", "output", "proof", "--json").stdout)
    assert list(proof) == [each.name for each in lab.nodes]
    found = proof[node.name]
    (entry,) = entries(observability, f'{SELECTOR} | auditID="{found["auditID"]}"', shipping)
    event = json.loads(entry.line)
    assert event["objectRef"]["name"].startswith("kubernetes-audit-proof-")
    assert entry.metadata["user"] == event["user"]["username"] == "kubernetes-admin"
    assert entry.metadata["code"] == "201"
    assert 0 <= found["logSeconds"] <= found["lokiSeconds"]
    assert lab.kubectl("-n", "kube-system", "get", "configmap", event["objectRef"]["name"], "--ignore-not-found") == ""


def test_the_seeds_query_says_who_deleted_a_config_map(
    lab: Lab, node: Node, observability: Observability, shipping: float
) -> None:
    lab.kubectl("create", "configmap", "shipped-and-gone", as_user="alice")
    lab.kubectl("delete", "configmap", "shipped-and-gone", as_user="alice")
    query = f'{SELECTOR} |= "delete" |= "shipped-and-gone"'
    found = eventually(lambda: entries(observability, query, shipping), bool)
    (entry,) = found
    event = json.loads(entry.line)
    assert event["user"]["username"] == "alice@example.com"
    assert node.run(f"grep -c {event['auditID']} {LOG}").stdout.strip() != "0"
    assert {name: entry.labels.get(name) for name in ("job", "cluster", "node")} == {
        "job": "kubernetes-audit",
        "cluster": "lab",
        "node": node.name,
    }
    # Loki adds service_name of its own; nothing else comes as a label.
    assert set(entry.labels) - {"service_name"} == {"job", "cluster", "node"}
    assert entry.time == round(compare.seconds(event["stageTimestamp"]) * 1e6) * 1000
    metadata = {name: value for name, value in entry.metadata.items() if name in STRUCTURED_METADATA}
    assert metadata == {
        "verb": "delete",
        "user": "alice@example.com",
        "groups": json.dumps(event["user"]["groups"], separators=(",", ":")),
        "sourceIP": event["sourceIPs"][0],
        "resource": "configmaps",
        "namespace": "default",
        "name": "shipped-and-gone",
        "code": "200",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "decision": "allow",
        "auditID": event["auditID"],
        "userAgent": event["userAgent"],
    }


def test_a_field_can_be_asked_for_without_reading_the_line(observability: Observability, shipping: float) -> None:
    query = f'{SELECTOR} | user="alice@example.com" | verb="delete" | resource="configmaps"'
    assert len(entries(observability, query, shipping)) == 1


def test_what_is_in_the_files_is_in_loki_once(lab: Lab, observability: Observability, shipping: float) -> None:
    found = eventually(
        lambda: compare.compare(lab, observability.loki.url, since=shipping), lambda result: result.equal
    )
    assert found.equal, "\n".join(found.lines())
    assert found.files.total() > 10


def test_a_second_preview_says_unchanged(stack: PulumiStack, shipping: float) -> None:  # noqa: ARG001
    stack.run("preview", "--diff", "--expect-no-changes")


def test_alloy_cannot_write_to_the_log_nor_to_its_own_image(lab: Lab, shipping: float) -> None:  # noqa: ARG001
    (pod,) = json.loads(lab.kubectl("-n", NAMESPACE, "get", "pods", "-o", "json"))["items"]
    container = pod["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "serviceAccountToken" not in json.dumps(pod["spec"]["volumes"])


def test_an_up_whose_event_alloy_does_not_ship_fails_and_says_so(
    lab: Lab,
    observability: Observability,
    stack: PulumiStack,
    shipping: float,  # noqa: ARG001
) -> None:
    place_alloy(lab, nowhere=True)
    # The nodes change, or there would be nothing to prove.
    observability.configure(stack, proof={"lokiSeconds": 5}, auditLog={"maxAge": 29})
    result = stack.run("up", "--yes", "--skip-preview", check=False)
    place_alloy(lab, nowhere=False)
    assert result.returncode != 0
    assert "Events do not arrive as they should; the nodes stay as they are now." in result.stdout
    stopped = f"is in {LOG} and not in Loki ({observability.loki.url}) after 5 s: there is no pod of Alloy"
    assert stopped in result.stdout
    assert json.loads(stack.run("stack", "output", "--json").stdout)["cluster"] == "lab", "the outputs stay"


def place_alloy(lab: Lab, *, nowhere: bool) -> None:
    """Lets Alloy run on nodes with a label that none has, or where the stack says, and waits until it is so."""
    labels = {"nodeSelector": {"on-no-node": "x" if nowhere else None}}
    patch = json.dumps({"spec": {"template": {"spec": labels}}})
    lab.kubectl("-n", NAMESPACE, "patch", "daemonset", "alloy-audit", "--patch", patch)
    pods = ("-n", NAMESPACE, "get", "pods", "--output=name")
    wanted = 0 if nowhere else len(lab.nodes)
    eventually(lambda: lab.kubectl(*pods).split(), lambda found: len(found) == wanted)


def test_events_on_standard_output_arrive_without_what_else_is_said_there(
    lab: Lab, observability: Observability, stack: PulumiStack, shipping: float
) -> None:
    observability.configure(stack, auditLog={"path": "-"})
    stack.run("up", "--yes", "--skip-preview")
    changed = time.time()
    lab.kubectl("create", "configmap", "said-aloud", as_user="alice")
    lab.kubectl("delete", "configmap", "said-aloud", as_user="alice")
    query = f'{SELECTOR} | name="said-aloud" | verb="delete" | user="alice@example.com"'
    found = eventually(lambda: entries(observability, query, changed), bool)
    assert len(found) == 1
    lines = [entry.line for entry in entries(observability, SELECTOR, shipping)]
    assert all(json.loads(line)["kind"] == "Event" for line in lines)


def test_destroy_takes_all_of_it_and_leaves_what_it_did_not_make(lab: Lab, node: Node, stack: PulumiStack) -> None:
    lab.kubectl("create", "configmap", "bystander")
    assert node.run(f"ls {STORAGE}").stdout != ""
    stack.run("destroy", "--yes", "--skip-preview")
    assert lab.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found") == ""
    assert node.run(f"ls -d {STORAGE} || true").stdout == ""
    assert node.run(f"grep -c shipped-and-gone {LOG}").stdout.strip() != "0"
    assert "bystander" in lab.kubectl("get", "configmap", "bystander")
    lab.kubectl("delete", "configmap", "bystander")
