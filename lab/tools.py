"""The table of tools the lab builds. Adding a tool is one entry here and, for a new upstream, one module folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.paths import MODULES, Paths

KUBERNETES_MINORS = ("1.37", "1.36", "1.35", "1.31", "1.30")
_COMPONENT_BASE = "k8s.io/component-base/version"
_WITH_CLOUDS = ("1.30",)
"""Minors whose programs still hold cloud providers, of which a build tag leaves them free."""

_PROVIDER = "pulumi-resource-"
_ALERTMANAGER = "github.com/prometheus/alertmanager"
_LOKI = "github.com/grafana/loki/v3"
_ALLOY = "github.com/grafana/alloy"
_PULUMI_VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


@dataclass(frozen=True, slots=True)
class Tool:
    """One program and how to get it.

    - ``module`` is the folder below ``lab/go`` whose go.mod pins it, ``package`` the Go package to build there.
    - ``upstream`` is the required module whose version is the tool's version, unless ``version`` is stated. A tool of
      the lab has no upstream.
    - ``{version}``, ``{major}`` and ``{minor}`` are filled into ``ldflags``.
    - ``beside`` are files of the upstream module that must lie next to the program.
    - ``local`` are other folders of ``lab/go`` that it is compiled from.
    - ``folder`` is its folder below ``.lab/bin``.
    - ``official`` tools are not built if the real ones are installed.
    """

    name: str
    module: str
    package: str
    upstream: str = ""
    version: str = ""
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    folder: str = ""
    official: bool = False

    @property
    def provider(self) -> str:
        """The provider's short name, as ``command``; "" for what is no provider."""
        return self.name.removeprefix(_PROVIDER) if self.name.startswith(_PROVIDER) else ""

    @property
    def source(self) -> Path:
        return MODULES / self.module

    def path(self, paths: Paths) -> Path:
        return paths.bin / self.folder / self.name


def _kubernetes(minor: str, command: str) -> Tool:
    values = {
        "gitVersion": "{version}",
        "gitMajor": "{major}",
        "gitMinor": "{minor}",
        "gitTreeState": "clean",
    }
    return Tool(
        name=command,
        module=f"kubernetes-{minor}",
        package=f"k8s.io/kubernetes/cmd/{command}",
        upstream="k8s.io/kubernetes",
        ldflags=" ".join(f"-X {_COMPONENT_BASE}.{name}={value}" for name, value in values.items()),
        tags=("providerless",) if minor in _WITH_CLOUDS else (),
        folder=f"kubernetes-{minor}",
    )


def node_tools(minor: str) -> tuple[Tool, ...]:
    """What a node of one Kubernetes minor runs; the API server early, since the others reuse its compiled parts."""
    commands = ("kube-apiserver", "kubelet", "kubeadm", "kubectl", "kube-controller-manager", "kube-scheduler")
    return (
        Tool(name="pause", module="pause", package=".", version="1"),
        *(_kubernetes(minor, command) for command in commands),
        Tool(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3", upstream="go.etcd.io/etcd/server/v3"),
    )


def pulumi_tools() -> tuple[Tool, ...]:
    """The Pulumi engine, its host of Python programs and policy packs, and the provider that reaches nodes."""
    return (
        Tool(
            name="pulumi",
            module="pulumi",
            package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            upstream="github.com/pulumi/pulumi/pkg/v3",
            ldflags=f"-X {_PULUMI_VERSION}={{version}}",
            official=True,
        ),
        Tool(
            name="pulumi-language-python",
            module="pulumi-language-python",
            package="github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
            upstream="github.com/pulumi/pulumi/sdk/v3",
            ldflags=f"-X {_PULUMI_VERSION}={{version}}",
            beside=("python/cmd/pulumi-language-python-exec",),
            official=True,
        ),
        Tool(
            name=f"{_PROVIDER}command",
            module=f"{_PROVIDER}command",
            package=".",
            version="1.2.1",
            ldflags="-X main.Version={version}",
            official=True,
        ),
    )


def kubeadm_of_v1beta3() -> Tool:
    """The last kubeadm that reads the version v1beta3 of ClusterConfiguration."""
    return _kubernetes("1.36", "kubeadm")


def kubernetes_provider() -> Tool:
    """The official provider of what a stack keeps in the cluster, which takes a quarter of an hour to build.

    ``version`` is the release that the Python package asks the engine for.
    """
    return Tool(
        name=f"{_PROVIDER}kubernetes",
        module=f"{_PROVIDER}kubernetes",
        package=".",
        upstream="github.com/pulumi/pulumi-kubernetes/provider/v4",
        version="4.34.2",
        ldflags="-X main.Version={version}",
        beside=tuple(f"cmd/{_PROVIDER}kubernetes/{name}.json" for name in ("schema", "terraform-mapping")),
        folder="pulumi-kubernetes",
        official=True,
    )


def providers() -> tuple[Tool, ...]:
    """Every provider plugin that the program uses."""
    return (*(tool for tool in pulumi_tools() if tool.provider), kubernetes_provider())


def test_tools() -> tuple[Tool, ...]:
    """What only tests run: the API server's own policy evaluator of several Kubernetes versions, a client, and an older
    kubeadm. Also the language host for YAML, installers' types, the Kubernetes provider, Alloy and Loki."""
    modules = (f"policy-oracle-{version}" for version in ("0.30", "0.33", "0.36", "0.37"))
    return (
        *(Tool(name=module, module=module, package=".", version="1", local=("policy-oracle",)) for module in modules),
        configmap_writer(),
        installer_types(),
        Tool(
            name="pulumi-language-yaml",
            module="pulumi-language-yaml",
            package="github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
            upstream="github.com/pulumi/pulumi-yaml",
            ldflags="-X github.com/pulumi/pulumi-yaml/pkg/version.Version={version}",
            official=True,
        ),
        kubeadm_of_v1beta3(),
        kubernetes_provider(),
        *shipping_tools(),
    )


def package_sdks() -> Tool:
    """What generates the package's SDKs, with the generators of the Pulumi CLI."""
    return Tool(name="package-sdks", module="package-sdks", package=".", version="1")


def configmap_writer() -> Tool:
    """The client that writes through the API while a test changes the control plane."""
    return Tool(name="configmap-writer", module="configmap-writer", package=".", version="1")


def installer_types() -> Tool:
    """What decodes texts for Cluster API and kind into their own types."""
    return Tool(name="installer-types", module="installer-types", package=".", version="1")


def observability_tools() -> tuple[Tool, ...]:
    """Where audit events go in the lab: Alloy on the nodes, Loki beside them, Loki's command line, and Alertmanager.
    The Kubernetes provider brings Alloy and the rules into the cluster."""
    return (
        *shipping_tools(),
        Tool(name="logcli", module="loki", package=f"{_LOKI}/cmd/logcli", upstream=_LOKI),
        alertmanager(),
        kubernetes_provider(),
    )


def alertmanager() -> Tool:
    """What makes messages of the alerts; without its web pages, which its module does not hold."""
    return Tool(
        name="alertmanager",
        module="alertmanager",
        package=f"{_ALERTMANAGER}/cmd/alertmanager",
        upstream=_ALERTMANAGER,
        ldflags="-X github.com/prometheus/common/version.Version={version}",
    )


def shipping_tools() -> tuple[Tool, ...]:
    """What carries an event and what keeps it: Alloy and Loki."""
    return (
        Tool(
            name="loki",
            module="loki",
            package=f"{_LOKI}/cmd/loki",
            upstream=_LOKI,
            ldflags=f"-X {_LOKI}/pkg/util/build.Version={{version}}",
        ),
        Tool(
            name="alloy",
            module="alloy",
            package=".",
            upstream=_ALLOY,
            ldflags=f"-X {_ALLOY}/internal/build.Version={{version}}",
        ),
    )


def version_of(tool: Tool) -> str:
    """The tool's version: the stated one, or its upstream's in go.mod. ``LabError`` when go.mod does not require it."""
    if tool.version:
        return tool.version
    text = (tool.source / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(tool.upstream)}\s+(v\S+)", text, re.MULTILINE)
    if found is None:
        raise LabError(f"lab/go/{tool.module}/go.mod does not require {tool.upstream}")
    return found.group(1)


def linker_flags(tool: Tool) -> str:
    """The ``-ldflags`` of the tool with its version filled in; always without symbol tables."""
    version = version_of(tool)
    major, minor, *_ = [*version.removeprefix("v").split("."), "0"]
    return f"-s -w {tool.ldflags.format(version=version, major=major, minor=minor)}".strip()


def build_key(tool: Tool, files: Sequence[tuple[str, bytes]]) -> str:
    """What the built program depends on, as one hash: package, flags, and ``files`` of its module (path, content)."""
    digest = hashlib.sha256()
    for part in (tool.package, linker_flags(tool), ",".join(tool.tags), ",".join(tool.beside)):
        digest.update(part.encode() + b"\0")
    for name, content in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def module_files(tool: Tool) -> list[tuple[str, bytes]]:
    """The files that decide what is built, of the tool's module and its local ones: all but tests and prose."""
    sources = (tool.source, *(MODULES / name for name in tool.local))
    return [
        (str(path.relative_to(MODULES)), path.read_bytes())
        for source in sources
        for path in sorted(source.rglob("*"))
        if path.is_file()
        and not path.name.endswith(("_test.go", ".md"))
        and "testdata" not in path.relative_to(source).parts
    ]
