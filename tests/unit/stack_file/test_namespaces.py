"""Which keys are the project's, whose only look so, and whose are left alone."""

from __future__ import annotations

import pytest

from auditlog.stack_file.namespaces import own_keys

PROJECT = "kubernetes-audit"


@pytest.mark.parametrize(
    "key",
    [
        "aws:region",
        "aws:profile",
        "kubernetes:kubeconfig",
        "kubernetes:cluster",
        "kubernetes:context",
        "kubernetes-cert-manager:version",
        "command:x",
        "pulumi:tags",
        "pulumi:disable-default-providers",
        "grafana:url",
        "proxmoxve:endpoint",
        "our-own-provider:token",
    ],
)
def test_other_providers_keys_are_left_alone(key: str) -> None:
    found = own_keys([key], PROJECT)
    assert (dict(found.written), found.mistakes) == ({}, ())


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("kubernetes_audit:policy", "policy"),
        ("kubernetesaudit:policy", "policy"),
        ("Kubernetes-Audit:policy", "policy"),
        ("kubernets-audit:policy", "policy"),
        ("kubernetes-audits:policy", "policy"),
        ("kubernetes-auditlog:policy", "policy"),
        ("k8s-audit:nodes", "nodes"),
        ("audit-logging:sshPrivateKey", "sshPrivateKey"),
        ("kubernetes:policy", "policy"),
        ("pulumi:cluster", "cluster"),
        ("command:nodes", "nodes"),
        ("kubernetes_audit:polcy", "polcy"),
    ],
)
def test_a_key_that_means_a_setting_is_a_mistake_and_read_all_the_same(key: str, meant: str) -> None:
    found = own_keys([key], PROJECT)
    (mistake,) = found.mistakes
    assert found.written == {meant: key}
    assert f", did you mean 'kubernetes-audit:{meant}'" in str(mistake)


@pytest.mark.parametrize("key", ["policy", "kubernetes-audit:policy", "kubernetes-audit:config:policy"])
def test_the_projects_own_forms_are_right(key: str) -> None:
    found = own_keys([key], PROJECT)
    assert (dict(found.written), found.mistakes) == ({"policy": key}, ())


def test_the_path_to_a_setting_is_no_key() -> None:
    found = own_keys(["kubernetes-audit:policy:preset"], PROJECT)
    (mistake,) = found.mistakes
    assert not found.written
    assert str(mistake) == (
        "kubernetes-audit:policy:preset: is no key; allowed: NAMESPACE:NAME, and what is inside of a setting below it"
    )


def test_a_right_key_counts_more_than_a_misspelt_one() -> None:
    keys = ["kubernetes_audit:policy", "kubernetes-audit:policy"]
    for order in (keys, keys[::-1]):
        found = own_keys(order, PROJECT)
        assert found.written == {"policy": "kubernetes-audit:policy"}
        assert len(found.mistakes) == 1


def test_a_project_of_another_name_has_another_prefix() -> None:
    found = own_keys(["kubernetes-audit:nodes", "acme-audit:cluster"], "acme-audit")
    assert found.written == {"nodes": "kubernetes-audit:nodes", "cluster": "acme-audit:cluster"}
    assert "did you mean 'acme-audit:nodes'" in str(found.mistakes[0])
