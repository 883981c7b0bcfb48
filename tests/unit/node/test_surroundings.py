"""What else is on a node: processes of that name, links where a file is tried, clocks that step, stuck redirects."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from auditlog.nodes import node_scripts
from tests.unit.node.shell import TOOLS, run

GROUPS = """
processes_named() {{ echo 11; echo 22; }}
grep() {{ case $#:$3 in 3:/proc/11/cgroup) echo "{api}" ;; 3:/proc/22/cgroup) echo "{stranger}" ;;
    *) echo "{api}"; echo "{stranger}" ;; esac | command grep "$1" "$2"; }}
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
    assert run(tmp_path, GROUPS.format(api=api, stranger=stranger)).stdout == found


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


@pytest.mark.parametrize("script", ["facts", "ledger"])
def test_the_scripts_of_the_reading_account_search_nothing_in_the_callers_path(tmp_path: Path, script: str) -> None:
    command = node_scripts.install_command("root", "echo facts", "absent").replace("/etc/kubernetes", str(tmp_path))
    subprocess.run(["sh", "-c", command], input="echo facts", text=True, check=True, capture_output=True)
    own = tmp_path / "bin"
    own.mkdir()
    (own / "sh").write_text("#!/bin/sh\necho own\n")
    (own / "sh").chmod(0o755)
    read = subprocess.run(
        [tmp_path / "audit-logging" / script], env={"PATH": str(own)}, text=True, capture_output=True, check=True
    )
    assert read.stdout == "facts\n"


# One file is there while the rule is, another while it works: then a connection from outside reaches the canary.
IPTABLES = """#!/bin/sh
cd "${{0%/*}}/.."
case "$*" in
    *"-t nat -S"*) {listing} ;;
    *"-t nat -X"*) echo x >>tried; [ "$(wc -l <tried)" -lt {from_try} ] || {removal} ;;
    *) exit 1 ;;
esac
"""
LISTS = "[ ! -e rule ] || echo '-N KUBERNETES-AUDIT'"
REMOVES = "rm -f rule works"
WITHDRAWING = """
seconds=0
sleep() { seconds=$((seconds + 1)); }
uptime_seconds() { echo "$seconds"; }
ip() { :; }
api() { case "$1 ${asked_from:+outside}" in
    "direct ") started=$direct_says ;; *) started=100; [ ! -e "$STATE/../works" ] || started=200 ;; esac
    echo "process_start_time_seconds $started"; }
direct_says=${direct_says-100}
mkdir -p "$STATE"; : >"$STATE/../rule"; : >"$STATE/../works"
printf 'redirect=iptables\nthrough=https://10.0.0.1:6443\nendpoint=direct\n' >"$STATE/journal"
withdraw_redirect && echo gone || echo "$problem"
[ -z "${asked_from:-}" ] || echo "and asks from elsewhere"
"""


@pytest.mark.parametrize(
    ("listing", "removal", "from_try", "said"),
    [
        pytest.param(LISTS, REMOVES, 1, "gone\n", id="at once"),
        pytest.param(LISTS, REMOVES, 4, "gone\n", id="at the fourth try"),
        pytest.param(LISTS, "exit 4", 1, "the redirect KUBERNETES-AUDIT cannot be", id="never"),
        pytest.param("exit 4", "exit 4", 1, "the redirect KUBERNETES-AUDIT cannot be", id="and does not say"),
        pytest.param("exit 4", REMOVES, 1, "the redirect KUBERNETES-AUDIT cannot be", id="gone, and does not say"),
        pytest.param(":", ":", 1, "the redirect KUBERNETES-AUDIT cannot be", id="and says that it is gone"),
        pytest.param(LISTS, "rm -f rule", 1, "the redirect KUBERNETES-AUDIT cannot be", id="gone, and still works"),
    ],
)
def test_a_redirect_is_taken_away_until_it_is_gone_whatever_iptables_says(
    tmp_path: Path, listing: str, removal: str, from_try: int, said: str
) -> None:
    """Rules are looked for, and who answers from outside is asked: it must be the API server that answers inside."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/iptables"
    shim.write_text(IPTABLES.format(listing=listing, removal=removal, from_try=from_try))
    shim.chmod(0o755)
    found = run(tmp_path, WITHDRAWING).stdout
    assert found.startswith(said)
    assert "elsewhere" not in found


def test_an_api_server_that_runs_and_does_not_say_when_it_started_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/iptables"
    shim.write_text(IPTABLES.format(listing=":", removal=":", from_try=1))
    shim.chmod(0o755)
    for runs, said in (("7", "the redirect KUBERNETES-AUDIT cannot be"), ("", "gone\n")):
        script = f"apiserver_pids() {{ echo {runs}; }}\ndirect_says=\n{WITHDRAWING}"
        assert run(tmp_path, script).stdout.startswith(said)


def test_the_fence_of_nft_is_not_taken_for_the_redirect(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/nft"
    for tables, found in (("inet KUBERNETES-AUDIT-CANARY", ""), ("ip6 KUBERNETES-AUDIT", "redirected\n")):
        shim.write_text(f"#!/bin/sh\necho 'table {tables}'\n")
        shim.chmod(0o755)
        assert run(tmp_path, "is_redirected && echo redirected").stdout == found


@pytest.mark.parametrize("compressed", [False, True])
def test_a_marker_is_found_in_the_file_that_was_just_rotated_whatever_the_clock_says(
    tmp_path: Path, compressed: bool
) -> None:
    log = tmp_path / "audit.log"
    log.write_text("the-marker\n")
    (tmp_path / "audit-2026-01-02T00-00-00.000.log").write_text("before the clock was set back\n")
    rotated = f"{tmp_path}/audit-2026-01-01T00-00-00.000.log"
    made = (
        f"make_marker() {{ marker_name=the-marker; mv {log} {rotated}; echo later >{log};"
        f" {f'gzip {rotated};' if compressed else ''} }}\nsleep() {{ :; }}\n"
    )
    said = run(tmp_path, f"{made}marker_arrives endpoint {log}").stdout
    assert said == f"marker: recorded in {rotated}{'.gz' if compressed else ''}\n"


def test_backups_are_kept_by_their_number_though_the_clock_is_behind(tmp_path: Path) -> None:
    for number in range(1, 25):
        folder = tmp_path / "archive" / f"20990101T0000{number:02}Z"
        folder.mkdir(parents=True)
        (folder / "sequence").write_text(f"{number}\n")
    (tmp_path / "manifest").write_text("the manifest")
    said = run(
        tmp_path,
        'mkdir -p $STATE/staged; echo me >$STATE/owner\nread_texts=$(hash_of "$MANIFEST"); back_up',
    ).stdout
    made = Path(said.split()[-1])
    assert (made / "sequence").read_text() == "25\n"
    kept = sorted(int((folder / "sequence").read_text()) for folder in (tmp_path / "archive").iterdir())
    assert kept == list(range(6, 26))


def test_static_pods_and_programs_that_reach_the_api_over_loopback_are_named(tmp_path: Path) -> None:
    """Of a pod its file's name; of a program its own, where a file that is named to it says so."""
    for name, text in {
        "manifest": "- --secure-port=6443 127.0.0.1:6443",
        "haproxy-pod.yaml": "server cp1 127.0.0.1:6443 check",
        "kube-vip.yaml": 'spec:\n  hostAliases:\n  - hostnames: [kubernetes]\n    ip: "127.0.0.1"',
        "etcd.yaml": "- --listen-metrics-urls=http://127.0.0.1:2381 # 127.0.0.1:64430",
        "proxy.yaml": "server cp1 10.0.0.1:6443 check",
        "haproxy.cfg": "server cp1 localhost:6443\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "haproxy.cfg").rename(tmp_path / "state.cfg")
    script = (
        f"tr() {{ printf 'haproxy\\n-f\\n{tmp_path}/state.cfg\\n'; }}\n"
        "told_by_arguments() { :; }\nconnected_on_loopback() { :; }\n"
        f"mkdir -p $STATE $MANIFESTS/m; mv {tmp_path}/*.yaml $MANIFESTS/m; MANIFESTS=$MANIFESTS/m\n"
        'processes_named() { [ "$1" != haproxy ] || echo self; }\nloopback_clients 6443'
    )
    assert run(tmp_path, script).stdout.split() == ["haproxy", "haproxy-pod", "kube-vip"]


def test_whoever_is_connected_over_loopback_is_named_and_the_api_server_itself_is_not(tmp_path: Path) -> None:
    line = "0: 0100007F:9999 {to}:{port:04X} {state} 0:0 0:0 0 0 0 {inode} 1"
    connections = [
        line.format(to="0100007F", port=6443, state="01", inode=11),
        line.format(to="00000000000000000000000001000000", port=6443, state="01", inode=12),
        line.format(to="0000000000000000FFFF00000100007F", port=6443, state="01", inode=13),
        line.format(to="0100007F", port=6443, state="06", inode=14),
        line.format(to="0100007F", port=2379, state="01", inode=15),
        line.format(to="0100000A", port=6443, state="01", inode=16),
    ]
    (tmp_path / "tcp").write_text("".join(f"{each}\n" for each in connections))
    # The API server is process 7. Every other process has the rest of the sockets, and is this shell.
    script = f"""
all_apiserver_pids() {{ echo 7; }}
awk() {{ case $* in *to_loopback*) command awk "$1" "$2" "$3" {tmp_path}/tcp ;; *) command awk "$@" ;; esac; }}
ls() {{
    if [ "$2" = /proc/7/fd ]; then echo 'socket:[12]'; return; fi
    for inode in 11 12 13 14 15 16; do echo "/proc/$$/fd:"; echo "lrwx 3 -> socket:[$inode]"; done
}}
connected_on_loopback 6443
"""
    assert run(tmp_path, script).stdout.split() == ["sh", "sh"]
