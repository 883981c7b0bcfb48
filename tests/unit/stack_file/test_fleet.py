"""Settings that stacks share: what wins, what a shared file may not hold, and what the check says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditlog.cli import main
from auditlog.stack_file.check import check_shared_file, check_stack_file
from auditlog.stack_file.fleet import Layer, compose, composed, layers_of
from auditlog.stack_file.read import StackFileError, parse_stack_file, read_stack_file

PROJECT = "kubernetes-audit"
STACK = """\
config:
  kubernetes-audit:cluster: prod
  kubernetes-audit:nodes:
    - name: cp1
      host: 10.0.0.1
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINrmuG8FK0VjTCBiWeuiWO3EIe5sFyJUnBV21Hh58CJj
"""


def layer(text: str) -> Layer:
    return Layer("fleet/group.yaml", parse_stack_file(f"config:\n{text}", PROJECT))


@pytest.mark.parametrize(
    ("shared", "own", "expected"),
    [
        ("  alerts: {loki: configmap, disable: [a, b]}", {}, {"alerts": {"loki": "configmap", "disable": ["a", "b"]}}),
        (
            "  alerts: {loki: configmap}",
            {"alerts": {"disable": ["c"]}},
            {"alerts": {"loki": "configmap", "disable": ["c"]}},
        ),
        ("  alerts: {disable: [a, b]}", {"alerts": {"disable": ["c"]}}, {"alerts": {"disable": ["c"]}}),
        ("  restart: drain", {"restart": "quick"}, {"restart": "quick"}),
        ("  loki: {url: u, tenant: t}", {"loki": {"tenant": None}}, {"loki": {"url": "u"}}),
        ("  loki: {url: u}", {"loki": ""}, {}),
        (
            "  policy: {preset: secrets-in-namespaces, parameters: {namespaces: [a]}, drop: {users: [u]}}",
            {"policy": {"file": "own.yaml"}},
            {"policy": {"drop": {"users": ["u"]}, "file": "own.yaml"}},
        ),
        (
            "  policy: {preset: standard, path: /p}",
            {"policy": {"preset": "standard"}},
            {"policy": {"preset": "standard", "path": "/p"}},
        ),
    ],
)
def test_the_stack_file_wins_key_by_key(shared: str, own: dict[str, Any], expected: dict[str, Any]) -> None:
    assert compose([layer(shared)], {**own, "fleet": []}) == expected


def test_a_later_group_wins_over_an_earlier_one() -> None:
    layers = [layer("  restart: drain"), layer("  restart: quick")]
    assert compose(layers, {"fleet": ["a", "b"]}) == {"restart": "quick"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with defaults, one group and a stack file."""
    (tmp_path / "Pulumi.yaml").write_text(f"name: {PROJECT}\n")
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet/defaults.yaml").write_text("config:\n  policy: {preset: cis}\n  auditLog: {maxAge: 7}\n")
    (tmp_path / "fleet/eu.yaml").write_text("config:\n  auditLog: {maxBackup: 4}\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(f"{STACK}  kubernetes-audit:fleet: [eu]\n")
    return tmp_path


def test_files_are_found_by_the_names_of_groups(project: Path) -> None:
    file = read_stack_file(project / "Pulumi.prod.yaml", PROJECT)
    values = composed(file, project, PROJECT).values
    assert values["auditLog"] == {"maxAge": 7, "maxBackup": 4}
    assert values["policy"] == {"preset": "cis"}
    assert "fleet" not in values


def test_a_stack_without_the_key_shares_nothing(project: Path) -> None:
    file = parse_stack_file(STACK, PROJECT)
    assert composed(file, project, PROJECT) is file


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["us"], "fleet[0]: 'us' has no file fleet/us.yaml; allowed: a group of eu"),
        (["../eu"], "fleet: is ['../eu']; allowed: a list of groups"),
        (["defaults"], "fleet: is ['defaults']; allowed: a list of groups"),
        ("eu", "fleet: is 'eu'; allowed: a list of groups"),
    ],
)
def test_what_is_no_group_is_named(project: Path, groups: Any, message: str) -> None:
    _, mistakes = layers_of(groups, project, PROJECT)
    assert str(mistakes[0]).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "  loki: {url: http://l, password: plain}",
            "loki.password: is in a shared file; allowed: in the stack file, enc",
        ),
        (
            "  webhook: {token: {secure: v1:A}}",
            "webhook.token: is in a shared file; allowed: in the stack file, encrypted",
        ),
        (
            "  sshPrivateKey: {secure: v1:A}",
            "sshPrivateKey: is in a shared file; allowed: in the stack file, encrypted",
        ),
        (
            "  auditLog: {path: {secure: v1:A}}",
            "auditLog.path: is in a shared file; allowed: in the stack file, encrypted",
        ),
        ("  cluster: prod", "cluster: is in a shared file; allowed: in the stack file: it is one stack's alone"),
        ("  fleet: [eu]", "fleet: is in a shared file; allowed: in the stack file: it is one stack's alone"),
        ("  auditLog: {maxAges: 1}", "auditLog.maxAges: is not a key of the configuration"),
        ("  restart: fast", "restart: "),
    ],
)
def test_what_a_shared_file_may_not_hold_is_said_with_its_line(project: Path, text: str, message: str) -> None:
    (mistake,) = check_shared_file("fleet/eu.yaml", f"config:\n{text}\n", PROJECT).mistakes
    assert mistake.message.startswith(message)
    assert mistake.line == 2
    (project / "fleet/eu.yaml").write_text(f"config:\n{text}\n")
    found = check_stack_file("p", (project / "Pulumi.prod.yaml").read_text(), PROJECT, project).mistakes
    assert len(found) >= 1
    assert {each.line for each in found} == {7}


def test_a_shared_file_needs_neither_key_nor_kubeconfig() -> None:
    text = "config:\n  reading: {user: auditor}\n  alerts: {loki: configmap}\n"
    assert check_shared_file("fleet/eu.yaml", text, PROJECT).mistakes == ()
    assert check_shared_file("fleet/eu.yaml", f"{text}  kubeconfigFile: .kubeconfig\n", PROJECT).mistakes == ()


def test_config_check_finds_shared_files_beside_the_stacks(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out.count("no errors") == 3
    (project / "fleet/eu.yaml").write_text("config:\n  cluster: eu\n")
    assert main(["config", "check"]) == 1
    said = capsys.readouterr().out
    assert "fleet/eu.yaml:2: cluster: is in a shared file" in said
    assert "Pulumi.prod.yaml:7: fleet/eu.yaml: cluster: is in a shared file" in said


def test_commands_use_what_the_stack_shares(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert main(["lint", "stack:prod"]) in (0, 1)
    (project / "fleet/eu.yaml").unlink()
    file = read_stack_file(project / "Pulumi.prod.yaml", PROJECT)
    with pytest.raises(StackFileError, match=r"has no file fleet/eu\.yaml"):
        composed(file, project, PROJECT)
    assert main(["lint", "stack:prod"]) == 2
