"""The keys ``loki`` and ``alloy``: defaults, everything that can be set, and one message for each mistake."""

from __future__ import annotations

from typing import Any

import pytest

from auditlog.settings import (
    AlloyMode,
    AlloySettings,
    LokiSettings,
    ProofSettings,
    Resources,
    SettingsError,
    parse_settings,
)
from tests.unit.settings.test_settings import GOOD, PRESETS

LOKI = {"url": "https://loki.example.com"}
AUTHORITY = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_without_loki_nothing_is_shipped() -> None:
    settings = parse_settings(GOOD, PRESETS)
    assert settings.loki is None
    assert settings.alloy.mode is AlloyMode.OFF
    assert settings.in_cluster == {}


def test_loki_alone_brings_a_daemon_set() -> None:
    settings = parse_settings({**GOOD, "loki": LOKI}, PRESETS)
    assert settings.loki == LokiSettings("https://loki.example.com")
    assert settings.loki.push_url == "https://loki.example.com/loki/api/v1/push"
    assert settings.alloy == AlloySettings(AlloyMode.DAEMONSET)
    assert settings.in_cluster == {"alloy.mode": "daemonset"}


def test_everything_that_can_be_set_arrives() -> None:
    loki = {
        "url": "http://loki.example.com:3100/prefix",
        "tenant": "ops",
        "username": "ship",
        "password": "secret",
        "certificateAuthority": AUTHORITY,
        "maxLineSize": 1048576,
        "queryUrl": "https://query.example.com",
        "queryThroughNodes": False,
    }
    image = "registry.example.com:5000/alloy@sha256:" + "0" * 64
    alloy = {
        "mode": "daemonset",
        "namespace": "audit",
        "image": image,
        "nodeSelector": {"role": "control"},
        "hostNetwork": True,
        "resources": {"cpu": "100m", "memory": "64Mi", "memoryLimit": "1Gi"},
        "catchUpMinutes": 5,
    }
    settings = parse_settings({**GOOD, "loki": loki, "alloy": alloy}, PRESETS)
    assert settings.loki == LokiSettings(
        "http://loki.example.com:3100/prefix",
        "ops",
        "ship",
        "secret",
        AUTHORITY,
        1048576,
        "https://query.example.com",
        False,
    )
    assert settings.alloy == AlloySettings(
        AlloyMode.DAEMONSET, "audit", image, {"role": "control"}, True, Resources("100m", "64Mi", "1Gi"), 5
    )


def test_the_proof_is_made_and_can_be_switched_off() -> None:
    assert parse_settings(GOOD, PRESETS).proof == ProofSettings(enabled=True, loki_seconds=60)
    off = {**GOOD, "proof": {"enabled": False, "lokiSeconds": 300}}
    assert parse_settings(off, PRESETS).proof == ProofSettings(enabled=False, loki_seconds=300)


def test_a_snippet_for_a_receiver_needs_no_loki() -> None:
    alloy = {"mode": "snippet", "forwardTo": "loki.write.default.receiver"}
    assert parse_settings({**GOOD, "alloy": alloy}, PRESETS).alloy.forward_to == "loki.write.default.receiver"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loki": {}, "alloy": {"mode": "daemonset"}}, "alloy.mode: is daemonset and there is no loki.url"),
        ({"loki": {"tenant": "a"}}, "loki.url: is missing"),
        ({"loki": {"url": "loki:3100"}}, "loki.url: is 'loki:3100'"),
        ({"loki": {"url": "https://u:p@loki"}}, "loki.url: is"),
        ({"loki": {"url": "https://loki/loki/api/v1/push"}}, "loki.url: is"),
        ({"loki": {**LOKI, "username": "a"}}, "loki.password: is missing; allowed: username and password together"),
        ({"loki": {**LOKI, "password": "a"}}, "loki.username: is missing"),
        ({"loki": {**LOKI, "certificateAuthority": "file.pem"}}, "loki.certificateAuthority: is 'file.pem'"),
        ({"loki": {**LOKI, "maxLineSize": 1}}, "loki.maxLineSize: is 1; allowed: a whole number from 1024"),
        ({"loki": {**LOKI, "token": "a"}}, "loki.token: is not a key"),
        ({"loki": LOKI, "alloy": {"mode": "on"}}, "alloy.mode: is 'on'; allowed: one of daemonset, snippet, off"),
        ({"loki": LOKI, "alloy": {"image": "grafana/alloy"}}, "alloy.image: is 'grafana/alloy'"),
        ({"loki": LOKI, "alloy": {"namespace": "Audit"}}, "alloy.namespace: is 'Audit'"),
        ({"loki": LOKI, "alloy": {"nodeSelector": {"a": 1}}}, "alloy.nodeSelector: is {'a': 1}"),
        ({"loki": LOKI, "alloy": {"resources": {"memory": "lots"}}}, "alloy.resources.memory: is 'lots'"),
        ({"loki": LOKI, "alloy": {"catchUpMinutes": 0}}, "alloy.catchUpMinutes: is 0"),
        (
            {"loki": LOKI, "alloy": {"forwardTo": "loki.write.a.receiver"}},
            "alloy.forwardTo: is given with mode daemonset",
        ),
        (
            {"loki": LOKI, "auditLog": {"format": "legacy"}},
            "auditLog.format: is 'legacy' and alloy.mode is 'daemonset'",
        ),
        ({"loki": LOKI, "auditLog": {"enabled": False}}, "alloy.mode: is 'daemonset' and auditLog.enabled is false"),
        ({"alloy": {"mode": "snippet", "forwardTo": "loki"}}, "alloy.forwardTo: is 'loki'"),
    ],
)
def test_each_mistake_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings({**GOOD, **changes}, PRESETS)
    assert any(problem.startswith(message) for problem in caught.value.problems), caught.value.problems


def test_a_password_that_is_no_text_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings({**GOOD, "loki": {**LOKI, "username": "a", "password": 12345}}, PRESETS)
    assert "12345" not in str(caught.value)
