"""What counts as behind among the pinned packages."""

from __future__ import annotations

import pytest

from lab.outdated import KEPT, Behind, Requirement, newest_downloadable, python_packages, requirements
from lab.paths import MODULES, REPOSITORY

LISTED = ("v1.30.14", "v1.31.14", "v1.36.3", "v1.37.2", "v1.37.3", "v1.38.0-beta.1")


def anything(_: Requirement, __: str) -> bool:
    return True


def test_a_module_goes_to_the_newest_release_that_can_be_downloaded() -> None:
    pinned = Requirement("pulumi", "github.com/pulumi/pulumi/pkg/v3", "v1.31.14")
    assert newest_downloadable(pinned, LISTED, anything) == "v1.37.3"
    assert newest_downloadable(pinned, LISTED, lambda _, version: version == "v1.36.3") == "v1.36.3"
    assert newest_downloadable(pinned, LISTED, lambda _, __: False) is None


def test_the_folder_of_a_kubernetes_minor_stays_on_it() -> None:
    assert newest_downloadable(Requirement("kubernetes-1.37", "k8s.io/kubernetes", "v1.37.2"), LISTED, anything) == (
        "v1.37.3"
    )
    assert (
        newest_downloadable(Requirement("kubernetes-1.30", "k8s.io/kubernetes", "v1.30.14"), LISTED, anything) is None
    )


def test_what_the_folders_ask_for_themselves_is_looked_at_and_nothing_else() -> None:
    asked = {(each.folder, each.path) for each in requirements(sorted(MODULES.glob("*/go.mod")))}
    assert {("etcd", "go.etcd.io/etcd/server/v3"), ("kubernetes-1.30", "k8s.io/kubernetes")} <= asked
    assert ("etcd", "go.uber.org/zap") not in asked, "required by etcd, and not by the lab"


def test_a_package_that_stays_behind_on_purpose_says_why_and_goes_as_far_as_it_may() -> None:
    etcd = Behind("go.etcd.io/etcd/server/v3", "lab/go/etcd", "v3.6.6", "v3.7.3")
    assert str(etcd).startswith("lab/go/etcd: go.etcd.io/etcd/server/v3 v3.6.6 -> v3.7.3  kept: 3.7 lacks")
    within = Behind("go.etcd.io/etcd/server/v3", "lab/go/etcd", "v3.6.6", "v3.6.16")
    assert str(within) == "lab/go/etcd: go.etcd.io/etcd/server/v3 v3.6.6 -> v3.6.16"
    elsewhere = Behind("github.com/pulumi/pulumi/sdk/v3", "lab/go/pulumi-resource-command", "v3.217.0", "v3.276.0")
    assert elsewhere.kept is None, "only the language host is kept back"


def test_every_reason_is_of_a_package_that_is_pinned_as_it_says() -> None:
    files = ("requirements-dev.txt", "lab/requirements-go.txt")
    requirements_text = "".join((REPOSITORY / file).read_text() for file in files)
    for kept in KEPT:
        modules = MODULES.glob(f"{kept.folder or '*'}/go.mod")
        pinned = requirements_text + "".join(module.read_text() for module in modules)
        assert f"{kept.name} {kept.within}" in pinned or f"{kept.name}=={kept.within}" in pinned


def test_a_pip_that_names_a_package_in_its_own_spelling_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        stdout = '[{"name": "PyYAML", "latest_version": "99"}, {"name": "pip", "latest_version": "99"}]'

    monkeypatch.setattr("lab.outdated.subprocess.run", lambda *_, **__: Answer)
    (behind,) = python_packages()
    assert (behind.name, behind.newest) == ("pyyaml", "99")
