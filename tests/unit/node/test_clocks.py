"""Nothing that the scripts decide depends on the time of day: the clock is set an hour ahead or back at each step.

What is shimmed is ``date``, the kernel's time of the boot and the times of files, never the machine's own clock.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.unit.node.changed_node import STEPS, Node
from tests.unit.node.shell import run

HOUR = 3600
WAY_BACK = ("put-back", "restored")
SETS_THE_CLOCK = """
date() {{
    now=$(($(command date +%s) + $(cat "$STATE/../offset" 2>/dev/null || echo 0)))
    command date -d "@$now" "$@"
}}
# What a process of now would have as its start moves along with the clock: the kernel derives the boot's time from it.
awk() {{
    for word in "$@"; do
        shift
        if [ "$word" = /proc/stat ]; then
            sed "s/^btime .*/btime $(date +%s)/" /proc/stat >"$STATE/../stat"
            word=$STATE/../stat
        fi
        set -- "$@" "$word"
    done
    command awk "$@"
}}
step() {{
    record "step=$1" || return 1
    [ "$1" != {at} ] || echo {offset} >"$STATE/../offset"
}}
"""


def moved(at: str, offset: int) -> str:
    return SETS_THE_CLOCK.format(at=at, offset=offset)


def without_names(said: str) -> str:
    """What was said, but for the time in the backup's name."""
    return re.sub(r"\d{8}T\d{6}Z", "TIME", said)


def change(node: Node, shims: str) -> tuple[str, str, str, dict[str, str]]:
    """What a change says, and what it leaves: manifest, policy, journal."""
    said = node.run(
        f"{shims}transaction enable {node.as_read} policy={node.policy} "
        "policy-desired=$(hash_of $STATE/staged/audit-policy.yaml) arguments=a arguments-before=b endpoint=e timeout=1 "
        "log=/nowhere marker=no owner=stack 2>&1"
    )
    return without_names(said), node.manifest.read_text(), node.policy.read_text(), node.entries()


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
@pytest.mark.parametrize("at", STEPS)
def test_a_change_that_succeeds_does_what_it_does_without(node: Node, at: str, offset: int) -> None:
    node.says("new-runs")
    node.says("healthy")
    said, *files, journal = change(node, moved(at, offset))
    assert (node.folder / "offset").read_text() == f"{offset}\n"
    assert "manifest: running and healthy" in said
    assert (files, journal) == (["new manifest", "new policy"], {})


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
@pytest.mark.parametrize("at", [*STEPS[: STEPS.index("new-running") + 1], "put-back", "restored"])
def test_a_change_that_is_put_back_does_what_it_does_without(node: Node, at: str, offset: int) -> None:
    node.says("healthy")
    said, *files, journal = change(node, moved(at, offset))
    assert (node.folder / "offset").read_text() == f"{offset}\n"
    assert "no API server with the manifest's arguments within 1 s" in said
    assert "The earlier manifest runs again" in said
    assert (files, journal) == (["old manifest", "old policy"], {})


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_the_process_that_has_to_end_is_known_by_the_time_since_the_boot(tmp_path: Path, offset: int) -> None:
    (tmp_path / "state").mkdir()
    shims = moved("none", 0)
    seen = run(tmp_path, f'{shims}echo "$(identity $$) $$@$(started $$)"; still_runs "$(identity $$)" && echo runs')
    assert seen.stdout.endswith("\nruns\n")
    set_back = (
        f'{shims}me=$(identity $$); earlier="$$@$(started $$)"; echo {offset} >"$STATE/../offset"\n'
        'still_runs "1:1,$me" && echo runs; still_runs "$earlier" || echo lost; still_runs no || echo none'
    )
    assert run(tmp_path, set_back).stdout == "runs\nlost\nnone\n"


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_a_crash_loop_is_seen_though_the_logs_are_older_than_the_note_of_those_before(
    tmp_path: Path, offset: int
) -> None:
    (tmp_path / "state").mkdir()
    pods = tmp_path / "pods"
    for pod, starts in (("old", (0, 1)), ("new", (0, 1, 2))):
        folder = pods / f"kube-system_kube-apiserver-cp1_{pod}/kube-apiserver"
        folder.mkdir(parents=True)
        for start in starts:
            (folder / f"{start}.log").write_text(f"2026-01-01T00:00:00Z stderr F {pod} {start}\n")
    note = tmp_path / "state/kube-apiserver.logs"
    note.write_text(f"{pods}/kube-system_kube-apiserver-cp1_old/kube-apiserver 1\n")
    written = note.stat().st_mtime
    for file in pods.rglob("*.log"):
        os.utime(file, (written + offset, written + offset))
    looks = (
        f'find() {{ first=$1; shift; [ "$first" != /var/log/pods ] || first={pods}; command find "$first" "$@"; }}\n'
    )
    said = run(tmp_path, f"{looks}crash_loops kube-apiserver && echo loops; last_words kube-apiserver").stdout
    assert said == "loops\nnew 0\nnew 1\nnew 2\n"
