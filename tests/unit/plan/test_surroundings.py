"""Manifests that differ from kubeadm's own: another user, an image without a tag."""

from __future__ import annotations

import dataclasses

import pytest

from auditlog.manifest import manifest
from auditlog.nodes.kubernetes_version import kubernetes_version
from auditlog.plan.plan import make_plan
from auditlog.plan.plan_error import PlanError
from tests.unit.manifest.kubeadm_files import MANIFEST
from tests.unit.plan.nodes import OWNER, POLICY, remote, settings, untouched

POD = "spec:\n  securityContext:\n    {}\n"
CONTAINER = "    image:"


@pytest.mark.parametrize(
    ("pod", "container", "user"),
    [
        ("seccompProfile: {type: RuntimeDefault}", "", None),
        ("runAsUser: 1001", "", "1001:0"),
        ("runAsUser: 1001", "{runAsUser: 0}", None),
        ("runAsGroup: 5", "{runAsUser: 1001}", "1001:5"),
        ("runAsUser: 7", "{runAsUser: 1001, runAsGroup: 1002}", "1001:1002"),
    ],
)
def test_the_user_is_the_containers_or_else_the_pods(pod: str, container: str, user: str | None) -> None:
    text = MANIFEST.replace(
        "spec:\n  securityContext:\n    seccompProfile:\n      type: RuntimeDefault\n", "spec:\n", 1
    )
    text = text.replace("  securityContext:\n    seccompProfile:\n      type: RuntimeDefault\n", "")
    text = text.replace("spec:\n", POD.format(pod), 1)
    if container:
        text = text.replace(CONTAINER, f"    securityContext: {container}\n{CONTAINER}", 1)
    assert manifest.user(text) == user
    live = dataclasses.replace(untouched(), manifest=remote(text))
    told = dict(make_plan(settings(), POLICY, {"cp1": live}, OWNER).nodes[0].transaction)
    assert told.get("runs_as") == user


def test_the_version_of_an_image_without_a_tag_is_kubeadm_configs() -> None:
    image = "registry.k8s.io/kube-apiserver"
    assert MANIFEST.count(f"{image}:v1.36.3") == 1
    by_digest = MANIFEST.replace(f"{image}:v1.36.3", f"{image}@sha256:{'a' * 64}")
    both = MANIFEST.replace(f"{image}:v1.36.3", f"{image}:v1.36.4@sha256:{'a' * 64}")
    assert kubernetes_version(by_digest, untouched()) == "1.36.3"
    assert kubernetes_version(both, untouched()) == "1.36.4"
    assert kubernetes_version(by_digest, dataclasses.replace(untouched(), kubeadm_config=None)) is None


def test_a_machine_is_not_prepared_to_join_api_servers_that_are_not_roots() -> None:
    text = MANIFEST.replace(CONTAINER, f"    securityContext: {{runAsUser: 1001}}\n{CONTAINER}", 1)
    live = dataclasses.replace(untouched(), manifest=remote(text))
    joining = dataclasses.replace(untouched(), hostname="cp2", manifest=None)
    wanted = settings("cp1", "cp2")
    wanted = dataclasses.replace(wanted, nodes=(wanted.nodes[0], dataclasses.replace(wanted.nodes[1], joining=True)))
    make_plan(wanted, POLICY, {"cp1": untouched(), "cp2": joining}, OWNER)
    with pytest.raises(PlanError, match=r"cp2: the API server of cp1 is not root's \(runAsUser\)"):
        make_plan(wanted, POLICY, {"cp1": live, "cp2": joining}, OWNER)
