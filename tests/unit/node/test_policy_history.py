"""The history of a node's policies, as the change of a node writes it."""

from __future__ import annotations

import subprocess
import time
from base64 import b64encode
from pathlib import Path

from auditlog.manifest.desired import sha256
from auditlog.project_files import project_folder
from tests.unit.node.changed_node import Node
from tests.unit.node.shell import TOOLS, run

OLD, NEW = sha256("old policy"), sha256("new policy")


def history(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "archive/policies/history").read_text().splitlines()]


def test_a_change_writes_what_it_found_and_what_it_left(node: Node) -> None:
    node.manifest.write_text(f"    - --audit-policy-file={node.policy}\n")
    node.says("new-runs")
    node.says("healthy")
    said = node.enable(5)
    assert "manifest: running and healthy" in said
    assert [(each[2], each[5]) for each in history(node.folder)] == [(OLD, "found"), (NEW, "stack")]
    texts = {path.name: path.read_text() for path in (node.folder / "archive/policies").glob("*.yaml")}
    assert texts == {f"{OLD}.yaml": "old policy", f"{NEW}.yaml": "new policy"}


def test_the_same_seen_again_is_one_line_with_a_later_end(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text("a")
    (tmp_path / "archive").mkdir()
    ran = run(
        tmp_path,
        'date() { case $1 in +%s) echo "$clock" ;; *) command date "$@" ;; esac; }\n'
        "apiserver_pids() { echo 1; }; started() { echo 50; }\n"
        f"for clock in 100 200 300; do note_policy stack {tmp_path}/policy; done\n"
        f"echo b >{tmp_path}/policy; clock=400; note_policy found {tmp_path}/policy\n"
        f"clock=500; note_policy removed ''\n",
    )
    assert ran.stderr == ""
    first, second, third = history(tmp_path)
    assert (first[0], first[1], first[2], first[4:]) == ("100", "300", sha256("a"), ["50", "stack"])
    assert (second[0], second[2], second[5]) == ("400", sha256("b\n"), "found")
    assert third[2:] == ["absent", "0", "50", "removed"]


def test_backups_of_a_version_without_a_history_begin_it(tmp_path: Path) -> None:
    for name, text in (("20250221T101112Z", "older"), ("20250222T000000Z", "old"), ("unfinished", "no")):
        (tmp_path / "archive" / name).mkdir(parents=True)
        (tmp_path / "archive" / name / "audit-policy.yaml").write_text(text)
    (tmp_path / "policy").write_text("new")
    run(tmp_path, f"note_policy stack {tmp_path}/policy")
    assert [(each[0], each[2], each[4], each[5]) for each in history(tmp_path)][:2] == [
        ("1740132672", sha256("older"), "0", "archive"),
        ("1740182400", sha256("old"), "0", "archive"),
    ]
    assert history(tmp_path)[2][5] == "stack"
    assert (tmp_path / "archive/policies" / f"{sha256('older')}.yaml").read_text() == "older"


def test_a_history_that_cannot_be_written_fails_no_change(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the folder should be")
    ran = run(tmp_path, "note_policy stack /nowhere && echo went-on")
    assert "note: which policy is in force could not be written" in ran.stdout
    assert "went-on" in ran.stdout


def test_no_more_than_so_many_lines_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "archive/policies"
    folder.mkdir(parents=True)
    (folder / "history").write_text("".join(f"{n} {n} absent 0 0 found\n" for n in range(600)))
    run(tmp_path, "note_policy stack ''")
    assert len(history(tmp_path)) == 500


def test_the_history_is_read_with_its_texts(tmp_path: Path) -> None:
    (tmp_path / "history").write_text("1 2 abc 0 0 stack\n")
    (tmp_path / "abc.yaml").write_text("text")
    script = project_folder("node") / "log_files.sh"
    told = subprocess.run(
        ["sh", "-s", "policies", f"path={tmp_path}"],
        input=script.read_bytes(),
        capture_output=True,
        check=True,
        env={"PATH": f"{TOOLS}/usr/bin:/bin"},
    ).stdout.decode()
    assert told.splitlines()[:2] == ["text abc dGV4dA==", "observation 1 2 abc 0 0 stack"]


def test_what_is_in_force_now_is_read_from_the_process(tmp_path: Path) -> None:
    """A process of that name; the file counts that it sees at the path of its own flag, the last one given."""
    (tmp_path / "policy").write_text("in force")
    program = tmp_path / "kube-apiserver"
    program.write_text("#!/bin/sh\nread -r end\n")
    program.chmod(0o755)
    before = int(time.time())
    flags = ("--audit-policy-file=/nowhere", f"--audit-policy-file={tmp_path}/policy", "--secure-port=6443")
    with subprocess.Popen([program, *flags], stdin=subprocess.PIPE) as process:
        until = time.monotonic() + 30
        while Path(f"/proc/{process.pid}/comm").read_text().strip() != "kube-apiserver" and time.monotonic() < until:
            time.sleep(0.01)
        told = subprocess.run(
            ["sh", "-s", "policies", f"path={tmp_path}/none"],
            input=(project_folder("node") / "log_files.sh").read_bytes(),
            capture_output=True,
            check=True,
        ).stdout.decode()
        process.communicate(b"\n")
    assert f"text {sha256('in force')} {b64encode(b'in force').decode()}" in told.splitlines()
    seen = [line.split() for line in told.splitlines() if line.startswith("observation") and sha256("in force") in line]
    ((_, first, last, _, changed, started, by),) = seen
    assert (first, by) == (last, "now")
    assert before - 2 <= int(changed) <= int(first)
    assert before - 2 <= int(started) <= int(first) + 1
