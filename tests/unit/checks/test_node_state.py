"""Nodes that cannot be changed, with what is wrong and what to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from auditlog.checks.finding import Severity
from auditlog.checks.node_state import SEARCHED, forgotten, obstacles
from auditlog.nodes.fact_types import Role, StrayManifest
from auditlog.nodes.facts import Facts
from tests.unit.node.shell import run
from tests.unit.plan.nodes import OWNER, applied, untouched

STRAY = StrayManifest("kube-apiserver.yaml.bak", 4000)


def found(*, quarantine: bool = False, **changes: object) -> dict[str, str]:
    facts: Facts = dataclasses.replace(applied(), **changes)  # type: ignore[arg-type]
    findings = list(obstacles(facts, OWNER, quarantine=quarantine))
    assert all(finding.severity is Severity.ERROR and finding.remedy for finding in findings)
    return {finding.id: str(finding) for finding in findings}


def test_a_node_of_this_stack_has_none() -> None:
    assert found(role=Role.CONTROL_PLANE) == {}


@pytest.mark.parametrize(
    ("role", "words"),
    [
        (Role.CONTROL_PLANE, "this control-plane node has no API server; restore it from a copy"),
        (Role.WORKER, "this is a worker and not a control-plane node; take it out of nodes"),
        (Role.NONE, "this is not a control-plane node of a kubeadm cluster"),
        (None, "this is not a control-plane node of a kubeadm cluster"),
    ],
)
def test_a_node_without_the_manifest_is_told_what_it_is(role: Role | None, words: str) -> None:
    assert words in found(role=role, manifest=None)["no-manifest"]


def test_an_api_server_without_admin_conf() -> None:
    assert "kubeadm init phase kubeconfig admin" in found(role=Role.WORKER)["no-admin-conf"]


def test_kubelet_is_down() -> None:
    assert found(role=Role.CONTROL_PLANE, kubelet_runs=False)["kubelet-down"].startswith("kubelet does not run: ")
    assert list(found(role=Role.NONE, kubelet_runs=False, manifest=None)) == ["no-manifest"]


def test_everything_is_said_at_once() -> None:
    several = found(role=Role.CONTROL_PLANE, manifest=None, kubelet_runs=False, owner="a/b", missing_tools=("flock",))
    assert list(several) == ["no-manifest", "kubelet-down", "missing-tools", "other-owner"]


def test_a_node_that_lost_the_record_of_its_stack() -> None:
    lost = dataclasses.replace(applied(), owner=None)
    (finding,) = forgotten(lost)
    assert finding.severity is Severity.WARNING
    assert "removal leaves audit logging on; put the folder back first" in str(finding)
    assert not list(forgotten(applied()))
    assert not list(forgotten(untouched()))
    assert not list(forgotten(dataclasses.replace(lost, unfinished_change=True)))


def test_a_stray_manifest_is_an_obstacle_unless_it_is_to_be_moved() -> None:
    only = found(stray_manifests=(STRAY,))
    assert list(only) == ["stray-manifest"]
    assert "mv /etc/kubernetes/manifests/kube-apiserver.yaml.bak /etc/kubernetes/" in only["stray-manifest"]
    assert "quarantineStrayManifests: true" in only["stray-manifest"]
    assert found(stray_manifests=(STRAY,), quarantine=True) == {}


def test_a_stray_manifest_whose_name_is_no_plain_text_is_never_moved_by_the_stack() -> None:
    stray = StrayManifest("r\\xff", 4000, plain=False)
    for quarantine in (False, True):
        refused = found(stray_manifests=(stray,), quarantine=quarantine)["stray-manifest"]
        assert "r\\xff in /etc/kubernetes/manifests defines kube-apiserver too" in refused
        assert refused.endswith("move it out by hand: its name is no plain text, and is shown with escapes")


def test_the_command_that_moves_a_stray_manifest_can_be_pasted() -> None:
    command = "mv '/etc/kubernetes/manifests/a copy' /etc/kubernetes/"
    assert command in found(stray_manifests=(StrayManifest("a copy", 4000),))["stray-manifest"]


def test_a_tool_that_is_elsewhere_is_said_where_to_link(tmp_path: Path) -> None:
    missing = found(missing_tools=("kubectl",))["missing-tools"]
    assert missing.endswith(f"install what is missing, or link it into one of {SEARCHED}")
    assert run(tmp_path, 'echo "${PATH#*:}"').stdout.strip() == SEARCHED.replace(", ", ":").replace(" and ", ":")


def test_a_named_pipe_in_the_manifests_folder_is_an_obstacle() -> None:
    assert found(manifest_pipes=("a pipe",))["manifest-pipe"] == (
        "a pipe in /etc/kubernetes/manifests is a named pipe: kubelet waits for somebody to write to such a pipe, and "
        "takes no changed manifest meanwhile; remove it (rm '/etc/kubernetes/manifests/a pipe'), and restart kubelet "
        "(systemctl restart kubelet)"
    )
