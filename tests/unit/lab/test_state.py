"""Planning a lab, and writing the plan down before anything is made."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError
from lab.state import LabState, Member, load, plan, save

NETWORKS = st.lists(
    st.builds(
        lambda third, prefix: str(ipaddress.ip_network(f"10.197.{third}.0/{prefix}", strict=False)),
        st.integers(0, 255),
        st.integers(20, 32),
    ),
    max_size=6,
)


def planned(root: str = "/lab", count: int = 1, networks: tuple[str, ...] = ()) -> LabState:
    return plan(
        Path(root),
        kubernetes="1.36",
        version="v1.36.3",
        count=count,
        networks=networks,
        sysctls={"kernel/panic": "0"},
    )


def members(state: LabState) -> list[Member]:
    return [*state.nodes, *([state.balancer] if state.balancer else [])]


def test_a_state_reads_back_as_written(tmp_path: Path) -> None:
    state = planned(count=3)
    state = state.with_node(replace(state.nodes[1], host_key="ssh-ed25519 AAAA", initialised=True))
    save(tmp_path / "state.json", state)
    assert load(tmp_path / "state.json") == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_lab(tmp_path: Path) -> None:
    assert load(tmp_path / "state.json") is None


@pytest.mark.parametrize("text", ['{"format": 2}', "{", '{"format": 1, "nodes": [], "extra": 1}', '{"format": 1}'])
def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(LabError, match=r"state\.json"):
        load(tmp_path / "state.json")


@given(NETWORKS)
def test_the_subnet_is_free_and_holds_every_address(networks: list[str]) -> None:
    state = planned(count=3, networks=tuple(networks))
    subnet = ipaddress.ip_network(state.subnet)
    assert not any(subnet.overlaps(ipaddress.ip_network(network)) for network in networks)
    assert state.balancer is not None
    addresses = [state.bridge_address, state.balancer.address, *(node.address for node in state.nodes)]
    assert len(set(addresses)) == 5
    assert all(ipaddress.ip_address(address) in subnet for address in addresses)


def test_a_default_route_does_not_count_as_a_network_in_use() -> None:
    assert planned(networks=("0.0.0.0/0",)).subnet == "10.197.0.0/24"


def test_no_free_subnet_is_an_error() -> None:
    with pytest.raises(LabError, match=r"10\.197\.0\.0/16 is in use"):
        planned(networks=("10.0.0.0/8",))


def test_two_labs_share_no_name_and_link_names_fit_the_kernel() -> None:
    one, other = planned("/one", count=3), planned("/other", count=3)
    names = [
        name
        for state in (one, other)
        for name in (state.bridge, *(each.link for each in members(state)), *(each.cgroup for each in members(state)))
    ]
    assert len(set(names)) == len(names)
    links = [name for name in names if not name.startswith("/")]
    assert max(len(link) for link in links) <= 15


def test_the_endpoint_of_one_node_is_its_own_and_of_several_a_load_balancer() -> None:
    alone, several = planned(), planned(count=2)
    assert alone.balancer is None
    assert alone.endpoint == f"https://{alone.nodes[0].address}:6443"
    assert several.balancer is not None
    assert several.endpoint == f"https://{several.balancer.address}:6443"


def test_another_node_is_as_if_it_had_been_planned_from_the_start() -> None:
    assert planned(count=2).with_another_node() == planned(count=3)
    with pytest.raises(LabError, match="no load balancer that another could join"):
        planned().with_another_node()
    with pytest.raises(LabError, match="as many as it can have"):
        planned(count=9).with_another_node()


@pytest.mark.parametrize("count", [0, 10])
def test_a_count_of_nodes_that_cannot_be_made_is_refused_with_the_range(count: int) -> None:
    with pytest.raises(LabError, match=f"--nodes {count}: from 1 to 9"):
        planned(count=count)


def test_an_unknown_node_is_answered_with_those_there_are() -> None:
    with pytest.raises(LabError, match="no node 'cp9'; there is cp1, cp2, cp3"):
        planned(count=3).node("cp9")
