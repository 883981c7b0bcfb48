"""Arguments that are not known: what is put in their place so that the cluster's resources have their names."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components.configuration import configuration_of
from components.untouched import unknown_arguments, with_placeholders
from tests.unit.plan.nodes import HOST_KEY

UNKNOWN = pulumi.UNKNOWN


def arguments(**more: Any) -> dict[str, Any]:
    return {"cluster": "test", "nodes": [{"name": "cp1", "host": "cp1", "hostKey": HOST_KEY}], **more}


@pytest.mark.parametrize(
    "more",
    [
        {"nodes": [{"name": "cp1", "host": UNKNOWN, "hostKey": UNKNOWN, "port": UNKNOWN}]},
        {"cluster": UNKNOWN, "bastion": {"host": UNKNOWN, "hostKey": UNKNOWN}},
        {"sshPrivateKey": UNKNOWN, "kubeconfig": UNKNOWN, "loki": {"url": UNKNOWN, "password": UNKNOWN}},
        {"webhook": {"server": UNKNOWN, "token": UNKNOWN}, "policy": {"inline": UNKNOWN}},
        {"policy": UNKNOWN, "auditLog": {"maxAge": UNKNOWN, "path": "/var/log/a.log"}},
    ],
)
def test_what_is_left_is_a_configuration(more: dict[str, Any]) -> None:
    wanted = arguments(**{"sshPrivateKey": "key", "kubeconfig": "clusters: []", **more})
    assert unknown_arguments(wanted) == [key for key in wanted if pulumi.contains_unknowns(wanted[key])]
    known = with_placeholders(wanted)
    assert known is not None
    assert not pulumi.contains_unknowns(known)
    settings = configuration_of(known, lambda _: True).settings
    assert [node.name for node in settings.nodes] == ["cp1"]


def test_what_is_known_stays() -> None:
    known = with_placeholders(arguments(auditLog={"maxAge": UNKNOWN, "path": "/var/log/a.log"}, loki={"url": UNKNOWN}))
    assert known == arguments(auditLog={"path": "/var/log/a.log"}, loki={"url": "https://unknown.invalid"})


@pytest.mark.parametrize("nodes", [UNKNOWN, [UNKNOWN], [{"name": UNKNOWN, "host": "cp1", "hostKey": HOST_KEY}]])
def test_without_the_names_of_the_nodes_there_is_none(nodes: Any) -> None:
    assert with_placeholders(arguments(nodes=nodes)) is None
