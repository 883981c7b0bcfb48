"""The webhook backend against a real HTTPS receiver: up, down, with a token, with a client certificate, taken away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from auditlog.manifest import manifest
from lab.api import Lab, Node
from lab.stack import PulumiStack
from lab.webhook_receiver import WebhookReceiver
from tests.lab.test_first_stack import LOG, MANIFEST, eventually, hashes, process_arguments

KUBECONFIG = "/etc/kubernetes/audit-webhook.yaml"


@pytest.fixture(scope="module")
def receiver(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebhookReceiver]:
    made = WebhookReceiver(node, tmp_path_factory.mktemp("webhook") / "receiver")
    with made.running():
        yield made


@pytest.fixture(scope="module")
def before(node: Node) -> dict[str, str]:
    return hashes(node)


def webhook(receiver: WebhookReceiver, **more: Any) -> dict[str, Any]:
    """Settings with short waits, so that the tests need not wait for half a minute each."""
    return {
        "webhook": {
            "server": receiver.server,
            "certificateAuthority": receiver.file("ca.pem"),
            "initialBackoff": "1s",
            "batch": {"maxWait": "1s"},
            **more,
        }
    }


def holding(node: Node, text: str) -> str:
    """The files below /etc/kubernetes that hold this text."""
    return node.run(f"grep -r -l -F -e '{text}' /etc/kubernetes || true").stdout


def credential(node: Node) -> str:
    """The client's key as the kubeconfig on the node has it."""
    (line,) = (line for line in node.run(f"cat {KUBECONFIG}").stdout.splitlines() if "client-key-data:" in line)
    return line.split()[-1]


def make_event(lab: Lab) -> str:
    name = f"sent-{time.monotonic_ns()}"
    lab.kubectl("-n", "default", "create", "configmap", name)
    return name


def delivery_errors(lab: Lab) -> int:
    lines = lab.kubectl("get", "--raw", "/metrics").splitlines()
    found = [line for line in lines if line.startswith('apiserver_audit_error_total{plugin="webhook"}')]
    return int(float(found[0].split()[-1])) if found else 0


def test_events_arrive_with_a_token_and_the_token_shows_nowhere(
    lab: Lab, node: Node, stack: PulumiStack, receiver: WebhookReceiver, before: dict[str, str]
) -> None:
    assert before["manifest"], "read before the first change"
    stack.configure(lab.state, webhook(receiver))
    stack.set_secret("webhook.token", receiver.token)
    previewed = stack.run("preview", "--diff").stdout
    printed = stack.run("up", "--yes", "--skip-preview").stdout
    name = make_event(lab)
    assert receiver.wait_for(name)["verb"] == "create"
    assert name in node.run(f"cat {LOG}").stdout
    assert receiver.refused() == 0
    assert node.run(f"stat -c %a {KUBECONFIG}").stdout.strip() == "600"
    state = stack.run("stack", "export").stdout
    for text in (previewed, printed, state, stack.file.read_text()):
        assert receiver.token not in text
    assert stack.run("preview", "--expect-no-changes")


def test_a_receiver_that_is_down_stops_nothing_and_shows_in_the_metrics(
    lab: Lab, node: Node, receiver: WebhookReceiver
) -> None:
    receiver.stop()
    names = [make_event(lab) for _ in range(5)]
    counted = eventually(lambda: str(delivery_errors(lab)), lambda found: int(found) > 0)
    assert int(counted) > 0
    logged = node.run(f"cat {LOG}").stdout
    assert all(name in logged for name in names)
    receiver.start()
    assert receiver.wait_for(make_event(lab))


def test_drift_of_the_kubeconfig_is_put_right_with_a_restart(
    lab: Lab, node: Node, stack: PulumiStack, receiver: WebhookReceiver
) -> None:
    wanted = node.sha256(KUBECONFIG)
    node.run(f"echo '# by hand' >>{KUBECONFIG}")
    previewed = stack.run("preview", "--diff").stdout
    assert f"the webhook's kubeconfig {KUBECONFIG} differs" in previewed
    stack.run("up", "--yes", "--skip-preview")
    assert node.sha256(KUBECONFIG) == wanted
    assert receiver.wait_for(make_event(lab))


def test_a_client_certificate_takes_the_tokens_place(
    lab: Lab, node: Node, stack: PulumiStack, receiver: WebhookReceiver
) -> None:
    stack.configure(lab.state, webhook(receiver, clientCertificate=receiver.file("client.pem")))
    stack.set_secret("webhook.clientKey", receiver.file("client.key"))
    stack.run("up", "--yes", "--skip-preview")
    assert receiver.wait_for(make_event(lab))
    assert receiver.refused() == 0
    assert "token" not in node.run(f"cat {KUBECONFIG}").stdout
    assert holding(node, receiver.token) == "", "a token that was replaced is nowhere any more"


def test_a_webhook_that_leaves_the_stack_takes_flag_mount_and_file_along(
    lab: Lab, node: Node, stack: PulumiStack, receiver: WebhookReceiver
) -> None:
    key = credential(node)
    stack.configure(lab.state, {})
    stack.run("up", "--yes", "--skip-preview")
    assert holding(node, key) == ""
    assert not any("webhook" in argument for argument in process_arguments(node))
    text = node.run(f"cat {MANIFEST}").stdout
    assert manifest.webhook_annotation(text) is None
    assert "audit-webhook" not in manifest.present(text).mounts
    assert node.run(f"ls {KUBECONFIG} || true").stdout == ""
    assert make_event(lab) not in str(receiver.events())


def test_destroy_gives_everything_back(node: Node, stack: PulumiStack, before: dict[str, str]) -> None:
    stack.run("destroy", "--yes", "--skip-preview")
    assert hashes(node) == before
