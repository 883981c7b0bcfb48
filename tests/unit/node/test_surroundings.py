"""What else is on a node: processes of that name, links where a file is tried, clocks that step, stuck redirects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.shell import TOOLS, run

GROUPS = """
processes_named() {{ echo 11; echo 22; }}
cat() {{ case $1 in {root}/*) command cat "$@" ;; /proc/11/cgroup) echo "{api}" ;; /proc/22/cgroup) echo "{stranger}" ;;
    *cgroup*) echo "{api}"; echo "{stranger}" ;; *) command cat "$@" ;; esac; }}
all_apiserver_pids
"""
POD = "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/c0ffee"
SYSTEMD = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0123456789abcdef0123456789abcdef.slice/cri"
USER = "0::/user.slice/user-1000.slice"


@pytest.mark.parametrize(
    ("api", "stranger", "found"),
    [
        (POD, USER, "11\n"),
        (SYSTEMD, USER, "11\n"),
        (USER, POD, "22\n"),
        (POD, POD, "11\n22\n"),
        (USER, "/", "11\n22\n"),
    ],
)
def test_an_api_server_is_a_process_of_a_static_pod(tmp_path: Path, api: str, stranger: str, found: str) -> None:
    assert run(tmp_path, GROUPS.format(root=tmp_path, api=api, stranger=stranger)).stdout == found


def test_room_is_tried_under_a_name_that_nobody_can_guess(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / ".kubernetes-audit.room").symlink_to(secret)
    assert run(tmp_path, f"has_room {folder}").returncode == 0
    assert secret.read_text() == "kept"
    assert [path.name for path in folder.iterdir()] == [".kubernetes-audit.room"]


def test_what_is_waited_for_ends_though_the_clock_is_set_back(tmp_path: Path) -> None:
    back = "date() { echo 1; }\ncrash_loops() { return 1; }\nkeep_guard() { :; }\n"
    result = run(tmp_path, f'{back}problem="it did not come"; wait_until 1 false || echo "$problem"')
    assert result.stdout == "it did not come within 1 s\n"


def test_the_callers_path_is_not_searched(tmp_path: Path) -> None:
    assert run(tmp_path, 'echo "$PATH"').stdout.startswith(f"{tmp_path}/bin:{TOOLS}/usr/local/sbin:")


STUCK = """
sleep() { :; }
is_redirected() { [ -e "$STATE/redirected" ]; }
withdraw_rules() { count=$(cat "$STATE/count" 2>/dev/null || echo 0); echo $((count + 1)) >"$STATE/count"
    [ "$count" -lt %d ] || rm -f "$STATE/redirected"; }
withdraw_redirect && echo gone || echo "$problem"
"""


@pytest.mark.parametrize(("stays", "said"), [(0, "gone"), (3, "gone"), (99, "the redirect KUBERNETES-AUDIT cannot be")])
def test_a_redirect_is_taken_away_until_it_is_gone(tmp_path: Path, stays: int, said: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/redirected").touch()
    assert run(tmp_path, STUCK % stays).stdout.startswith(said)


def test_a_marker_is_found_in_the_file_that_was_just_rotated(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text("later\n")
    (tmp_path / "audit-2026-01-01T00-00-00.000.log").write_text("older\n")
    (tmp_path / "audit-2026-01-02T00-00-00.000.log").write_text("the-marker\n")
    made = "make_marker() { marker_name=the-marker; }\nsleep() { :; }\n"
    said = run(tmp_path, f"{made}marker_arrives endpoint {log}").stdout
    assert said == f"marker: recorded in {tmp_path}/audit-2026-01-02T00-00-00.000.log\n"


def test_backups_are_kept_by_their_number_though_the_clock_is_behind(tmp_path: Path) -> None:
    for number in range(1, 25):
        folder = tmp_path / "archive" / f"20990101T0000{number:02}Z"
        folder.mkdir(parents=True)
        (folder / "sequence").write_text(f"{number}\n")
    (tmp_path / "manifest").write_text("the manifest")
    said = run(
        tmp_path,
        "policy= webhook= policy_desired= webhook_desired=; mkdir -p $STATE/staged; echo me >$STATE/owner\n"
        'read_texts=$(hash_of "$MANIFEST"); back_up "" ""',
    ).stdout
    made = Path(said.split()[-1])
    assert (made / "sequence").read_text() == "25\n"
    kept = sorted(int((folder / "sequence").read_text()) for folder in (tmp_path / "archive").iterdir())
    assert kept == list(range(6, 26))
