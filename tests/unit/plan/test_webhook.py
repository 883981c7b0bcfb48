"""The webhook's kubeconfig: its text, when it is to be written, and when the API server must read it anew."""

from __future__ import annotations

import base64
import dataclasses

import pytest
import yaml

from auditlog.manifest import manifest
from auditlog.manifest.desired import sha256
from auditlog.nodes.fact_types import HashedFile, Process
from auditlog.nodes.facts import Facts, parse_facts
from auditlog.plan.digest import plan_digest
from auditlog.plan.node_plan import NodePlan
from auditlog.plan.plan import make_plan
from auditlog.plan.webhook_kubeconfig import webhook_kubeconfig
from auditlog.settings import Settings, WebhookSettings
from tests.unit.certificates import CERTIFICATE, KEY
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.nodes.facts_output import facts_output
from tests.unit.plan.nodes import OWNER, POLICY, applied, remote, settings, untouched

WEBHOOK = WebhookSettings("https://siem.example.com/audit", CERTIFICATE, token="hunter2")
HASH = sha256(webhook_kubeconfig(WEBHOOK))


def wanted(webhook: WebhookSettings | None = WEBHOOK) -> Settings:
    return dataclasses.replace(settings(), webhook=webhook)


def node_plan(facts: Facts, webhook: WebhookSettings | None = WEBHOOK) -> NodePlan:
    return make_plan(wanted(webhook), POLICY, {"cp1": facts}, OWNER).nodes[0]


def with_webhook(modified: int = 2000, started: int = 2010) -> Facts:
    """The node after ``up`` with the webhook."""
    before = applied()
    planned = make_plan(wanted(), POLICY, {"cp1": before}, OWNER)
    text = planned.nodes[0].manifest.desired
    assert before.kubeadm_config is not None
    return dataclasses.replace(
        before,
        manifest=remote(text, 2000),
        owned=planned.nodes[0].owned.record(),
        owned_kubeadm_config=planned.kubeadm_config_owned.record(),
        processes=(Process(2, started, manifest.arguments(text)),),
        kubeadm_config=dataclasses.replace(before.kubeadm_config, text=planned.kubeadm_config.desired),
        webhook=HashedFile(HASH, modified, modified),
        webhook_path=WEBHOOK.path,
        staged_webhook_sha256=HASH,
    )


def test_a_token_and_the_authority_are_in_the_kubeconfig() -> None:
    document = yaml.safe_load(webhook_kubeconfig(WEBHOOK))
    (cluster,), (user,) = document["clusters"], document["users"]
    assert cluster["cluster"]["server"] == "https://siem.example.com/audit"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode() == CERTIFICATE
    assert user["user"] == {"token": "hunter2"}
    (context,) = document["contexts"]
    assert document["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}


def test_a_client_certificate_is_in_the_kubeconfig() -> None:
    webhook = WebhookSettings("https://siem.example.com", client_certificate=CERTIFICATE, client_key=KEY)
    document = yaml.safe_load(webhook_kubeconfig(webhook))
    user = document["users"][0]["user"]
    assert {name: base64.b64decode(value).decode() for name, value in user.items()} == {
        "client-certificate-data": CERTIFICATE,
        "client-key-data": KEY,
    }
    assert document["clusters"][0]["cluster"] == {"server": "https://siem.example.com"}


def test_a_webhook_comes_with_flag_mount_hash_and_file() -> None:
    node = node_plan(untouched())
    assert node.reasons[1] == "the webhook's kubeconfig /etc/kubernetes/audit-webhook.yaml is not there"
    assert manifest.webhook_annotation(node.manifest.desired) == HASH
    assert manifest.present(node.manifest.desired).mounts["audit-webhook"] == WEBHOOK.path
    assert node.manifest.before == MANIFEST


def test_after_up_nothing_is_to_be_done() -> None:
    node = node_plan(with_webhook())
    assert node.reasons == ()
    assert node.manifest.before == MANIFEST


def test_another_token_changes_the_file_and_the_hash_in_the_manifest() -> None:
    other = dataclasses.replace(WEBHOOK, token="hunter3")
    node = node_plan(with_webhook(), other)
    assert node.reasons == ("the webhook's kubeconfig /etc/kubernetes/audit-webhook.yaml differs",)
    changed = [
        line for line in node.manifest.diff().splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == [
        f"-    kubernetes-audit/webhook-sha256: {HASH}",
        f"+    kubernetes-audit/webhook-sha256: {sha256(webhook_kubeconfig(other))}",
    ]


def test_a_file_that_was_written_after_the_process_started_needs_a_restart() -> None:
    facts = with_webhook(modified=3000)
    assert facts.manifest is not None
    lines = facts.manifest.text.splitlines(keepends=True)
    unmarked = "".join(line for line in lines if "webhook-sha256" not in line)
    behind = node_plan(dataclasses.replace(facts, manifest=remote(unmarked, 2000)))
    assert behind.reasons == ("the running API server is older than its webhook's kubeconfig",)
    assert manifest.webhook_annotation(behind.manifest.desired) == HASH
    in_time = node_plan(dataclasses.replace(with_webhook(), manifest=remote(unmarked, 2000)))
    assert in_time.reasons == ()


def test_a_webhook_that_leaves_the_stack_takes_its_hash_along() -> None:
    node = node_plan(with_webhook(), None)
    assert manifest.webhook_annotation(node.manifest.desired) is None
    assert "webhook" not in node.manifest.desired
    assert node.webhook is None


def test_the_plan_holds_no_credentials_and_its_digest_changes_with_them() -> None:
    plan = make_plan(wanted(), POLICY, {"cp1": untouched()}, OWNER)
    assert "hunter2" not in repr(plan)
    other = wanted(dataclasses.replace(WEBHOOK, token="hunter3"))
    assert plan_digest(plan, wanted()) != plan_digest(make_plan(other, POLICY, {"cp1": untouched()}, OWNER), other)


@pytest.mark.parametrize("facts", [with_webhook(), untouched()], ids=["there", "absent"])
def test_of_the_file_only_the_hash_is_read(facts: Facts) -> None:
    read = parse_facts(facts_output(facts))
    assert (read.webhook, read.webhook_path) == (facts.webhook, facts.webhook_path)
    assert read.staged_webhook_sha256 == facts.staged_webhook_sha256
