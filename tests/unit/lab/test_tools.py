"""The table of tools: each entry can be built, and its key tells when it must be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import LabError
from lab.tools import (
    KUBERNETES_MINORS,
    Tool,
    build_key,
    linker_flags,
    module_files,
    node_tools,
    pulumi_tools,
    version_of,
)

TABLE = [*(tool for minor in KUBERNETES_MINORS for tool in node_tools(minor)), *pulumi_tools()]


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: f"{tool.module}/{tool.name}")
def test_every_entry_has_a_pinned_module_and_a_version(tool: Tool) -> None:
    names = {name for name, _ in module_files(tool)}
    assert {f"{tool.module}/go.mod", f"{tool.module}/go.sum"} <= names
    assert version_of(tool)[0].isdigit() or version_of(tool).startswith("v")


@pytest.mark.parametrize("minor", KUBERNETES_MINORS)
def test_the_folder_of_a_minor_pins_that_minor(minor: str) -> None:
    kubelet = next(tool for tool in node_tools(minor) if tool.name == "kubelet")
    assert version_of(kubelet).startswith(f"v{minor}.")
    flags = linker_flags(kubelet)
    assert f"gitVersion={version_of(kubelet)}" in flags
    assert f"gitMinor={minor.split('.')[1]} " in flags


def test_a_module_that_does_not_require_its_upstream_is_named() -> None:
    wrong = replace(pulumi_tools()[0], upstream="example.com/none")
    with pytest.raises(LabError, match=r"lab/go/pulumi/go\.mod does not require example\.com/none"):
        version_of(wrong)


def test_the_key_follows_everything_that_decides_what_is_built() -> None:
    tool = Tool(name="t", module="t", package="p", version="1", ldflags="-X v={version}")
    files = [("t/go.sum", b"a"), ("t/main.go", b"b")]
    keys = {
        build_key(tool, files),
        build_key(replace(tool, package="q"), files),
        build_key(replace(tool, version="2"), files),
        build_key(replace(tool, tags=("nodocker",)), files),
        build_key(replace(tool, beside=("x",)), files),
        build_key(tool, [("t/go.sum", b"c"), files[1]]),
        build_key(tool, [("t/go.mod", b"a"), files[1]]),
        build_key(tool, files[:1]),
    }
    assert len(keys) == 8
    assert build_key(tool, files[::-1]) == build_key(tool, files)
