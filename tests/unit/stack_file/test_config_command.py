"""`config check`: which files it finds, what it says of them, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from auditlog.cli import main
from auditlog.settings.outputs import OUTPUTS
from auditlog.settings.reference import reference_text
from auditlog.stack_file.check import check_stack_file
from lab.paths import REPOSITORY

GOOD = """\
config:
  kubernetes-audit:cluster: test
  kubernetes-audit:nodes:
    - name: cp1
      host: cp1.example.com
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuhUzvYIw0RC4/JnaeNRUd7dPxlC1lnHOafEzh4DJqh
  kubernetes-audit:sshPrivateKey:
    secure: v1:AAAA
"""
POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    verbs: [GET]
  - level: Metadata
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Pulumi project, in which the command runs."""
    (tmp_path / "Pulumi.yaml").write_text("name: kubernetes-audit\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_name_every_stack_file_of_the_project_is_checked(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "Pulumi.dev.yaml").write_text(GOOD)
    (project / "Pulumi.prod.yaml").write_text(GOOD.replace("name: cp1", "name: CP1"))
    assert main(["config", "check"]) == 1
    assert capsys.readouterr().out == (
        "Pulumi.dev.yaml: no errors; encrypted, not checked: sshPrivateKey\n"
        "Pulumi.prod.yaml:4: nodes[0].name: is 'CP1'; allowed: the node's name in the cluster\n"
        "Pulumi.prod.yaml: 1 error; encrypted, not checked: sshPrivateKey\n"
    )
    (project / "docs").mkdir()
    monkeypatch.chdir(project / "docs")
    assert main(["config", "check"]) == 1, "from a folder below too, as pulumi does"


@pytest.mark.parametrize("below", ["", "docs"])
def test_a_stack_goes_by_its_name_too(
    below: str, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "Pulumi.dev.yaml").write_text(GOOD)
    (project / below).mkdir(exist_ok=True)
    monkeypatch.chdir(project / below)
    assert main(["config", "check", "dev"]) == 0
    assert "Pulumi.dev.yaml: no errors" in capsys.readouterr().out
    assert main(["config", "check", "prod"]) == 2
    assert "Pulumi.prod.yaml: cannot be read" in capsys.readouterr().err


def test_all_mistakes_of_a_file_are_told_in_the_order_of_their_lines(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = GOOD.replace("cluster: test", "clustr: test").replace("      host: cp1.example.com\n", "")
    (project / "Pulumi.dev.yaml").write_text(wrong + "  kubernetes-audit:policy:\n    file: nowhere.yaml\n")
    assert main(["config", "check", "Pulumi.dev.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[1] for line in lines[:-1]] == ["1", "2", "4", "9"]
    assert lines[3] == "Pulumi.dev.yaml:9: policy.file 'nowhere.yaml': cannot be read: No such file or directory"
    assert lines[4].startswith("Pulumi.dev.yaml: 4 errors")


def test_the_policy_that_a_stack_names_is_linted_from_the_projects_folder(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "Pulumi.dev.yaml").write_text(GOOD + "  kubernetes-audit:policy:\n    file: policies/mine.yaml\n")
    (project / "policies").mkdir()
    (project / "policies" / "mine.yaml").write_text(POLICY)
    assert main(["config", "check"]) == 1
    assert "Pulumi.dev.yaml: policies/mine.yaml:5:13: error:" in capsys.readouterr().out
    (project / "policies" / "mine.yaml").write_text(POLICY.replace("GET", "GET, list"))
    assert main(["config", "check", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["files"]
    assert found[0]["mistakes"] == []
    assert found[0]["policy"] == "policies/mine.yaml"
    assert {finding["path"] for finding in found[0]["findings"]} >= {"rules[0].verbs[0]"}


def test_json_names_file_line_key_value_and_what_is_allowed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "Pulumi.dev.yaml").write_text(GOOD + "  kubernetes-audit:healthTimeoutSeconds: 5\n")
    assert main(["config", "check", "--format", "json"]) == 1
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert file["file"] == "Pulumi.dev.yaml"
    assert file["encrypted"] == ["sshPrivateKey"]
    assert file["mistakes"] == [
        {
            "line": 9,
            "column": None,
            "key": "healthTimeoutSeconds",
            "found": "is 5",
            "allowed": "a whole number from 30 to 3600",
            "message": "healthTimeoutSeconds: is 5; allowed: a whole number from 30 to 3600",
        }
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("healthTimeoutSeconds: '600'", "pulumi config set writes numbers as texts"),
        ("enabled: 'false'", "and booleans"),
        ("liveRead: off", "a text in YAML 1.2, which the CLI reads"),
        ("restart: quick", "with the namespace or without it"),
    ],
)
def test_what_pulumi_config_set_writes_is_right(project: Path, written: str, value: str) -> None:
    for prefix in ("", "kubernetes-audit:"):
        (project / "Pulumi.dev.yaml").write_text(f"{GOOD}  {prefix}{written}\n")
        assert main(["config", "check"]) == 0, value


def test_other_providers_configuration_is_left_alone(project: Path) -> None:
    others = "  kubernetes:kubeconfig: x\n  pulumi:tags: {a: b}\n  command:x: 1\n"
    (project / "Pulumi.dev.yaml").write_text(GOOD + others)
    assert main(["config", "check"]) == 0


@pytest.mark.parametrize("key", ["policy", "auditLog", "loki", "webhook", "bastion", "alerts"])
def test_a_mapping_that_is_encrypted_as_a_whole_counts_as_present(project: Path, key: str) -> None:
    kubeconfig = "  kubernetes-audit:kubeconfig:\n    secure: v1:CCCC\n"
    whole = f"  kubernetes-audit:{key}:\n    secure: v1:BBBB\n"
    (project / "Pulumi.dev.yaml").write_text(GOOD + kubeconfig + whole)
    assert main(["config", "check"]) == 0


def test_no_secret_in_clear_is_repeated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    webhook = "  kubernetes-audit:webhook:\n    server: https://siem.example.com\n    token: hunter2 \u00e9\n"
    (project / "Pulumi.dev.yaml").write_text(GOOD.replace("secure: v1:AAAA", "secret: hunter2") + webhook)
    for form in ("text", "json"):
        assert main(["config", "check", "--format", form]) == 1
        assert "hunter2" not in capsys.readouterr().out


def test_what_cannot_be_read_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check"]) == 2
    assert "there is no Pulumi.*.yaml beside Pulumi.yaml" in capsys.readouterr().err
    assert main(["config", "check", "Pulumi.dev.yaml"]) == 2
    assert "Pulumi.dev.yaml: cannot be read: No such file" in capsys.readouterr().err
    (project / "Pulumi.dev.yaml").write_text("config: [\n")
    assert main(["config", "check"]) == 1
    assert "allowed: YAML" in capsys.readouterr().out


def test_the_projects_own_stack_files_pass_with_their_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert main(["config", "check"]) == 0


def test_the_reference_is_made_from_the_settings_and_outputs() -> None:
    assert (REPOSITORY / "docs" / "settings.md").read_text() == reference_text()
    assert all(f"| `{output.name}` |" in reference_text() for output in OUTPUTS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is no mapping"),
        ("- config\n", "is no mapping"),
        ("config: {}\n---\nconfig: {}\n", "another document"),
        ("config:\n  nodes: &nodes [*nodes]\n", "an alias stands inside of what it names"),
        ("config:\n  nodes: !own x\n", "could not determine a constructor for the tag"),
        ("config: [\n", "allowed: YAML"),
    ],
)
def test_a_file_that_is_no_stack_file_is_one_mistake(text: str, what: str) -> None:
    checked = check_stack_file("Pulumi.dev.yaml", text, "kubernetes-audit", Path())
    assert len(checked.mistakes) == 1
    assert what in checked.mistakes[0].message


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ("{delivery: api, files: [mine.yaml]}", "mine.yaml: cannot be read: No such file or directory"),
        ("{delivery: api, files: [secret.yaml]}", 'secret.yaml: there is an entry "secret" already'),
        ("{delivery: api, files: [secret.yaml], leaveOut: [secret]}", None),
        ("{delivery: off, files: [mine.yaml]}", None),
    ],
)
def test_files_of_annotations_are_checked_as_the_program_reads_them(
    tmp_path: Path, annotations: str, said: str | None
) -> None:
    shutil.copy(REPOSITORY / "annotations" / "secret.yaml", tmp_path)
    text = f"{GOOD}  kubernetes-audit:annotations: {annotations}\n"
    checked = check_stack_file("Pulumi.dev.yaml", text, "kubernetes-audit", tmp_path)
    found = [mistake.message for mistake in checked.mistakes if mistake.key == "annotations.files"]
    assert len(found) == (0 if said is None else 1)
    assert all(said and said in each for each in found)


BLOCK = """\
  kubernetes-audit:policy:
    inline: |
      apiVersion: audit.k8s.io/v1
      kind: Policy
      rules:
        - level: Everything
"""


def lines(project: Path, text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the check prints of one wrong stack file."""
    (project / "Pulumi.dev.yaml").write_text(text)
    assert main(["config", "check"]) == 1
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("  kubernetes-audit:policy: {preset: minimal\n", "10:1: "),
        ("  kubernetes-audit:policy: a: b\n", "9:29: "),
        ("\tkubernetes-audit:policy: a\n", "9:1: "),
    ],
)
def test_broken_yaml_is_told_at_its_own_line(
    project: Path, capsys: pytest.CaptureFixture[str], more: str, place: str
) -> None:
    first, last = lines(project, GOOD + more, capsys)
    assert first.startswith(f"Pulumi.dev.yaml:{place}")
    assert " line " not in first
    assert last == "Pulumi.dev.yaml: 1 error"


def test_a_mistake_of_a_policy_file_is_told_at_its_own_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "mine.yaml").write_text(POLICY.replace("level: None", "level: {"))
    first, _ = lines(project, GOOD + "  kubernetes-audit:policy:\n    file: mine.yaml\n", capsys)
    assert first.startswith("Pulumi.dev.yaml:10: mine.yaml:6:3: not valid YAML: ")


def test_a_mistake_of_a_policy_in_the_stack_file_is_told_at_the_files_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = lines(project, GOOD + BLOCK, capsys)
    assert first.startswith("Pulumi.dev.yaml:14: the policy in the configuration:4:12: rules[0].level: ")


def test_a_mistake_of_an_overlay_is_told_at_its_own_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = "    rulesBefore:\n      - level: Metadata\n      - level: Everything\n"
    first, _ = lines(project, f"{GOOD}  kubernetes-audit:policy:\n    preset: minimal\n{rules}", capsys)
    assert first.startswith("Pulumi.dev.yaml:13: policy.rulesBefore[1].level: ")


ENVIRONMENTS = ("environment:\n  - prod/nodes\n", "environment:\n  imports: [prod/nodes]\n  values: {}\n")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_an_environment_may_set_is_not_missing(
    project: Path, capsys: pytest.CaptureFixture[str], environment: str
) -> None:
    text = "config:\n  kubernetes-audit:loki:\n    url: https://loki.example.com\n"
    (project / "Pulumi.dev.yaml").write_text(environment + text)
    assert main(["config", "check"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Pulumi.dev.yaml: no errors; not checked: what comes from an environment (")
    assert "prod/nodes)" in said


def test_beside_an_environment_what_the_file_sets_is_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = lines(project, ENVIRONMENTS[0] + "config:\n  kubernetes-audit:healthTimeoutSeconds: 5\n", capsys)
    assert first == "Pulumi.dev.yaml:4: healthTimeoutSeconds: is 5; allowed: a whole number from 30 to 3600"
