"""What a node tells of its files."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.node.shell import run
from tests.unit.nodes.facts_output import encoded


def change_time(path: Path) -> int:
    return int(path.stat().st_ctime)


def test_of_a_file_its_times_mode_and_text_are_told(tmp_path: Path) -> None:
    file = tmp_path / "two words"
    file.write_text("a\n\nb")
    file.chmod(0o640)
    os.utime(file, (1, 12345))
    told = run(tmp_path, f"fact_files policy '{file}' other '{tmp_path}/none'").stdout.splitlines()
    assert told == [
        f"file policy {change_time(file)} 12345 640 {encoded(file.read_text())}",
        f"file other absent {change_time(tmp_path)}",
    ]


def test_a_file_in_no_folder_is_absent_since_ever(tmp_path: Path) -> None:
    assert run(tmp_path, f"fact_files policy {tmp_path}/none/at/all").stdout == "file policy absent 0\n"


def test_of_a_link_what_it_leads_to_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    os.utime(file, (1, 12345))
    (tmp_path / "link").symlink_to(file)
    assert run(tmp_path, f"fact_files policy {tmp_path}/link").stdout.split()[2:4] == [str(change_time(file)), "12345"]


def test_a_file_that_came_after_the_others_were_asked_about_is_asked_about_then(tmp_path: Path) -> None:
    late = tmp_path / "late"
    told = run(tmp_path, f"stat_all '%s' {late}; printf 12345 >{late}; stat_of {late}; say $found").stdout
    assert told == "5\n"


def test_every_other_file_in_the_manifest_folder_is_told_whatever_it_is_called(tmp_path: Path) -> None:
    names = ("etcd.yaml", "two words", "two\nlines", "-L")
    for name in names:
        (tmp_path / name).write_text(f"text of {name}")
    for name in ("manifest", ".hidden"):
        (tmp_path / name).write_text("not told")
    (tmp_path / "folder").mkdir()
    told = run(tmp_path, "fact_manifests").stdout.splitlines()
    assert sorted(told) == sorted(
        f"static-pod {encoded(name)} {encoded(f'text of {name}')} {change_time(tmp_path / name)}" for name in names
    )


def test_a_file_too_large_to_be_a_manifest_is_named_and_not_sent(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 262_145)
    assert run(tmp_path, "fact_manifests").stdout == f"static-pod {encoded('large')}  {change_time(large)}\n"


def test_an_empty_manifest_folder_tells_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, "fact_manifests")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("log", ["logs/audit.log", "logs/deep/er/audit.log"])
def test_the_log_and_its_rotated_files_are_counted_and_the_space_there_is_told(tmp_path: Path, log: str) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, size in (("audit.log", 3), ("audit-2026-01-01.log", 40), ("audit-2026-01-02.log.gz", 500)):
        (folder / name).write_bytes(b"x" * size)
    (folder / "audit-canary.log").write_bytes(b"x" * 6000)
    df = f"df() {{ [ \"$*\" = '-P -k {folder}/' ] && echo Filesystem && echo /dev/vda1 1000 400 600 40% /; }}\n"
    told = dict(line.split() for line in run(tmp_path, f"{df}fact_log_space {tmp_path}/{log}").stdout.splitlines())
    assert told["log-used-bytes"] == ("543" if log == "logs/audit.log" else "0")
    assert (told["log-size-bytes"], told["log-free-bytes"]) == ("1024000", "614400")


def test_this_machines_own_df_is_understood(tmp_path: Path) -> None:
    told = dict(line.split() for line in run(tmp_path, f"fact_log_space {tmp_path}/audit.log").stdout.splitlines())
    assert 0 <= int(told["log-free-bytes"]) <= int(told["log-size-bytes"])


def test_a_process_started_when_the_kernel_says(tmp_path: Path) -> None:
    boot = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:5] == "btime")
    ticks = int(Path("/proc/self/stat").read_text().rsplit(") ", 1)[1].split()[19])
    expected = boot + ticks // os.sysconf("SC_CLK_TCK")
    assert run(tmp_path, f"started {os.getpid()}").stdout == f"{expected}\n"
    assert run(tmp_path, "started 0").stdout == ""


def test_a_pipe_in_the_manifest_folder_is_read_by_nobody(tmp_path: Path) -> None:
    """Whoever does waits for somebody to write, and the preview with them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "kube-vip.yaml").write_text("address: 127.0.0.1:6443\n")
    reads = 'for tool in grep base64; do eval "$tool() { is_pipe \\"\\$@\\"; command $tool \\"\\$@\\"; }"; done\n'
    reads += 'is_pipe() { for each; do if [ -p "$each" ]; then echo "reads $each"; exit 1; fi; done; }\n'
    told = run(tmp_path, f'{reads}loopback_address="127.0.0.1:6443"\ntold_by_manifest; fact_manifests').stdout
    assert told.startswith("kube-vip\nstatic-pod ")


@pytest.mark.parametrize("opens", [True, False])
def test_a_pipe_is_named_if_kubelet_waits_for_who_writes_to_it(tmp_path: Path, opens: bool) -> None:
    """Whatever clocks say: kubelet passes by a pipe that is there when it starts, and opens one that comes later."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe] if opens else ["sleep", "600"]) as kubelet:
        waits = Path(f"/proc/{kubelet.pid}/wchan")
        end = time.monotonic() + 120
        while not any(word in waits.read_text() for word in ("partner", "pipe_wait", "nanosleep")):
            assert time.monotonic() < end, waits.read_text()
            time.sleep(0.01)
        told = run(tmp_path, f"processes_named() {{ echo {kubelet.pid}; }}\nfact_manifests").stdout
        kubelet.kill()
    assert told == (f"manifest-pipe {encoded('pipe')}\n" if opens else "")
