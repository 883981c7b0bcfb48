"""Audit logging comes to three nodes and goes again while clients write all the time. The tests are steps, in order.

The two clients go through the load balancer, one on a fresh connection for each request, one on a kept one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lab.api import Lab
from lab.stack import PulumiStack, configuration
from lab.state import LabState
from tests.lab.nodes import etcd_members, ready_nodes
from tests.lab.outsiders import firewall, outsiders
from tests.lab.test_first_stack import MANIFEST, hashes, process_arguments, process_ids
from tests.lab.writers import CONNECTIONS, missing, recorded, writing

# The first test makes the lab, which on a busy machine alone takes minutes.
pytestmark = pytest.mark.timeout(2400)

LOG = "/var/log/kubernetes/audit/audit.log"
# Both stages, so that a request that was cut off shows as one line without the other; rotated as often as can be.
EVERYTHING = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
SETTINGS = {
    "auditLog": {"path": LOG, "maxSize": 1, "maxBackup": 1000},
    "restart": "drain",
    "acceptLostEvents": False,
}
STAGES = ("RequestReceived", "ResponseComplete")
MODES = ("drain", *(pytest.param(mode, marks=pytest.mark.exhaustive) for mode in ("seamless", "quick")))
# A quick restart cuts off what is in flight on the node: at most one request of each writer.
CUT_OFF = {"quick": 3 * len(CONNECTIONS)}


@pytest.fixture(scope="module")
def lab(three_nodes: Lab) -> Lab:
    three_nodes.reset()
    return three_nodes


@pytest.fixture(scope="module")
def before(lab: Lab) -> dict[str, dict[str, str]]:
    """Of each node the hashes of what audit logging touches, before the first ``up``."""
    return {node.name: hashes(node) for node in lab.nodes}


@pytest.fixture(scope="module", autouse=True)
def _configured(lab: Lab, stack: PulumiStack) -> None:
    configure(lab, stack, EVERYTHING)


def configure(lab: Lab, stack: PulumiStack, policy: Mapping[str, object], **settings: object) -> None:
    file = stack.folder / "policy.yaml"
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    stack.configure(lab.state, {**SETTINGS, "policy": {"file": str(file)}, **settings})


def assert_one_after_the_other(printed: str, *steps: str) -> None:
    """Every step is in what ``up`` printed, after the one before."""
    places = [printed.find(step) for step in steps]
    assert -1 not in places, f"not printed: {[step for step, at in zip(steps, places, strict=True) if at == -1]}"
    assert places == sorted(places)


def test_the_first_node_that_fails_ends_the_change_and_no_client_sees_it(
    lab: Lab, stack: PulumiStack, before: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    lab.node("cp2").run(f"mkdir -p {LOG}")  # a folder where the log file should be: its API server cannot start
    untouched = process_ids(lab.node("cp3"))
    with writing(lab, tmp_path) as written:
        result = stack.run("up", "--yes", "--skip-preview", check=False)
    assert result.returncode != 0
    assert_one_after_the_other(
        result.stdout,
        "cp1-manifest creating",
        "cp1-manifest created",
        "cp2-manifest creating",
        "API server cannot start",
    )
    assert "cp3-manifest" not in result.stdout
    assert any(argument.startswith("--audit-log-path=") for argument in process_arguments(lab.node("cp1")))
    assert hashes(lab.node("cp2")) == before["cp2"], "its own manifest, and kubeadm-config, are as before"
    assert hashes(lab.node("cp3")) == before["cp3"]
    assert process_ids(lab.node("cp3")) == untouched
    assert written.failed == []


def test_the_next_up_goes_on_where_that_one_stopped(lab: Lab, stack: PulumiStack, tmp_path: Path) -> None:
    lab.node("cp2").run(f"rmdir {LOG}")
    done = process_ids(lab.node("cp1"))
    with writing(lab, tmp_path) as written:
        printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert process_ids(lab.node("cp1")) == done, "the node that was finished is left alone"
    assert_one_after_the_other(
        printed, "cp2-manifest created", "cp3-manifest creating", "cp3-manifest created", "kubeadm-config: written"
    )
    assert written.failed == []
    stack.run("preview", "--expect-no-changes")


@pytest.mark.parametrize("mode", MODES)
def test_a_new_policy_comes_to_one_node_at_a_time_and_every_request_is_recorded_once(
    lab: Lab, stack: PulumiStack, mode: str, tmp_path: Path
) -> None:
    rules = [{"level": "Request", "users": [mode]}, {"level": "Metadata"}]
    configure(lab, stack, {**EVERYTHING, "rules": rules}, restart=mode)
    running = {node.name: process_ids(node) for node in lab.nodes}
    with writing(lab, tmp_path) as written:
        printed = stack.run("up", "--yes", "--skip-preview").stdout
    assert_one_after_the_other(
        printed,
        "cp1-manifest updating",
        "cp1-manifest updated",
        "cp2-manifest updating",
        "cp2-manifest updated",
        "cp3-manifest updating",
        "cp3-manifest updated",
    )
    assert all(process_ids(node) != running[node.name] for node in lab.nodes)
    assert len(written.failed) <= CUT_OFF.get(mode, 0), written.failed
    counted = recorded(lab, LOG)
    assert [line for line, times in counted.items() if times > 1] == []
    unrecorded = missing([request for request in written.requests if request.succeeded], counted, STAGES)
    assert len(unrecorded) <= CUT_OFF.get(mode, 0), unrecorded
    assert all(int(node.run(f"ls {LOG.removesuffix('.log')}*.log | wc -l").stdout) > 1 for node in lab.nodes), (
        "no log was rotated"
    )
    stack.run("preview", "--expect-no-changes")


@pytest.mark.exhaustive
@pytest.mark.parametrize("mode", ["seamless", "drain"])
@pytest.mark.parametrize("closed", [True, False], ids=["behind a firewall", "without one"])
def test_no_client_fails_no_stranger_gets_in_and_the_outage_is_what_an_outsider_saw(
    lab: Lab, stack: PulumiStack, mode: str, closed: bool, tmp_path: Path
) -> None:
    """Each node lets the load balancer, the other nodes and the prober in, or has no firewall: then only the canary's
    ports are closed."""
    assert lab.state.balancer is not None
    allowed = [lab.state.balancer.address, lab.state.bridge_address, *(node.address for node in lab.nodes)]
    rules = [{"level": "Request", "users": [f"{mode} {closed}"]}, {"level": "Metadata"}]
    configure(lab, stack, {**EVERYTHING, "rules": rules}, restart=mode)
    with (
        firewall(lab.nodes if closed else (), allowed),
        outsiders(lab, lab.nodes) as seen,
        writing(lab, tmp_path) as written,
    ):
        printed = stack.run("up", "--yes", "--skip-preview").stdout
    states = json.loads(stack.run("stack", "output", "--json").stdout)["nodes"]
    assert written.failed == [], f"of {len(written.requests)}"
    assert {states[name]["restart"] for name in seen} == {"drain" if closed else mode}, printed
    for name, outsider in seen.items():
        assert outsider.tried > 100
        assert len(outsider.answers) > 100
        assert [port for port in outsider.reached if closed or not port.startswith("6443 ")] == []
        assert outsider.agrees(states[name]["outageSeconds"]), (name, states[name], outsider.answers)


def test_a_machine_is_prepared_and_joins_with_audit_logging_on(lab: Lab, stack: PulumiStack) -> None:
    def prepare(state: LabState) -> None:
        nodes = configuration(state)["nodes"]
        configure(lab, stack, EVERYTHING, nodes=[*nodes[:-1], {**nodes[-1], "joining": True}])
        assert "cp4-policy created" in stack.run("up", "--yes", "--skip-preview").stdout

    grown = lab.join(prepare)
    joined = grown.node("cp4")
    assert joined.name in ready_nodes(grown)
    assert joined.name in etcd_members(joined)
    assert joined.address in lab.nodes[0].run("cat /etc/hosts").stdout
    assert f"server {joined.name} {joined.address}:6443" in (grown.paths.balancer / "haproxy.cfg").read_text()
    assert f"--audit-log-path={LOG}" in process_arguments(joined)
    assert int(joined.run(f"grep -c ResponseComplete {LOG}").stdout) > 0
    configure(grown, stack, EVERYTHING)
    started = {node.name: process_ids(node) for node in grown.nodes}
    stack.run("up", "--yes", "--skip-preview")
    assert {node.name: process_ids(node) for node in grown.nodes} == started, "taken over without a restart"
    stack.run("preview", "--expect-no-changes")


def test_destroy_gives_every_node_back_byte_for_byte_and_no_client_sees_it(
    lab: Lab, stack: PulumiStack, before: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    with writing(lab, tmp_path) as written:
        stack.run("destroy", "--yes", "--skip-preview")
    assert {node.name: hashes(node) for node in lab.nodes} == before
    for node in Lab.load(lab.paths).nodes:
        assert "audit" not in " ".join(process_arguments(node))
        assert node.run(f"ls {MANIFEST}.* /etc/kubernetes/audit* 2>/dev/null || true").stdout == ""
    assert written.failed == []
