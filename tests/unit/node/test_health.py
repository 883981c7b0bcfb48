"""Who asks an API server for its health, and what counts as an answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.node.shell import run

URL = "https://192.0.2.7:6443"
# kubectl notes the path that it was asked for.
_KUBECTL = 'for asked in "$@"; do :; done; echo "kubectl $asked" >>{folder}/asked; echo ok'


def tool(folder: Path, name: str, script: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o700)


def is_ok(folder: Path, curl: str, paths: str = "/livez /readyz") -> tuple[bool, list[str]]:
    """Whether it counts as healthy, and what kubectl was asked for."""
    tool(folder, "curl", f'echo "$@" >{folder}/curled\n{curl}')
    tool(folder, "kubectl", _KUBECTL.format(folder=folder))
    answered = run(folder, f"is_ok {URL} 2 {paths} && echo yes")
    assert answered.stderr == ""
    asked = folder / "asked"
    return answered.stdout == "yes\n", asked.read_text().splitlines() if asked.exists() else []


@pytest.mark.parametrize(
    ("curl", "paths", "healthy"),
    [
        ("echo ok200; echo ok200", "/livez /readyz", True),
        ("echo ok200", "/readyz", True),
        ("echo ok200; echo '[-]etcd failed500'", "/livez /readyz", False),
        ("echo '[-]etcd failed500'; echo ok200", "/livez /readyz", False),
        ("echo 'Too many requests429'", "/readyz", False),
        ("echo 'a page of somebody else200'", "/readyz", False),
        *((f"echo 000; exit {status}", "/readyz", False) for status in (7, 28, 35, 52, 56)),
    ],
)
def test_an_answer_without_credentials_is_enough(tmp_path: Path, curl: str, paths: str, healthy: bool) -> None:
    assert is_ok(tmp_path, curl, paths) == (healthy, [])
    asked = (tmp_path / "curled").read_text()
    assert "--connect-to ::192.0.2.7:6443" in asked
    assert asked.endswith(" ".join(f"https://kubernetes:6443{path}" for path in paths.split()) + "\n")


@pytest.mark.parametrize(
    "curl",
    [
        "echo forbidden403; echo forbidden403",
        "echo 'not you401'; echo 'not you401'",
        "echo 000; exit 60 # somebody else's certificate",
        "echo 000; exit 77 # no certificate to compare with",
        "exit 2 # too old to know an option",
    ],
)
def test_where_strangers_are_told_nothing_the_administrator_asks(tmp_path: Path, curl: str) -> None:
    assert is_ok(tmp_path, curl) == (True, ["kubectl /livez", "kubectl /readyz"])


@pytest.mark.parametrize(("administrator", "healthy"), [("echo ok", True), ("echo Unauthorized >&2; exit 1", False)])
def test_health_is_that_the_administrator_is_let_in_too(tmp_path: Path, administrator: str, healthy: bool) -> None:
    """What strangers are told says nothing of the API server's authentication."""
    tool(tmp_path, "curl", "echo ok200; echo ok200")
    tool(tmp_path, "kubectl", administrator)
    assert (run(tmp_path, f"healthy {URL} && echo yes").stdout == "yes\n") is healthy


def test_a_node_without_curl_has_kubectl(tmp_path: Path) -> None:
    tool(tmp_path, "kubectl", _KUBECTL.format(folder=tmp_path))
    for name in ("cat", "sed", "env"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    assert run(tmp_path, f"PATH={tmp_path}/bin; is_ok {URL} 2 /readyz && echo yes").stdout == "yes\n"
    assert (tmp_path / "asked").read_text() == "kubectl /readyz\n"
