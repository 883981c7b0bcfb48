"""What of a host's firewall stands in the way of a seamless restart, and who reaches the canary."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.node.shell import run

KUBE = """\
-P INPUT ACCEPT
-P FORWARD DROP
-N KUBE-FIREWALL
-N KUBE-NODEPORTS
-N cali-INPUT
-A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -j DROP
-A cali-INPUT -p ipv4 -m comment --comment "Drop IPIP packets" -j DROP
-A FORWARD -p tcp -m tcp --dport 6443 -j DROP
"""
NAT = """\
-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-N KUBE-SERVICES
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:6443
"""
UFW = """\
-P INPUT DROP
-N ufw-before-input
-A INPUT -j ufw-before-input
-A ufw-before-input -p tcp -m tcp --dport 6443 -j ACCEPT
"""
FIREWALLD = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		tcp dport 6443 drop
	}
}
table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		iifname "lo" accept
		ct state invalid drop
		jump filter_INPUT_POLICIES
		reject with icmpx admin-prohibited
	}
}
"""
OTHERS = """\
table ip kube-proxy {
	chain filter-input {
		type filter hook input priority -110; policy accept;
		ct state new drop
	}
}
table inet host {
	chain input {
		type filter hook input priority 0; policy accept;
		ct state invalid drop
		tcp dport 22 drop
	}
	chain other { drop
	}
}
"""


def about(folder: Path, rules: str, *chains: str) -> str:
    return run(folder, f"rules_about 6443 {' '.join(chains or ('INPUT',))}", rules).stdout.strip()


def test_what_kube_proxy_and_a_network_plugin_make_is_no_obstacle(tmp_path: Path) -> None:
    assert about(tmp_path, KUBE) == ""
    assert about(tmp_path, NAT, "PREROUTING", "OUTPUT") == ""


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (UFW, "-P INPUT DROP"),
        ("-P INPUT ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 6443 -j ACCEPT\n", "--dport 6443 -j ACCEPT"),
        ("-A INPUT -p tcp -m multiport --dports 22,6000:7000 -j DROP\n", "--dports 22,6000:7000"),
        ("-A INPUT -i eth1 -j DROP\n", "-A INPUT -i eth1 -j DROP"),
        ("-A INPUT -j mine\n-A mine -j REJECT --reject-with icmp-port-unreachable\n", "-A mine -j REJECT"),
        ("-A INPUT -g mine\n-A mine -p tcp -j DROP\n", "-A mine -p tcp -j DROP"),
        ("-A INPUT -p tcp -m tcp --dport 22 -j DROP\n", ""),
        ("-A INPUT -p tcp -m multiport --dports 22,80:443 -j DROP\n", ""),
        ("-A INPUT -p udp -j DROP\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n", ""),
        ("-A INPUT -j loop\n-A loop -j INPUT\n-A loop -j loop\n", ""),
        ("-A mine -j DROP\n", ""),
    ],
)
def test_a_rule_that_may_concern_the_port_is_named(tmp_path: Path, rules: str, found: str) -> None:
    said = about(tmp_path, rules)
    assert found in said
    assert bool(found) is bool(said)


def test_a_redirect_made_by_others_is_named(tmp_path: Path) -> None:
    rules = NAT + "-A PREROUTING -p tcp -m tcp --dport 6443 -j REDIRECT --to-ports 8443\n"
    assert "--to-ports 8443" in about(tmp_path, rules, "PREROUTING", "OUTPUT")


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        (FIREWALLD, "inet firewalld filter_INPUT: reject with icmpx admin-prohibited"),
        (OTHERS, ""),
        (OTHERS.replace("tcp dport 22 drop", "tcp dport 6443 accept"), "inet host input: tcp dport 6443 accept"),
        (OTHERS.replace("tcp dport 22 drop", "ip saddr 10.0.0.0/8 drop"), "inet host input: ip saddr 10.0.0.0/8 drop"),
        (OTHERS.replace("priority 0; policy accept", "priority 0; policy drop"), "inet host input policy drop"),
    ],
)
def test_a_chain_of_nft_that_may_concern_the_port_is_named(tmp_path: Path, rules: str, found: str) -> None:
    assert " ".join(run(tmp_path, "nft_rules_about 6443", rules).stdout.split()) == found


def test_the_reason_names_tool_and_rule(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool, rules in (("iptables", UFW), ("ip6tables", ""), ("nft", "")):
        (tmp_path / "bin" / tool).write_text(f"#!/bin/sh\ncat <<'THE-END'\n{rules}THE-END\n")
        (tmp_path / "bin" / tool).chmod(0o755)
    assert run(tmp_path, "firewall_about 6443").stdout == (
        "the host's firewall has a rule that may concern the API's port (iptables -P INPUT DROP)\n"
    )
