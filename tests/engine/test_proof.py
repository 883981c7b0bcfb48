"""The proof over real SSH: the node's own script, a Loki that only the node reaches, and an update that fails."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi
import pytest

from auditlog.nodes.ssh import Account
from auditlog.plan.plan import make_plan
from auditlog.policy.read import read_policy
from auditlog.proof.prove import prove_nodes
from auditlog.proof.tasks import Task, proof_tasks
from auditlog.proof.verdict import Failure, Proven
from auditlog.settings import AlloyMode, AlloySettings, Host, LokiSettings, ProofSettings, Settings
from components import outcome, proof
from components.change import Change
from components.scope import Scope
from tests.engine.engine_stack import EngineStack
from tests.engine.fake_node import FakeNode, fake_node
from tests.engine.ssh_server import SshServer, new_key
from tests.unit.events.fake_loki import FakeLoki, certificate_and_key, serve
from tests.unit.plan.nodes import OWNER, POLICY, settings, untouched
from tests.unit.proof.events import MARKER, line

EVENT = line()
METADATA = {
    "job": "kubernetes-audit",
    "verb": "create",
    "user": "kubernetes-admin",
    "code": "201",
    "level": "Metadata",
    "decision": "allow",
    "auditID": "e1",
}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A node whose API server has recorded the marker: its name is no secret here."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0")
    node = fake_node(tmp_path / "node", monkeypatch)
    node.audited()
    node.log.write_text(f"{EVENT}\n")
    return node


@pytest.fixture
def loki() -> Iterator[FakeLoki]:
    """A Loki that has the event."""
    with serve([("cp1", EVENT.encode())]) as fake:
        fake.metadata = METADATA
        yield fake


def prove(
    server: SshServer, node: FakeNode, loki: LokiSettings | None = None, key: str | None = None, seconds: int = 0
) -> Proven | Failure:
    host = Host("cp1", server.host, server.host_key, user="ops", port=server.port)
    alloy = AlloySettings(AlloyMode.DAEMONSET if loki else AlloyMode.OFF)
    wanted = Settings("test", (host,), loki=loki, alloy=alloy, proof=ProofSettings(loki_seconds=seconds))
    task = Task(host, "cp1", "https://127.0.0.1:6443", str(node.log), MARKER)
    proving = prove_nodes([task], wanted, Account(key or server.private_key))
    # asyncio.run takes its thread's event loop away, and the mocks of Pulumi's SDK need that of the main one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        found = thread.submit(asyncio.run, proving).result()
    return found["cp1"]


def note(node: FakeNode) -> object:
    return json.loads((node.root / "etc/kubernetes/audit-logging/proof").read_text())


def test_without_loki_the_log_is_proven(server: SshServer, node: FakeNode) -> None:
    found = prove(server, node)
    assert isinstance(found, Proven)
    assert (found.audit_id, found.path, found.loki_seconds) == ("e1", str(node.log), None)
    assert note(node) == found.outputs()


def test_loki_is_asked_through_the_node(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    found = prove(server, node, LokiSettings(loki.url, tenant="ops", username="reader", password="p"))
    assert isinstance(found, Proven), found
    assert found.loki_seconds is not None
    assert found.loki_seconds >= found.log_seconds
    assert f"http://{server.tunnels[0]}" == loki.url
    ((_, parameters, sent),) = loki.requests
    headers = {name.lower(): value for name, value in sent.items()}
    assert parameters["query"] == '{job="kubernetes-audit", cluster="test"} |= `e1`'
    assert headers["x-scope-orgid"] == "ops"
    assert headers["authorization"] == f"Basic {base64.b64encode(b'reader:p').decode()}"
    assert headers["host"] == loki.url.removeprefix("http://")
    assert note(node) == found.outputs()


def test_loki_shows_its_own_certificate_through_the_node(server: SshServer, node: FakeNode, tmp_path: Path) -> None:
    certificate, key = certificate_and_key(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serve([("cp1", EVENT.encode())], context) as fake:
        fake.metadata = METADATA
        found = prove(server, node, LokiSettings(fake.url, certificate_authority=certificate.read_text()))
        assert isinstance(found, Proven), found
        stranger = prove(server, node, LokiSettings(fake.url))
    assert isinstance(stranger, Failure)
    assert "Loki cannot be asked for it" in stranger.message
    assert "certificate verify failed" in stranger.message


def test_loki_may_be_asked_from_here(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    elsewhere = LokiSettings("http://push.invalid", query_url=loki.url, query_through_nodes=False)
    assert isinstance(prove(server, node, elsewhere), Proven)
    assert server.tunnels == []


def test_an_event_that_is_not_in_loki_is_followed_to_alloy(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    loki.lines.clear()
    node._command("kubectl", "printf 'pod cp1 Pending false ImagePullBackOff\\n'")
    found = prove(server, node, LokiSettings(loki.url))
    assert isinstance(found, Failure)
    assert not found.expected
    assert found.message.startswith(f"the marker's event e1 is in {node.log} and not in Loki ({loki.url}) after 0 s: ")
    assert "the pod of Alloy is not ready: Pending (ImagePullBackOff)" in found.message
    assert note(node) == {"failed": found.message, "at": found.at}
    assert found.at


def test_an_entry_in_loki_that_lacks_fields_is_no_proof(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    loki.metadata = {name: value for name, value in METADATA.items() if name != "user"}
    found = prove(server, node, LokiSettings(loki.url))
    assert isinstance(found, Failure)
    assert found.message.endswith("and its user is '', not 'kubernetes-admin'")


def test_an_event_that_comes_late_is_waited_for(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    loki.refusals = [(200, {"resultType": "streams", "result": []})] * 2  # type: ignore[list-item]
    assert isinstance(prove(server, node, LokiSettings(loki.url), seconds=600), Proven)
    assert len(loki.requests) == 3


def test_a_loki_that_denies_is_not_waited_for(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    loki.refusals = [(401, "no org id")]
    found = prove(server, node, LokiSettings(loki.url), seconds=600)
    assert isinstance(found, Failure)
    assert "Loki cannot be asked for it: " in found.message
    assert (
        "answers 401: no org id; loki.tenant, loki.username or loki.password may be missing or wrong" in found.message
    )
    assert len(loki.requests) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "the node does not reach 127.0.0.1:1 ("),
        ("http://loki.monitoring.svc:3100", "the cluster has no Service monitoring/loki with an address"),
    ],
)
def test_a_loki_that_the_node_does_not_reach(server: SshServer, node: FakeNode, url: str, words: str) -> None:
    node._command("kubectl", "exit 1")
    found = prove(server, node, LokiSettings(url))
    assert isinstance(found, Failure)
    assert f"is in {node.log}, and Loki cannot be asked for it: {words}" in found.message
    assert "loki.queryUrl" in found.message


def test_a_service_of_the_cluster_is_reached_at_its_address(server: SshServer, node: FakeNode, loki: FakeLoki) -> None:
    node._command("kubectl", 'case "$*" in *" get service loki "*) printf 127.0.0.1 ;; esac')
    port = loki.url.rpartition(":")[2]
    found = prove(server, node, LokiSettings(f"http://loki.monitoring.svc.cluster.local:{port}"))
    assert isinstance(found, Proven), found
    assert loki.requests[0][2]["Host"] == f"loki.monitoring.svc.cluster.local:{port}"


def test_a_login_that_fails_is_said_of_its_node(server: SshServer, node: FakeNode) -> None:
    found = prove(server, node, key=new_key().export_private_key().decode())
    assert isinstance(found, Failure)
    assert "user 'ops' is not let in with sshPrivateKey" in found.message


def test_a_node_that_refuses_is_quoted(server: SshServer, node: FakeNode) -> None:
    node.refuse()
    found = prove(server, node)
    assert isinstance(found, Failure)
    assert found.message == "prove ended with status 1: sudo: a password is required"


def test_a_failed_proof_fails_the_update_and_leaves_the_outputs(
    engine_stack: EngineStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, Proven | Failure] = {"cp1": Failure("it stopped at the log")}

    async def stand_in(*_: object) -> Mapping[str, Proven | Failure]:
        return found

    def program() -> None:
        facts = {"cp1": untouched()}
        plan = make_plan(settings(), POLICY, facts, OWNER)
        tasks = proof_tasks(plan, settings(), read_policy(POLICY, "test"), facts)
        change = Change("cp1", Scope("test"))
        change.happens = True
        applied = proof.Applied({"cp1": change}, None, [])
        pulumi.export("proof", proof.proof_of(tasks, settings(), facts, Account("key"), applied, Scope("test")))
        pulumi.export("cluster", "test")

    ended: list[None] = []
    monkeypatch.setattr(proof, "prove_nodes", stand_in)
    monkeypatch.setattr(outcome, "end_with_one_message", lambda: ended.append(None))
    run = engine_stack.up(program)
    assert run.error is not None
    assert "Events do not arrive as they should; the nodes stay as they are now.\n" in run.error
    assert "cp1: it stopped at the log" in run.error
    assert "Traceback" not in run.error
    assert ended == [None]
    assert engine_stack.outputs() == {"cluster": "test", "proof": {"cp1": {"failed": "it stopped at the log"}}}
