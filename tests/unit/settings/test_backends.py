"""The settings of the log and the webhook: what they become, and one message for each mistake in them."""

from __future__ import annotations

from typing import Any

import pytest

from auditlog.policy.presets import preset_names
from auditlog.settings import (
    Batch,
    Delivery,
    LogFormat,
    LogSettings,
    Mode,
    PolicySettings,
    Settings,
    SettingsError,
    Throttle,
    Truncate,
    WebhookSettings,
    parse_settings,
)
from tests.unit.certificates import CERTIFICATE, KEY

NODES = [
    {
        "name": "cp1",
        "host": "cp1.example.com",
        "hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh",
    }
]
SERVER = "https://siem.example.com/audit"


def parse(**values: Any) -> Settings:
    return parse_settings({"cluster": "test", "nodes": NODES, **values}, preset_names())


def problems(**values: Any) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        parse(**values)
    return raised.value.problems


def test_everything_of_the_log_arrives() -> None:
    log = parse(
        auditLog={
            "path": "/var/log/kube-audit/audit.log",
            "maxAge": 1,
            "maxBackup": 2,
            "maxSize": 3,
            "compress": True,
            "format": "legacy",
            "version": "audit.k8s.io/v1",
            "mode": "batch",
            "batch": {"bufferSize": 5, "maxSize": 6, "maxWait": "1m30s", "throttle": {"qps": 2.5, "burst": 7}},
            "truncate": {"maxBatchSize": 200, "maxEventSize": 100},
        }
    ).log
    assert log == LogSettings(
        "/var/log/kube-audit/audit.log",
        1,
        2,
        3,
        True,
        LogFormat.LEGACY,
        Delivery(Mode.BATCH, "audit.k8s.io/v1", Batch(5, 6, "1m30s", Throttle(True, 2.5, 7)), Truncate(True, 200, 100)),
    )


def test_what_the_settings_do_not_name_stays_the_api_servers() -> None:
    assert parse(auditLog={"mode": "batch"}).log == LogSettings(delivery=Delivery(Mode.BATCH))
    assert parse(auditLog={"truncate": True}).log == LogSettings(delivery=Delivery(truncate=Truncate()))
    assert parse(auditLog={"truncate": False}).log == LogSettings(delivery=Delivery(truncate=Truncate(enabled=False)))


def test_standard_output_is_no_file() -> None:
    settings = parse(auditLog={"path": "-", "format": "json"})
    assert settings.log == LogSettings("-", format=LogFormat.JSON)
    assert settings.log_file is None


def test_everything_of_the_webhook_arrives_and_no_log_is_needed_beside_it() -> None:
    settings = parse(
        auditLog={"enabled": False},
        webhook={
            "server": SERVER,
            "certificateAuthority": CERTIFICATE,
            "clientCertificate": CERTIFICATE,
            "clientKey": KEY,
            "path": "/etc/kubernetes/siem.yaml",
            "initialBackoff": "5s",
            "mode": "batch",
            "batch": {"throttle": False},
        },
    )
    assert settings.log is None
    assert settings.webhook == WebhookSettings(
        SERVER,
        CERTIFICATE,
        CERTIFICATE,
        KEY,
        None,
        "/etc/kubernetes/siem.yaml",
        "5s",
        Delivery(Mode.BATCH, batch=Batch(throttle=Throttle(enabled=False))),
    )


def test_a_webhook_may_throttle_with_the_api_servers_own_numbers() -> None:
    webhook = parse(webhook={"server": SERVER, "batch": {"throttle": {"qps": 3}}}).webhook
    assert webhook is not None
    assert webhook.delivery == Delivery(batch=Batch(throttle=Throttle(True, 3.0, None)))


def test_credentials_do_not_show_in_what_settings_print_as() -> None:
    printed = repr(parse(webhook={"server": SERVER, "clientCertificate": CERTIFICATE, "clientKey": KEY}))
    assert "PRIVATE KEY" not in printed
    assert "hunter2" not in repr(parse(webhook={"server": SERVER, "token": "hunter2"}))


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"auditLog": {"mode": "async"}}, "auditLog.mode: is 'async'; allowed: one of batch, blocking, blocking-strict"),
    ({"auditLog": {"format": "text"}}, "auditLog.format: is 'text'; allowed: one of json, legacy"),
    (
        {"auditLog": {"version": "audit.k8s.io/v1beta1"}},
        "auditLog.version: is 'audit.k8s.io/v1beta1', did you mean 'audit.k8s.io/v1'; allowed: audit",
    ),
    ({"auditLog": {"compress": "yes"}}, "auditLog.compress: is 'yes'; allowed: true or false"),
    (
        {"auditLog": {"batch": {"maxSize": 5}}},
        "auditLog.batch: is given with mode blocking; allowed: only with mode batch",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"bufferSize": 0}}},
        "auditLog.batch.bufferSize: is 0; allowed: a whole number from 1 to",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"maxWait": "5"}}},
        "auditLog.batch.maxWait: is '5'; allowed: a duration as in",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"maxWait": "-5s"}}},
        "auditLog.batch.maxWait: is '-5s'; allowed: a duration",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"throttle": {"qps": 3}}}},
        "auditLog.batch.throttle: lacks burst; allowed: false, or both qps and burst",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"throttle": True}}},
        "auditLog.batch.throttle: lacks qps and burst; allowed: false, or both qps and burst",
    ),
    (
        {"auditLog": {"mode": "batch", "batch": {"throttle": {"qps": 0, "burst": 1}}}},
        "auditLog.batch.throttle.qps: is 0; allowed: a number above 0",
    ),
    (
        {"auditLog": {"truncate": {"maxEventSize": 20_000_000}}},
        "auditLog.truncate.maxEventSize: is 20000000; allowed: at most maxBatchSize, 10485760",
    ),
    (
        {"auditLog": {"truncate": {"maxBatchSize": 1000}}},
        "auditLog.truncate.maxEventSize: is 102400 without being told; allowed: at most maxBatchSize, 1000",
    ),
    ({"auditLog": {"truncate": "on"}}, "auditLog.truncate: is 'on'; allowed: true, false or a mapping of keys"),
    ({"auditLog": {"path": "-", "maxAge": 3}}, "auditLog.maxAge: is given with path '-'; allowed: only with a file"),
    ({"auditLog": {"enabled": False}}, "auditLog.enabled: is false and there is no webhook; allowed: at least one"),
    (
        {"auditLog": {"enabled": False, "maxAge": 3}, "webhook": {"server": SERVER}},
        "auditLog.maxAge: is given with enabled false; allowed: nothing beside it",
    ),
    ({"webhook": {"token": "x"}}, "webhook.server: is missing; allowed: an https:// or http:// URL"),
    ({"webhook": {"server": "siem.example.com"}}, "webhook.server: is 'siem.example.com'; allowed: an https://"),
    ({"webhook": {"server": "https://h:x/"}}, "webhook.server: is 'https://h:x/'; allowed: an https://"),
    (
        {"webhook": {"server": "http://siem.example.com", "token": "x"}},
        "webhook.token: is given for 'http://siem.example.com'; allowed: only with an https:// server",
    ),
    (
        {"webhook": {"server": SERVER, "clientCertificate": CERTIFICATE}},
        "webhook.clientKey: is missing; allowed: clientCertificate and clientKey together",
    ),
    (
        {"webhook": {"server": SERVER, "clientCertificate": CERTIFICATE, "clientKey": KEY, "token": "x"}},
        "webhook.token: is given together with a client certificate; allowed: one of the two",
    ),
    (
        {"webhook": {"server": SERVER, "certificateAuthority": "ca.pem"}},
        "webhook.certificateAuthority: is 'ca.pem'; allowed: PEM certificates",
    ),
    ({"webhook": {"server": SERVER, "token": "a b"}}, "webhook.token: is something else; allowed: a bearer token"),
    (
        {"webhook": {"server": SERVER, "mode": "blocking", "batch": {"maxSize": 5}}},
        "webhook.batch: is given with mode blocking; allowed: only with mode batch",
    ),
    ({"webhook": {"server": SERVER, "initialBackoff": 5}}, "webhook.initialBackoff: is 5; allowed: a duration"),
    (
        {"webhook": {"server": SERVER, "path": "/etc/kubernetes/manifests/w.yaml"}},
        "webhook.path: '/etc/kubernetes/manifests/w.yaml' is inside /etc/kubernetes/manifests; allowed: any other",
    ),
    (
        {"webhook": {"server": SERVER, "path": "/etc/kubernetes/audit-policy.yaml"}},
        "webhook.path: '/etc/kubernetes/audit-policy.yaml' is also policy.path; allowed: different files",
    ),
    (
        {"policy": {"inline": "x", "base64": "eA=="}},
        "policy.inline: is given together with base64; allowed: one of preset, file, inline, base64",
    ),
    ({"policy": {"base64": "?"}}, "policy.base64: cannot be decoded: "),
    (
        {"policy": {"inline": 5}},
        "policy.inline: is 5; allowed: an audit.k8s.io/v1 Policy, as YAML text or as a mapping",
    ),
]


@pytest.mark.parametrize(("values", "message"), MISTAKES)
def test_a_mistake_is_answered_by_one_message(values: dict[str, Any], message: str) -> None:
    found = problems(**values)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_wrong_secret_is_not_repeated() -> None:
    found = problems(webhook={"server": SERVER, "clientCertificate": CERTIFICATE, "clientKey": "hunter2"})
    assert found == ["webhook.clientKey: is something else; allowed: an unencrypted private key in PEM form"]


@pytest.mark.parametrize(
    "policy",
    [
        {"inline": "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"},
        {"inline": {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}},
        {"base64": "YXBpVmVyc2lvbjogYXVkaXQuazhzLmlvL3YxCmtpbmQ6IFBvbGljeQpydWxlczoKLSBsZXZlbDog\nTWV0YWRhdGEK"},
    ],
)
def test_a_policy_in_the_configuration_itself(policy: dict[str, Any]) -> None:
    text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
    assert parse(policy=policy).policy == PolicySettings(preset=None, text=text)
