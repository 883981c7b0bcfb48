"""What a node makes of the answers of API servers, etcd and nodes, and how long it waits for an ill cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.changed_node import Node
from tests.unit.node.shell import run

URL = "https://10.0.0.1:6443"
NOT_READY = (
    "[+]ping ok\n[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\nreadyz check failed"
)
KUBECTL_NOT_READY = f'Error from server (InternalError): an error on the server ("{NOT_READY}") has prevented'
REFUSED = "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?"


def tool(folder: Path, name: str, answer: str, status: int = 0) -> None:
    """Puts a program of that name on the node, which prints the answer whatever it is asked."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "answers").mkdir(exist_ok=True)
    (folder / "answers" / name).write_text(answer)
    (folder / "bin" / name).write_text(f"#!/bin/sh\ncat {folder}/answers/{name}; exit {status}\n")
    (folder / "bin" / name).chmod(0o700)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("ok\n200", f"ok api {URL}"),
        (
            f"{NOT_READY}\n500",
            f"bad api {URL} the API server at {URL} is not ready: these checks of its own fail: etcd, etcd-readiness",
        ),
        ("\n503", f"bad api {URL} the API server at {URL} is not ready: it answers with status 503"),
        ("\n000", f"bad api {URL} the API server at {URL} does not answer"),
        (
            "too many\n429",
            f"unknown api {URL} whether the API server at {URL} is ready is not known: it answers with status 429",
        ),
    ],
)
def test_an_api_server_is_asked_without_credentials(tmp_path: Path, answer: str, line: str) -> None:
    tool(tmp_path, "curl", answer)
    tool(tmp_path, "kubectl", "nobody asks me", 1)
    assert run(tmp_path, f"look_at_api {URL}").stdout == f"{line}\n"


@pytest.mark.parametrize("code", ["401", "403"])
@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        ("[+]ping ok", 0, f"ok api {URL}"),
        (
            KUBECTL_NOT_READY,
            1,
            f"bad api {URL} the API server at {URL} is not ready: these checks of its own fail: etcd, etcd-readiness",
        ),
        (REFUSED, 1, f"bad api {URL} the API server at {URL} does not answer"),
        (
            "error: You must be logged in to the server (Unauthorized)",
            1,
            f"unknown api {URL} whether the API server at {URL} is ready is not known: it does not tell this node",
        ),
        (
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate has expired",
            1,
            f"unknown api {URL} whether the API server at {URL} is ready is not known: it does not tell this node",
        ),
    ],
)
def test_one_that_tells_strangers_nothing_is_asked_by_the_administrator(
    tmp_path: Path, code: str, answer: str, status: int, line: str
) -> None:
    tool(tmp_path, "curl", f"forbidden\n{code}")
    tool(tmp_path, "kubectl", answer, status)
    assert run(tmp_path, f"look_at_api {URL}").stdout == f"{line}\n"


ETCD = "http://127.0.0.1:2381"
ETCD_MANIFEST = "spec:\n  containers:\n  - command:\n    - etcd\n    - --listen-metrics-urls={}\n"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ('{"health":"true","reason":""}\n200', f"ok etcd {ETCD}"),
        (
            '{"health":"false","reason":"ALARM NOSPACE"}\n503',
            f"bad etcd {ETCD} etcd of this node is not healthy: ALARM NOSPACE",
        ),
        (
            '{"health":"false","reason":"RAFT NO LEADER"}\n503',
            f"bad etcd {ETCD} etcd of this node is not healthy: RAFT NO LEADER",
        ),
        ('{"health":"false"}\n503', f"bad etcd {ETCD} etcd of this node is not healthy: it gives no reason"),
        ("\n000", f"bad etcd {ETCD} etcd of this node does not answer at {ETCD}"),
        (
            "404 page not found\n404",
            f"unknown etcd {ETCD} whether etcd of this node is healthy is not known: {ETCD}/health answers with "
            "status 404",
        ),
    ],
)
@pytest.mark.parametrize("urls", [ETCD, f"https://10.0.0.1:2381,{ETCD}"])
def test_etcd_tells_of_itself_where_kubelet_asks_it(tmp_path: Path, urls: str, answer: str, line: str) -> None:
    (tmp_path / "etcd.yaml").write_text(ETCD_MANIFEST.format(urls))
    tool(tmp_path, "curl", answer)
    assert run(tmp_path, "look_at_etcd").stdout == f"{line}\n"


def test_of_an_etcd_elsewhere_nothing_is_said_and_of_one_that_needs_a_certificate_that_it_is_not_known(
    tmp_path: Path,
) -> None:
    tool(tmp_path, "curl", "\n000")
    assert run(tmp_path, "look_at_etcd").stdout == ""
    (tmp_path / "etcd.yaml").write_text(ETCD_MANIFEST.format("https://10.0.0.1:2381"))
    assert run(tmp_path, "look_at_etcd").stdout.startswith("unknown etcd - whether etcd of this node is healthy is not")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("cp1 True KubeletReady", "ok node cp1"),
        ("cp1 False KubeletNotReady", "bad node cp1 the node cp1 is not Ready: KubeletNotReady"),
        ("cp1 Unknown NodeStatusUnknown", "bad node cp1 the node cp1 is not Ready: NodeStatusUnknown"),
        ("cp1  ", "unknown node cp1 whether the node cp1 is Ready is not known"),
    ],
)
def test_a_node_is_ready_or_not_or_says_neither(tmp_path: Path, told: str, line: str) -> None:
    assert run(tmp_path, "look_at_nodes", f"{told}\n").stdout == f"{line}\n"


CLUSTER = """
apiserver_pids() { echo 11; }
own_api() { echo https://10.0.0.1:6443; }
look_at_api() { echo "ok api $1"; }
look_at_etcd() { echo "ok etcd -"; }
at_endpoint() {
    case $* in
        *nodes*) printf 'cp1 True A\\ncp2 True A\\ncp3 Unknown B\\n' ;;
        *pods*) printf 'kube-apiserver-%s\\n' 'cp1 cp1 10.0.0.1:6443' 'cp2 cp2 10.0.0.2:6443' 'cp3 cp3 10.0.0.3:6443' \\
            'canary-cp2 cp2 10.0.0.2:6443' 'cp4 cp4 ' ;;
    esac
}
"""


def test_every_other_api_server_is_asked_once_at_its_own_address(tmp_path: Path) -> None:
    assert run(tmp_path, f"{CLUSTER}look_at_cluster a=b").stdout.splitlines() == [
        "ok api https://10.0.0.1:6443",
        "ok etcd -",
        "ok node cp1",
        "ok node cp2",
        "bad node cp3 the node cp3 is not Ready: B",
        "ok api https://10.0.0.2:6443",
        "ok api https://10.0.0.3:6443",
    ]


def test_a_node_that_is_gone_is_not_looked_for_and_one_without_api_server_may_get_its_own_back(tmp_path: Path) -> None:
    down = "apiserver_pids() { :; }\nnode_name() { echo cp1; }\n"
    assert run(tmp_path, f"{CLUSTER}{down}look_at_cluster without=cp9,cp3").stdout.splitlines() == [
        "ok etcd -",
        "ok node cp2",
        "ok api https://10.0.0.2:6443",
    ]


def test_an_endpoint_that_does_not_answer_ends_the_look(tmp_path: Path) -> None:
    silent = f"at_endpoint() {{ echo '{REFUSED}'; return 1; }}\n"
    assert run(tmp_path, f"{CLUSTER}{silent}look_at_cluster").stdout.splitlines()[-1] == (
        f"bad endpoint - the cluster's endpoint cannot be asked ({REFUSED})"
    )


@pytest.mark.parametrize(
    ("told", "api_server", "waits"),
    [
        (["True 55", "True 57", "Unknown 59", "True 1"], 300, 3),
        (["True 9"], 300, 0),
        (["True 9"], None, 0),
        (["True 9", "True 11", "True 13", "True 2"], 5, 3),
        (["True 300"] * 60, 300, 45),
        (["refused 0"] * 9, 300, 4),
        (["refused 0", "refused 0", "True 50", "True 1"], 300, 3),
        (["Forbidden 0"], 300, 0),
    ],
    ids=[
        "soon",
        "at once",
        "no API server",
        "not since it started",
        "never",
        "not known",
        "soon asked in vain",
        "not told",
    ],
)
def test_a_change_ends_when_its_own_node_is_heard_of_again_or_after_a_while(
    tmp_path: Path, told: list[str], api_server: int | None, waits: int
) -> None:
    """Each is the node's readiness and the seconds since kubelet told of it: it is seen as Unknown only later.

    The API server has run for so many seconds.
    """
    (tmp_path / "told").write_text("".join(f"{each}\n" for each in told))
    script = """
    seconds=0 waits=0
    sleep() { seconds=$((seconds + $1)) waits=$((waits + 1)); sed -i 1d told; }
    uptime_seconds() { echo "$seconds"; }
    node_name() { echo cp1; }
    at_endpoint() {
        read -r ready age <told
        case $* in
            *lease*) date -u -d "@$(($(date +%s) - age))" +%Y-%m-%dT%H:%M:%S.123456Z ;;
            *) case $ready in refused | Forbidden) echo "$ready" ;; *) echo "cp1 $ready Reason" ;; esac ;;
        esac
    }
    await_ready_node; echo "$waits"
    """
    runs = f"started() {{ echo $(($(date +%s) - {api_server} - seconds)); }}\napiserver_pids() {{ echo 11; }}\n"
    process = "apiserver_pids() { :; }\n" if api_server is None else runs
    assert run(tmp_path, f"cd {tmp_path}\n{process}{script}").stdout == f"{waits}\n"


def test_a_change_of_a_cluster_that_stays_ill_is_not_begun(node: Node) -> None:
    node.says("cluster", "ok node cp1\nbad node cp2 the node cp2 is not Ready: A\nbad etcd - etcd hangs\n")
    said = node.run(f"transaction enable {node.as_read} {REST} later=cp2,cp3 earlier=cp0 2>&1")
    assert said == (
        "error: the cluster is not healthy: the node cp2 is not Ready: A; etcd hangs; nothing was changed on this "
        "node, nor on cp2,cp3, which would come after it. Done, unless left out by --target: cp0\n"
    )
    assert node.entries() == {}
    assert node.manifest.read_text() == "old manifest"


def test_it_is_waited_for_by_a_clock_that_nobody_sets(node: Node) -> None:
    node.says("cluster", "bad node cp2 the node cp2 is not Ready: A\n")
    node.says("new-runs")
    node.says("healthy")
    well = (
        'sleep() { [ "$1" != 2 ] || echo "unknown etcd - etcd is not known" >"$STATE/cluster"; }; date() { echo 0; }\n'
    )
    said = node.run(f"{well}transaction enable {node.as_read} {REST.replace('timeout=0', 'timeout=9')} 2>&1")
    assert "waiting: the cluster is not healthy: the node cp2 is not Ready: A\n" in said
    assert "cluster: etcd is not known\n" in said
    assert "manifest: running and healthy" in said


@pytest.mark.parametrize("at", ["swap", "put-back"])
def test_a_change_that_was_cut_off_is_finished_whatever_the_cluster_is_like(node: Node, at: str) -> None:
    node.says("cluster", "bad node cp2 the node cp2 is not Ready: A\n")
    node.says("new-runs")
    node.says("healthy")
    node.write_journal(at)
    assert "manifest: running and healthy" in node.enable(5)


REST = (
    "policy=$STATE/../policy policy-desired=$(hash_of $STATE/staged/audit-policy.yaml) arguments=a arguments-before=b "
    "endpoint=e timeout=0 log=/nowhere marker=no owner=stack"
)
