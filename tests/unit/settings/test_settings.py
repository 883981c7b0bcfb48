"""Every mistake in the configuration is answered by one message that names the key, the value and what is allowed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditlog.policy.presets import preset_names
from auditlog.settings import (
    KEYS,
    DashboardMode,
    DashboardSettings,
    Host,
    LogSettings,
    PolicySettings,
    SettingsError,
    parse_settings,
)
from auditlog.settings.kinds import Boolean, Choice, Integer
from auditlog.settings.parse import STACK
from auditlog.settings.project_file import project_file_text
from auditlog.settings.reader import Group, Groups
from auditlog.stack_file.configuration import check_configuration
from auditlog.stack_file.read import parse_stack_file

ROOT = Path(__file__).parents[3]
PRESETS = ("low-write", "standard")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDhYqlT5mDLsE4dU0W8rWkrIjNnR8bqGzJq8mXvT3lZ"
GOOD: dict[str, Any] = {
    "cluster": "prod",
    "nodes": [{"name": "cp1", "host": "10.0.0.1", "hostKey": HOST_KEY}],
}


def test_the_smallest_configuration_gets_the_defaults_of_the_seed() -> None:
    settings = parse_settings(GOOD, PRESETS)
    assert settings.nodes == (Host("cp1", "10.0.0.1", HOST_KEY, user="root", port=22),)
    assert settings.bastion is None
    assert settings.policy == PolicySettings(preset="standard", path="/etc/kubernetes/audit-policy.yaml")
    assert settings.log == LogSettings("/var/log/kubernetes/audit/audit.log", 30, 10, 100)


def test_everything_that_can_be_set_arrives() -> None:
    values = {
        "cluster": "prod",
        "nodes": [{"name": "cp1", "host": "a.example.com", "user": "ops", "port": 2222, "hostKey": f"{HOST_KEY} me"}],
        "bastion": {"host": "b.example.com", "hostKey": HOST_KEY, "user": "jump"},
        "policy": {"file": "mine.yaml", "path": "/etc/kubernetes/prod-audit.yaml"},
        "auditLog": {"path": "/var/log/kube-audit/audit.log", "maxAge": 1, "maxBackup": 2, "maxSize": 3},
        "dashboards": {
            "mode": "grafana-operator",
            "namespace": "grafana",
            "folder": "Audit",
            "folderAnnotation": "example.com/folder",
            "label": "dashboard",
            "labelValue": "yes",
            "instanceSelector": {"team": "platform"},
            "apiServerMetrics": 'job="my-api", region=~"eu.*"',
        },
        "healthTimeoutSeconds": 60,
        "enabled": False,
        "liveRead": "off",
        "reading": {"user": "auditor"},
    }
    settings = parse_settings(values, PRESETS)
    assert settings.nodes == (Host("cp1", "a.example.com", f"{HOST_KEY} me", "ops", 2222),)
    assert settings.bastion == Host("bastion", "b.example.com", HOST_KEY, "jump", 22)
    assert settings.policy == PolicySettings(None, "mine.yaml", "/etc/kubernetes/prod-audit.yaml")
    assert settings.log == LogSettings("/var/log/kube-audit/audit.log", 1, 2, 3)
    assert settings.dashboards == DashboardSettings(
        DashboardMode.GRAFANA_OPERATOR,
        "grafana",
        "Audit",
        "example.com/folder",
        "dashboard",
        "yes",
        {"team": "platform"},
        'job="my-api", region=~"eu.*"',
    )
    assert settings.health_timeout == 60
    assert (settings.enabled, settings.live_read, settings.reading_user) == (False, False, "auditor")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("cluster",), None, "cluster: is missing; allowed: a name of lower-case letters"),
        (("cluster",), "Prod!", "cluster: is 'Prod!'; allowed: a name of lower-case letters"),
        (("nodes",), [], "nodes: is []; allowed: a list with at least one entry"),
        (("nodes",), "cp1", "nodes: is 'cp1'; allowed: a list with at least one entry"),
        (("nodes",), ["cp1"], "nodes[0]: is 'cp1'; allowed: a mapping of keys"),
        (("nodes", 0, "name"), "CP_1", "nodes[0].name: is 'CP_1'; allowed: the node's name in the cluster"),
        (("nodes", 0, "host"), None, "nodes[0].host: is missing; allowed: a host name or an address"),
        (
            ("nodes", 0, "hostKey"),
            None,
            "nodes[0].hostKey: is missing; allowed: the host's public Ed25519 or ECDSA key",
        ),
        (
            ("nodes", 0, "hostKey"),
            "SHA256:abc",
            "nodes[0].hostKey: is 'SHA256:abc'; allowed: the host's public Ed25519 or ECDSA key",
        ),
        (
            ("nodes", 0, "hostKey"),
            "ssh-rsa AAAAB3",
            "nodes[0].hostKey: is 'ssh-rsa AAAAB3'; allowed: the host's public Ed",
        ),
        (("nodes", 0, "port"), 0, "nodes[0].port: is 0; allowed: a whole number from 1 to 65535"),
        (("nodes", 0, "port"), True, "nodes[0].port: is True; allowed: a whole number from 1 to 65535"),
        (("nodes", 0, "user"), "-oProxyCommand=x", "nodes[0].user: is '-oProxyCommand=x'; allowed: a user name"),
        (
            ("nodes", 0, "password"),
            "x",
            "nodes[0].password: is not a key of the configuration; allowed: name, gone, joining, host",
        ),
        (("nodes", 0, "gone"), "yes", "nodes[0].gone: is 'yes'; allowed: true or false"),
        (("nodes", 0, "joining"), True, "nodes: every one is joining; allowed: at least one node that has joined"),
        (("enabled",), "no", "enabled: is 'no'; allowed: true or false"),
        (("liveRead",), "never", "liveRead: is 'never'; allowed: on or off"),
        (("reading",), {"user": "x", "name": "x"}, "reading.name: is not a key of the configuration; allowed: user"),
        (("reading",), {"user": "a b"}, "reading.user: is 'a b'; allowed: a user name"),
        (("bastion",), "b", "bastion: is 'b'; allowed: a mapping of keys"),
        (("bastion",), {"host": "b"}, "bastion.hostKey: is missing; allowed: the host's public Ed25519 or ECDSA key"),
        (
            ("policy",),
            {"preset": "lowwrite"},
            "policy.preset: is 'lowwrite', did you mean 'low-write'; allowed: one of low-write, standard",
        ),
        (
            ("policy",),
            {"preset": "low-write", "file": "a"},
            "policy.preset: is given together with file; allowed: one of preset",
        ),
        (("policy",), {"path": "audit.yaml"}, "policy.path: is 'audit.yaml'; allowed: an absolute path on the nodes"),
        (
            ("policy",),
            {"path": "/etc/kubernetes/manifests/p.yaml"},
            "policy.path: '/etc/kubernetes/manifests/p.yaml' is inside /etc/kubernetes/manifests; allowed: any other",
        ),
        (("auditLog",), {"path": "/var/log/../a"}, "auditLog.path: is '/var/log/../a'; allowed: an absolute path"),
        (("auditLog",), {"path": "/audit.log"}, "auditLog.path: is '/audit.log'; allowed: an absolute path"),
        (("auditLog",), {"maxSize": 0}, "auditLog.maxSize: is 0; allowed: a whole number from 1 to"),
        (("auditLog",), {"maxAge": "30"}, "auditLog.maxAge: is '30'; allowed: a whole number from 0 to"),
        (
            ("auditLog",),
            {"maxage": 30},
            "auditLog.maxage: is not a key of the configuration, did you mean 'maxAge'; allowed: enabled, path",
        ),
        (
            ("auditLog",),
            {"path": "/etc/kubernetes/audit-policy.yaml"},
            "auditLog.path: '/etc/kubernetes/audit-policy.yaml' is also policy.path; allowed: different files",
        ),
        (("healthTimeoutSeconds",), 5, "healthTimeoutSeconds: is 5; allowed: a whole number from 30 to 3600"),
        (("nodez",), [], "nodez: is not a key of the configuration, did you mean 'nodes'; allowed: cluster, nodes"),
    ],
)
def test_a_mistake_is_answered_by_one_message(path: tuple[str | int, ...], value: Any, message: str) -> None:
    values = copy.deepcopy(GOOD)
    place: Any = values
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(SettingsError) as raised:
        parse_settings(values, PRESETS)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(message)


def test_the_same_node_twice_is_refused_by_name_and_by_host() -> None:
    with pytest.raises(SettingsError) as raised:
        parse_settings({**GOOD, "nodes": GOOD["nodes"] * 2}, PRESETS)
    assert raised.value.problems == [
        "nodes: name 'cp1' appears twice; allowed: every node once",
        "nodes: host '10.0.0.1' appears twice; allowed: every node once",
    ]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        parse_settings({"nodes": [{"name": "cp1"}], "policy": {"preset": "x"}}, PRESETS)
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "cluster",
        "nodes[0].host",
        "nodes[0].hostKey",
        "policy.preset",
    ]


def environment(name: str) -> dict[str, Any]:
    """The keys of one of the project's own stack files."""
    return dict(parse_stack_file((ROOT / f"Pulumi.{name}.yaml").read_text(), "kubernetes-audit").values)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_stack_files_of_the_project_are_valid(name: str) -> None:
    settings = check_configuration(environment(name), lambda _: True, lambda _: ())
    assert settings.cluster == name
    assert len(settings.nodes) == (3 if name == "prod" else 1)
    assert settings.loki is not None
    assert settings.loki.tenant == name


def test_the_stack_files_of_the_project_share_what_is_common() -> None:
    dev, staging, prod = (environment(name) for name in ("dev", "staging", "prod"))
    assert dev["loki"]["url"] == staging["loki"]["url"] == prod["loki"]["url"]
    assert {key for key in staging if staging[key] == prod.get(key)} == {"policy", "auditLog", "reading"}


def test_the_typed_configuration_of_the_project_names_every_key_and_no_other() -> None:
    typed = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(typed) == set(KEYS)


def test_the_project_file_that_is_checked_in_is_the_one_of_the_program() -> None:
    assert (ROOT / "Pulumi.yaml").read_text() == project_file_text()


def test_the_typed_configuration_of_the_project_has_the_types_and_defaults_of_the_settings() -> None:
    typed = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    kinds = {Group: "object", Groups: "array", Boolean: "boolean", Integer: "integer"}
    for setting in STACK.settings:
        assert typed[setting.key]["type"] == kinds.get(type(setting.kind), "string")
        assert ("default" in typed[setting.key]) is not setting.required
        if isinstance(setting.kind, Boolean | Integer | Choice):
            assert typed[setting.key]["default"] == setting.default
    assert parse_settings(
        {**GOOD, **{key: entry["default"] for key, entry in typed.items() if "default" in entry}}, preset_names()
    ) == parse_settings(GOOD, preset_names())
