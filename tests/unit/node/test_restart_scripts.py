"""Parts of the restart that need no API server: what is measured, told, redirected and checked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from auditlog.nodes.change_result import ChangeResult, parse_result
from tests.unit.node.shell import run


@pytest.mark.parametrize(
    ("probes", "seconds"),
    [
        ("1.0 ok\n2.0 ok\n", "0.0"),
        ("1.0 ok\n2.0 none\n3.5 none\n6.2 ok\n7.0 ok\n", "4.2"),
        ("1.0 none\n2.0 ok\n3.0 none\n3.5 ok\n", "1.5"),
        ("1.0 ok\n2.0 none\n6.0 none\n", "4.0"),
        ("", "0.0"),
    ],
)
def test_an_outage_lasts_from_the_first_silence_to_the_next_answer(tmp_path: Path, probes: str, seconds: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/probes").write_text(probes)
    assert run(tmp_path, "outage_seconds").stdout == f"{seconds}\n"


def test_the_result_is_one_line_that_the_operators_side_reads(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/probes").write_text("1.0 none\n3.5 ok\n")
    printed = run(tmp_path, "mode=quick backup=/b evidence='m in /log' rehearsed=true; say_result").stdout
    assert parse_result(printed) == ChangeResult("quick", 2.5, True, "/b", "m in /log")
    bare = run(tmp_path, "mode=drain backup=/b; say_result").stdout
    assert parse_result(bare) == ChangeResult("drain", 0.0, False, "/b", "")


def event(audit_id: str, stage: str, verb: str = "create", at: str = "2026-01-01T00:00:00.5Z") -> str:
    return json.dumps(
        {
            "kind": "Event",
            "auditID": audit_id,
            "stage": stage,
            "requestURI": "/api/v1/namespaces/default/configmaps",
            "verb": verb,
            "user": {"username": "alice"},
            "requestReceivedTimestamp": at,
        },
        separators=(",", ":"),
    )


def test_writes_that_were_cut_off_are_named_and_nothing_else_is(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    lines = [
        event("done", "RequestReceived"),
        event("cut", "RequestReceived"),
        event("read", "RequestReceived", verb="get"),
        event("later", "RequestReceived", at="2026-01-01T00:00:09Z"),
        event("done", "ResponseComplete"),
    ]
    log.write_text("".join(f"{line}\n" for line in lines))
    printed = run(tmp_path, f"killed_at=2026-01-01T00:00:01; say_cut_off_writes {log}").stdout
    assert printed.splitlines() == [
        "cut off: create /api/v1/namespaces/default/configmaps by alice, audit id cut",
        "cut off: 1 writes in all",
    ]
    assert run(tmp_path, f"say_cut_off_writes {log}").stdout == "", "nothing was killed"


# Answers like iptables or nft for one chain or table, and keeps every rule that it was told.
IPTABLES = 'case "$*" in *" -D "*) exit 1 ;; esac; echo "${0##*/} $*" >>"${0%/*}/../rules"\n'
KUBECTL = 'case "$*" in *clusterIP*) printf %s "$SERVICE" ;; esac\n'


def redirected(folder: Path, *tools: str, address: str = "10.0.0.1", service: str = "10.96.0.1") -> list[str]:
    """The rules that a redirect makes on a node that has only these ``tools``."""
    (folder / "bin").mkdir()
    for name, script in (*((tool, IPTABLES) for tool in tools), ("kubectl", KUBECTL)):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}")
        (folder / "bin" / name).chmod(0o700)
    only = 'command() { if [ "$1" = -v ]; then [ -x "$bin/$2" ]; else "$@"; fi; }\n'
    script = f"{only}bin={folder}/bin endpoint=https://127.0.0.1:6443; export SERVICE={service}\n"
    run(folder, f"{script}redirect {address} 6443 16443 || echo failed >>{folder}/rules")
    return (folder / "rules").read_text().splitlines()


def test_iptables_sends_new_connections_to_this_node_and_to_the_service_to_the_canary(tmp_path: Path) -> None:
    rules = redirected(tmp_path, "iptables", "ip6tables")
    assert [rule for rule in rules if rule.startswith("iptables ")] == [
        "iptables -w 5 -t nat -N KUBERNETES-AUDIT",
        "iptables -w 5 -t nat -A KUBERNETES-AUDIT -p tcp -d 10.96.0.1 --dport 443 "
        "-j DNAT --to-destination 10.0.0.1:16443",
        "iptables -w 5 -t nat -A KUBERNETES-AUDIT -p tcp ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL --dport 6443 "
        "-j DNAT --to-destination 10.0.0.1:16443",
        "iptables -w 5 -t nat -I PREROUTING -j KUBERNETES-AUDIT",
        "iptables -w 5 -t nat -I OUTPUT -j KUBERNETES-AUDIT",
    ]
    assert any("ip6tables" in rule and "! -d ::1/128" in rule and "REDIRECT --to-ports 16443" in rule for rule in rules)


def test_the_address_of_the_node_decides_which_kind_of_ip_is_a_must(tmp_path: Path) -> None:
    rules = redirected(tmp_path, "iptables", "ip6tables", address="fd00::1", service="10.96.0.1")
    assert any(rule.startswith("ip6tables") and "--to-destination [fd00::1]:16443" in rule for rule in rules)
    assert not any("10.96.0.1" in rule for rule in rules), "a service of the other kind of IP is not this node's"


# Words that nft takes for no name, of the statements that a nat table may have (nftables, src/scanner.l).
NFT_WORDS = {
    "redirect",
    "dnat",
    "snat",
    "masquerade",
    "accept",
    "drop",
    "reject",
    "jump",
    "goto",
    "return",
    "queue",
    "log",
}


def test_nft_gets_rules_that_it_can_read(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    nft = tmp_path / "bin/nft"
    nft.write_text(f'#!/bin/sh\n[ "$1" != -f ] || cat >>{tmp_path}/rules\n')
    nft.chmod(0o755)
    only = 'command() { if [ "$1" = -v ]; then [ "$2" = nft ]; else "$@"; fi; }\n'
    run(tmp_path, f"{only}endpoint=https://127.0.0.1:6443\napi() {{ echo 10.96.0.1; }}\nredirect 10.0.0.1 6443 16443")
    rules = (tmp_path / "rules").read_text()
    chains = re.findall(r"chain (\S+) \{", rules)
    assert len(chains) == 6
    assert NFT_WORDS.isdisjoint(chains)
    assert set(re.findall(r"jump (\S+);", rules)) <= set(chains)
    assert "ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 6443 dnat to 10.0.0.1:16443" in rules
    assert "ip6 daddr != ::1 fib daddr type local tcp dport 6443 redirect to :16443" in rules


def test_a_node_without_either_tool_has_no_redirect(tmp_path: Path) -> None:
    assert redirected(tmp_path) == ["failed"]


def test_a_port_that_is_listened_on_is_not_taken(tmp_path: Path) -> None:
    script = f"cat() {{ echo '0: 0100007F:{16443:04X} 00000000:0000 0A'; }}\n"
    script += "is_listened_on 16443 && echo taken; is_listened_on 16444 || echo free"
    assert run(tmp_path, script).stdout == "taken\nfree\n"


@pytest.mark.parametrize(
    ("before", "after", "status", "said"),
    [
        ("5 0", "9 0", 0, "apiserver_audit_event_total rises"),
        ("5 0", "9 1", 1, ""),
        ("5 2", "5 2", 0, "has counted no event meanwhile"),
        ("", "", 0, "metrics cannot be read"),
    ],
)
def test_where_no_marker_can_be_found_the_metrics_tell(
    tmp_path: Path, before: str, after: str, status: int, said: str
) -> None:
    script = (
        f"cd {tmp_path}; audit_metrics() {{ if [ -e asked ]; then echo {after}; else echo {before}; : >asked; fi; }}\n"
        "make_marker() { :; }; sleep() { :; }\nno_audit_errors e || { echo $problem; exit 1; }"
    )
    result = run(tmp_path, script)
    assert result.returncode == status
    assert said in result.stdout
    if status:
        assert "apiserver_audit_error_total rises" in result.stdout


def test_a_marker_of_an_api_server_that_writes_to_standard_output_is_found_in_its_containers_log(
    tmp_path: Path,
) -> None:
    log = tmp_path / "0.log"
    script = (
        f"newest_log() {{ echo {log}; }}\nsleep() {{ :; }}\n"
        f"make_marker() {{ marker_name=m1; echo '2026 stdout F {{m1}}' >>{log}; }}\n"
        'marker_arrives e - && echo "$evidence"'
    )
    assert run(tmp_path, script).stdout.splitlines()[-1] == f"m1 in {log}"


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    script = f"head() {{ return 1; }}; has_room {tmp_path}/full/deeper || echo $problem"
    assert (
        run(tmp_path, script).stdout
        == f"{tmp_path}/full/deeper cannot be written: the file system is full or read-only\n"
    )
    assert list((tmp_path / "full").iterdir()) == []


def test_a_canary_that_kubelet_would_start_again_is_left_to_the_next_run(tmp_path: Path) -> None:
    canary = tmp_path / "kube-apiserver-canary.yaml"
    canary.mkdir()  # as little to be removed by rm -f as a file on a file system that turned read-only
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal").write_text("canary-port=16443\n")
    result = run(tmp_path, "is_redirected() { return 1; }\nkill() { echo killed; }\ndismiss_canary 0")
    assert result.stdout == f"canary: stays for the next run to end, because {canary} cannot be removed\n"
    assert (tmp_path / "state/journal").read_text() == "canary-port=16443\n"


@pytest.mark.parametrize(
    ("mode", "tools", "said"),
    [
        ("drain", "", "possible"),
        ("seamless", "", "the canary's port cannot be closed to others (neither iptables nor nft)"),
        ("seamless", "iptables", "the canary's port cannot be closed to others (iptables)"),
        ("seamless", "iptables ip6tables", "possible"),
    ],
)
def test_a_canary_that_others_may_reach_is_closed_to_them_or_there_is_none(
    tmp_path: Path, mode: str, tools: str, said: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "state").mkdir()
    for tool in tools.split():
        (tmp_path / "bin" / tool).write_text(f"#!/bin/sh\n{IPTABLES}")
        (tmp_path / "bin" / tool).chmod(0o755)
    script = (
        f"mode={mode} canary=1 endpoint=https://127.0.0.1:6443 bin={tmp_path}/bin; has_ip6() {{ :; }}\n"
        'command() { if [ "$1" = -v ]; then [ -x "$bin/$2" ]; else "$@"; fi; }\n'
        "available_kilobytes() { echo 9999999; }\nis_listened_on() { return 1; }\n"
        'canary_is_possible && echo possible || echo "$problem"'
    )
    assert run(tmp_path, script).stdout == f"{said}\n"
