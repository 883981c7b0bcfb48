"""Admission policies on a node: they go where the API server reads them, and come back where it refuses them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from auditlog.manifest.admission_configuration import with_policies_of
from auditlog.manifest.desired import sha256
from tests.unit.node.changed_node import STAND_INS
from tests.unit.node.shell import run
from tests.unit.nodes.facts_output import encoded

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n"
OTHERS = {"b.yaml": "two", "a.json": "one", "c.txt": "not read", "empty.yml": "", ".d.YAML": "three"}


def folder_hash(files: dict[str, str]) -> str:
    """As k8s.io/apiserver pkg/admission/plugin/manifest/loader.go has it."""
    read = [text for name, text in sorted(files.items()) if text and not name.endswith(".txt")]
    return hashlib.sha256("".join(f"{text}\0" for text in read).encode()).hexdigest()


def metrics(taken: str, refused: int) -> str:
    name = "apiserver_manifest_admission_config_controller_"
    labels = 'apiserver_id_hash="sha256:0",'
    lines = [
        f'{name}automatic_reloads_total{{{labels}plugin="ValidatingAdmissionPolicy",status="failure"}} {refused}',
        f'{name}automatic_reloads_total{{{labels}plugin="ValidatingAdmissionPolicy",status="success"}} 9',
        f'{name}automatic_reloads_total{{{labels}plugin="MutatingAdmissionPolicy",status="failure"}} 7',
        f'{name}last_config_info{{{labels}hash="sha256:{taken}",plugin="ValidatingAdmissionPolicy"}} 1',
    ]
    return "\n".join(lines)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "state/staged").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    for name, text in OTHERS.items():
        (tmp_path / "folder" / name).write_text(text)
    return tmp_path


def test_the_hash_is_the_one_by_which_the_api_server_names_them(node: Path) -> None:
    assert run(node, f"folder_hash {node}/folder").stdout.strip() == folder_hash(OTHERS)
    assert run(node, f"folder_hash {node}/none").stdout.strip() == hashlib.sha256(b"").hexdigest()


def test_the_rehearsal_has_ours_as_it_will_be_and_what_others_have(node: Path) -> None:
    (node / "folder/ours.yaml").write_text("old")
    (node / "state/staged/audit-static-policies.yaml").write_text("new")
    assert run(node, f"stage_folder static-policies={node}/folder/ours.yaml").returncode == 0
    there = {file.name: file.read_text() for file in (node / "state/staged/static-policies").iterdir()}
    assert there == {name: text for name, text in OTHERS.items() if not name.startswith(".")} | {"ours.yaml": "new"}
    assert run(node, "stage_folder policy=/x").returncode == 0
    assert not (node / "state/staged/static-policies").exists()


WAIT = """
api() { cat "$STATE/metrics"; }
timeout=0 endpoint=e refused_before=3 left_alone=yes
await_policies && echo taken || echo "$problem"
"""


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (metrics(folder_hash(OTHERS), 3), "taken"),
        (metrics("0" * 64, 4), "the API server refuses {node}/folder/ours.yaml"),
        (metrics("0" * 64, 3), "the API server has not read {node}/folder/ours.yaml again within 0 s"),
        ("apiserver_audit_event_total 1", "taken"),
    ],
)
def test_the_api_server_says_whether_it_has_taken_them(node: Path, said: str, result: str) -> None:
    (node / "state/journal").write_text(f"static-policies={node}/folder/ours.yaml\nstatic-policies-desired=1\n")
    (node / "state/metrics").write_text(said)
    assert run(node, STAND_INS + WAIT).stdout.splitlines()[-1] == result.format(node=node)


def test_without_policies_there_is_nothing_to_wait_for(node: Path) -> None:
    (node / "state/journal").write_text("policy=/x\n")
    assert run(node, STAND_INS + WAIT).stdout == "taken\n"


def test_a_folder_that_the_stack_made_goes_once_it_is_empty(node: Path) -> None:
    made = node / "made"
    assert run(node, f"{STAND_INS}make_folder {made}/ours.yaml && make_folder {node}/folder/ours.yaml").returncode == 0
    assert made.is_dir()
    (made / "ours.yaml").write_text("ours")
    call = f"{STAND_INS}take_lock() {{ :; }}\ntake_away static-policies path={made}/ours.yaml written={sha256('ours')}"
    assert run(node, call).returncode == 0
    assert not made.exists()
    assert (node / "folder").is_dir()


def told(node: Path, script: str) -> list[str]:
    result = run(node, script)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_every_file_that_the_api_server_reads_beside_ours_is_told_and_no_pipe_is_opened(node: Path) -> None:
    folder = node / "folder"
    (folder / "ours.yaml").write_text("ours")
    there = folder_hash({**OTHERS, "ours.yaml": "ours"})
    os.mkfifo(folder / "pipe.yaml")
    (folder / "nowhere.json").symlink_to(node / "none")
    (folder / "large.yml").write_bytes(b"x" * 262_145)
    (folder / "folder.yaml").mkdir()
    files = [f"static-file {encoded(name)} file {encoded(OTHERS[name])}" for name in ("a.json", "b.yaml", ".d.YAML")]
    unread = {"pipe.yaml": "other", "nowhere.json": "other", "large.yml": "large", "empty.yml": "file"}
    said = told(node, f"static_policies={folder}/ours.yaml fact_static_folder")
    assert sorted(said[1:]) == sorted(
        [*files, *(f"static-file {encoded(name)} {kind}" for name, kind in unread.items())]
    )
    (folder / "large.yml").unlink()
    assert told(node, f"static_policies={folder}/ours.yaml fact_static_folder")[0] == (
        f"static-folder {encoded(str(folder))} {there}"
    )


def test_the_folder_is_the_one_of_the_api_servers_own_configuration_where_the_stack_has_none(node: Path) -> None:
    assert told(node, "static_policies= fact_static_folder") == []
    theirs = node / "theirs.yaml"
    (node / "manifest").write_text(f"    - --admission-control-config-file={theirs}\n")
    other = f"{HEAD}plugins:\n- name: MutatingAdmissionPolicy\n  configuration:\n    staticManifestsDir: /elsewhere\n"
    theirs.write_text(f"{other}- name: ValidatingAdmissionPolicy # x\n  configuration:\n    kind: X\n")
    assert told(node, "static_policies= fact_static_folder") == []
    theirs.write_text(f'{theirs.read_text()}    staticManifestsDir: "{node}/folder"  # mine\n')
    assert told(node, "static_policies= fact_static_folder")[0].split()[:2] == [
        "static-folder",
        encoded(f"{node}/folder"),
    ]
    theirs.write_text(with_policies_of(f"{node}/folder", other, str(theirs)))
    assert told(node, "static_policies= fact_static_folder")[0].split()[1] == encoded(f"{node}/folder")


def test_what_the_api_server_has_taken_is_told_of_the_folder_that_it_reads_alone(node: Path) -> None:
    (node / "manifest").write_text(f"    - --admission-control-config-file={node}/admission\n")
    (node / "admission").write_text(with_policies_of(f"{node}/folder", None, None))
    (node / "metrics").write_text(metrics("0" * 64, 1))
    asks = f"api() {{ cat {node}/metrics; }}\nkubectl() {{ :; }}\n"
    for path in ("", f"{node}/folder/ours.yaml"):
        assert told(node, f"{asks}static_policies={path} fact_static_taken") == [f"static-taken {'0' * 64}"]
    assert told(node, f"{asks}static_policies={node}/other/ours.yaml fact_static_taken") == []
    (node / "state/journal").touch()
    assert told(node, f"{asks}static_policies= fact_static_taken") == []


def test_the_admission_configuration_before_ours_is_found(node: Path) -> None:
    (node / "manifest").write_text("    - --admission-control-config-file=/etc/theirs.yaml\n")
    assert run(node, "admission_source").stdout == "/etc/theirs.yaml\n"
    (node / "manifest").write_text(f"    - --admission-control-config-file={node}/admission\n")
    (node / "admission").write_text(with_policies_of("/f", HEAD, "/etc/a b.yaml"))
    assert run(node, "admission_source").stdout == "/etc/a b.yaml\n"
    (node / "admission").unlink()
    (node / "state/before").mkdir()
    (node / "state/before/kube-apiserver.yaml").write_text("- --admission-control-config-file=/etc/earlier.yaml\n")
    assert run(node, "admission_source").stdout == "/etc/earlier.yaml\n"
