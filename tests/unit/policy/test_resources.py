from __future__ import annotations

import pytest

from auditlog.policy.model import SUPPORTED_MINORS
from auditlog.policy.resources import (
    CREDENTIAL_RESOURCES,
    REMOVED_RESOURCES,
    builtin_groups,
    builtin_resources,
    find_resource,
    groups_with,
    removed_since,
    resource_in_group,
)


@pytest.mark.parametrize(
    ("minor", "count"),
    # The number of resources in the discovery documents of each version, subresources not counted.
    [(30, 71), (31, 70), (32, 71), (33, 72), (34, 73), (35, 74), (36, 76), (37, 79)],
)
def test_each_version_has_its_resources(minor: int, count: int) -> None:
    assert len(builtin_resources(minor)) == count


@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
def test_names_are_unique_within_a_group(minor: int) -> None:
    seen = [(each.group, name) for each in builtin_resources(minor) for name in each.names]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    ("name", "group", "resource", "namespaced"),
    [
        ("deploy", "apps", "deployments", True),
        ("Deployment", "apps", "deployments", True),
        ("no", "", "nodes", False),
        ("ev", "", "events", True),
        ("endpointslice", "discovery.k8s.io", "endpointslices", True),
        ("lease", "coordination.k8s.io", "leases", True),
        ("csr", "certificates.k8s.io", "certificatesigningrequests", False),
    ],
)
def test_a_resource_is_found_by_any_of_its_names(name: str, group: str, resource: str, namespaced: bool) -> None:
    found = find_resource(name, 36)
    assert found is not None
    assert (found.group, found.resource, found.namespaced) == (group, resource, namespaced)


def test_a_resource_of_two_groups_is_found_in_the_one_that_is_asked_for() -> None:
    assert groups_with("events", 36) == ("", "events.k8s.io")
    found = find_resource("events", 36, "events.k8s.io")
    assert found is not None
    assert found.qualified_name == "events.events.k8s.io"
    assert find_resource("deployments", 36, "") is None


def test_resources_come_and_go_with_the_versions() -> None:
    assert resource_in_group("resource.k8s.io", "resourceclasses", 30) is not None
    assert resource_in_group("resource.k8s.io", "resourceclasses", 31) is None
    assert removed_since("resource.k8s.io", "resourceclasses", 33) == 31
    assert removed_since("resource.k8s.io", "resourceclasses", 30) is None
    before, after = resource_in_group("", "pods", 31), resource_in_group("", "pods", 32)
    assert before is not None
    assert after is not None
    assert set(after.subresources) - set(before.subresources) == {"resize"}
    assert resource_in_group("lifecycle.k8s.io", "evictionrequests", 36) is None
    assert resource_in_group("lifecycle.k8s.io", "evictionrequests", 37) is not None


def test_what_older_versions_had_is_known_as_removed() -> None:
    assert removed_since("settings.k8s.io", "podpresets", 30) == 20
    assert removed_since("extensions", "deployments", 36) == 16
    assert removed_since("example.com", "widgets", 36) is None
    for removed in REMOVED_RESOURCES:
        assert resource_in_group(removed.group, removed.resource, 30) is None
    assert "extensions" not in builtin_groups(30)


@pytest.mark.parametrize("minor", SUPPORTED_MINORS)
def test_resources_with_credentials_exist(minor: int) -> None:
    for group, resource in CREDENTIAL_RESOURCES:
        plural, _, subresource = resource.partition("/")
        found = resource_in_group(group, plural, minor)
        assert found is not None
        assert not subresource or subresource in found.subresources


def test_other_versions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Kubernetes 1\.29 is not supported; allowed are 1\.30 to 1\.37"):
        builtin_resources(29)
