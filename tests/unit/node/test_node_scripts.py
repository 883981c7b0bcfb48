"""The node's shell functions one by one, in a folder of their own instead of /etc/kubernetes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from auditlog.manifest.desired import sha256
from auditlog.nodes import node_scripts
from tests.unit.node.shell import LIBRARY, run

KUBECTL = """\
#!/bin/sh
# Answers as the API server would for one ConfigMap, from files beside it; keeps what it is told to write.
here=$(dirname "$0")
case "$*" in
    *resourceVersion*) printf 7 ;;
    *jsonpath=*) cat "$here/live" ;;
    *patch*) for file; do :; done; cp "$file" "$here/patch"; cp "$here/desired" "$here/live" ;;
esac
"""


@pytest.mark.parametrize("text", ["a: 1\n", "a: 1", "", "\n\n", "ü: “x”\n"])
def test_a_here_document_arrives_to_the_byte(tmp_path: Path, text: str) -> None:
    command = node_scripts.call_with_text("root", "receive", text, restore=sha256(text)).split("receive", 1)[1]
    result = run(tmp_path, f'take() {{ receive {tmp_path}/file "${{1#restore=}}"; }}\ntake{command}')
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "file").read_bytes() == text.encode()


def test_a_text_that_holds_the_end_of_the_here_document_arrives_as_well(tmp_path: Path) -> None:
    text = "a\nEND-OF-THE-EARLIER-TEXT\nb\n"
    command = node_scripts.call_with_text("root", "receive", text, restore=sha256(text)).split("receive", 1)[1]
    run(tmp_path, f'take() {{ receive {tmp_path}/file "${{1#restore=}}"; }}\ntake{command}')
    assert (tmp_path / "file").read_text() == text


EARLIER = "kind: Pod\nspec:\n  env: secret\n  ü: 'a\\b'\n"


@pytest.mark.parametrize("before", [EARLIER, EARLIER.removesuffix("\n"), "", "another text\n"])
@pytest.mark.parametrize("desired", [EARLIER + "audit: yes\n", EARLIER.replace("spec", "audit: yes\nspec"), "x"])
def test_the_earlier_text_is_made_by_edits_of_the_one_that_the_stack_wrote(
    tmp_path: Path, desired: str, before: str
) -> None:
    command = node_scripts.call_to_give_back(
        "root", "give-back", desired, before, by_edits=True, restore=sha256(before)
    )
    arguments = command.split("give-back ", 1)[1]
    script = f'take() {{ receive_earlier {tmp_path}/file {sha256(before)} {tmp_path}/kept "$@" || say "$problem"; }}\n'
    result = run(tmp_path, f"{script}take {arguments}", desired)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert (tmp_path / "file").read_text() == before
    if "secret" in desired and "secret" in before:
        assert "secret" not in command


def test_the_copy_that_the_node_keeps_is_as_good_and_no_other_text_is(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("before")
    script = f'receive_earlier {tmp_path}/file {sha256("before")} {tmp_path}/kept edits=1d || say "$problem"'
    assert run(tmp_path, script, "cut o").stdout == ""
    assert (tmp_path / "file").read_text() == "before"
    (tmp_path / "kept").write_text("by hand")
    assert "cannot be made from what arrived" in run(tmp_path, script, "cut o").stdout


def test_what_is_not_what_was_sent_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, f"receive {tmp_path}/file {sha256('sent')}", "cut o")
    assert result.returncode == 1
    assert "is not what was sent" in result.stderr


def test_what_equals_the_live_file_needs_only_the_record(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("now\n")
    script = f"receive_desired {tmp_path}/file {sha256('then')} {tmp_path}/live manifest; echo went on"
    result = run(tmp_path, script, "now\n")
    assert (result.returncode, result.stdout) == (0, "manifest: in sync; only the stack's record of it changes\n")
    assert run(tmp_path, script, "then").stdout == "went on\n"
    assert run(tmp_path, script, "neither").returncode == 1


def test_an_argument_that_is_missing_is_named(tmp_path: Path) -> None:
    assert run(tmp_path, "argument b a=1 b=x=y").stdout == "x=y\n"
    result = run(tmp_path, "argument c a=1 b=2")
    assert (result.returncode, result.stderr) == (1, "error: the argument c= is missing\n")


def test_a_file_is_put_whole_with_its_mode_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "target").write_text("old")
    result = run(tmp_path, f"chown() {{ :; }}\nput {tmp_path}/new {tmp_path}/target 640")
    assert result.returncode == 0
    assert (tmp_path / "target").read_text() == "new"
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o640
    assert run(tmp_path, f"put {tmp_path}/missing {tmp_path}/target 600").returncode != 0
    assert (tmp_path / "target").read_text() == "new"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["new", "target"]


@pytest.mark.parametrize(
    "desired",
    ["a: 1\n", 'quote: "x"\n', "back: \\n\\\\\n", "tab:\tx\n", "ü: “&”\n", "no end", "percent: %s%%\n", "\r\n"],
)
def test_cluster_configuration_is_sent_as_json_to_the_byte(tmp_path: Path, desired: str) -> None:
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o700)
    (tmp_path / "bin" / "live").write_text("before\n")
    with (tmp_path / "bin" / "desired").open("w", newline="") as file:
        file.write(desired)
    live = sha256("before\n")
    script = f"chown() {{ :; }}\napply_kubeadm_config live={live}@7 desired={sha256(desired)} owned=record"
    result = run(tmp_path, script, desired)
    assert result.returncode == 0, result.stderr
    patch = json.loads((tmp_path / "bin" / "patch").read_text())
    assert patch == {"metadata": {"resourceVersion": "7"}, "data": {"ClusterConfiguration": desired}}
    assert (tmp_path / "state" / "before" / "cluster-configuration.yaml").read_text() == "before\n"
    assert (tmp_path / "state" / "owned-kubeadm-config").read_text() == "record\n"


def test_kubeadm_config_that_changed_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o700)
    (tmp_path / "bin" / "live").write_text("somebody else's\n")
    result = run(tmp_path, f"apply_kubeadm_config live={sha256('before')}@7 desired={sha256('new')}", "new")
    assert result.returncode == 1
    assert "changed after it was read for this plan" in result.stderr
    assert not (tmp_path / "bin" / "patch").exists()


def test_the_archive_keeps_the_newest_and_those_of_before_audit_logging(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "archive" / f"20260101T0000{number:02}Z").mkdir(parents=True)
    (tmp_path / "archive" / "20260101T000000Z" / "before-audit-logging").touch()
    run(tmp_path, "prune_archive")
    kept = sorted(entry.name for entry in (tmp_path / "archive").iterdir())
    assert kept == ["20260101T000000Z", *(f"20260101T0000{number:02}Z" for number in range(10, 30))]


def test_the_start_of_a_process_is_seconds_since_the_epoch(tmp_path: Path) -> None:
    result = run(tmp_path, "now=$(date +%s); begun=$(started $$); echo $((now - begun))")
    assert 0 <= int(result.stdout) < 3600


def test_a_second_operator_is_refused_while_the_lock_is_held(tmp_path: Path) -> None:
    result = run(tmp_path, "take_lock; (exec 9>&-; take_lock); exit $?")
    assert result.returncode == 1
    assert "another change of this node is under way" in result.stderr


@pytest.mark.parametrize(
    ("before", "now", "loops"),
    [
        ([], [0], False),
        ([], [1], False),
        ([], [2], True),
        ([0], [1], False),
        ([0], [2], False),
        ([0], [3], True),
        ([4], [6], False),
        ([4], [7], True),
        ([4], [], False),
    ],
)
def test_a_third_start_since_the_swap_is_a_crash_loop(
    tmp_path: Path, before: list[int], now: list[int], loops: bool
) -> None:
    folder = tmp_path / "kube-system_kube-apiserver-cp1_1/kube-apiserver"
    folder.mkdir(parents=True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "kube-apiserver.logs").write_text("".join(f"{folder} {number}\n" for number in before))
    there = "".join(f"echo {folder} {number}; " for number in [*before, *now])
    found = f"container_logs() {{ {there}:; }}\n"
    result = run(tmp_path, f"{found}if crash_loops kube-apiserver; then echo loops; fi")
    assert result.stdout == ("loops\n" if loops else "")
    assert result.stderr == ""


SENDER = "{ head -c 3000000 /dev/zero && echo taken >sent; }"


@pytest.mark.parametrize("command", ["uninstall owner=mine", "remove-policy path=policy written=absent owner=mine"])
def test_a_command_takes_all_the_input_that_it_has_no_use_for(tmp_path: Path, command: str) -> None:
    """The provider sends that of the last update with a delete, and calls one that ends before it was taken failed."""
    dispatch = node_scripts.bundle().removeprefix(LIBRARY)
    result = run(tmp_path, f"cd {tmp_path}\n{SENDER} | (set -- {command}\n{dispatch})")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "sent").exists()


def test_so_does_a_command_that_carries_its_text(tmp_path: Path) -> None:
    command = node_scripts.call_with_text("root", "restore", "text\n").replace(f"sh {node_scripts.INSTALLED}", "true")
    run(tmp_path, f"cd {tmp_path}\n{SENDER} | ({command})")
    assert (tmp_path / "sent").exists()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The whole script where a stack installs it, with its folders in the test's own, beside records of the stack."""
    records = tmp_path / "kubernetes/audit-logging"
    records.mkdir(parents=True)
    for name in ("owner", "before/manifest", ".unfinished/policy"):
        (records / name).parent.mkdir(exist_ok=True)
        (records / name).write_text("mine\n")
    script = node_scripts.bundle().replace("/etc/kubernetes", str(tmp_path / "kubernetes"))
    (records / "node.sh").write_text(script.replace("withdraw_recovery\n", ":\n"))
    return records


def _removal(records: Path) -> str:
    command = node_scripts.uninstall_command("root", "mine")
    return f"{{ {command.replace('/etc/kubernetes', str(records.parent))}; }} </dev/null"


def _remove(records: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", _removal(records)], capture_output=True, text=True, check=False)


def test_a_removal_whose_answer_was_lost_can_be_run_again(installed: Path) -> None:
    for said in ("removed; backups stay", "an earlier try has removed them"):
        done = _remove(installed)
        assert (done.returncode, done.stderr) == (0, "")
        assert said in done.stdout
        assert not installed.exists()


def test_a_removal_that_was_cut_off_is_finished(installed: Path) -> None:
    script = installed / "node.sh"
    whole = script.read_text()
    assert whole.count('sync "$STATE"\n    rm -rf "$STATE"\n') == 1
    script.write_text(whole.replace('sync "$STATE"\n    rm -rf "$STATE"\n', "exit 1\n"))
    assert _remove(installed).returncode == 1
    assert list(installed.iterdir()) == [script], "the script goes last"
    script.write_text(whole)
    assert _remove(installed).returncode == 0
    assert not installed.exists()
    installed.mkdir()
    assert _remove(installed).returncode == 0
    assert not installed.exists(), "the folder was empty"


def test_a_removal_without_the_script_beside_records_fails(installed: Path) -> None:
    """Somebody took the script away: what the stack has on the node is not given back."""
    (installed / "node.sh").unlink()
    done = _remove(installed)
    assert done.returncode != 0
    assert (installed / "owner").exists()
