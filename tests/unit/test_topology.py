"""Rules of topology: each problem when it must be said, and silence when it must not."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_interface, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.planning import Problem
from lvs.topology import capacity, reading
from lvs.topology.facts import Holder, Machine, Method, Route, Server, Situation, route_of
from lvs.topology.methods import mss_of, overhead
from lvs.topology.problems import FIELDS, topology_problems

ROUTE, TUNNEL, MASQ, FULLNAT = Method.ROUTE, Method.TUNNEL, Method.MASQ, Method.FULLNAT
ROUTES = (
    route_of("10.10.0.0/24", "", "pub0"),
    route_of("10.20.0.0/24", "", "int0"),
    route_of("10.30.0.0/24", "10.20.0.254", "int0"),
)
OWN = frozenset({"10.10.0.1", "10.20.0.1"})
CLIENTS = (ip_network("10.10.0.0/24"),)


def machine(*addresses: str, routes: tuple[Route, ...] | None = (), **settings: str) -> Machine:
    """A machine with all of its addresses on eth0, those of loopback written lo:ADDRESS."""
    held: dict[str, tuple[IPv4Interface | IPv6Interface, ...]] = {}
    for text in addresses:
        name, _, address = text.rpartition("@")
        held[name or "eth0"] = (*held.get(name or "eth0", ()), ip_interface(address))
    return Machine(
        "m", held, routes, {f"net.ipv4.conf.all.{key}": value for key, value in settings.items()},
        frozenset(held),
    )  # fmt: skip


LB1 = machine("pub0@10.10.0.1/24", "int0@10.20.0.1/24", routes=ROUTES)


def situation(*servers: Server, director: Machine = LB1, **values: Any) -> Situation:
    asked = {"own_addresses": OWN, "clients": CLIENTS} | values
    return Situation("10.10.0.50", 80, servers, director, **asked)


def server(address: str = "10.20.0.11", method: Method = MASQ, **values: object) -> Server:
    return Server(address, 80, method, **values)  # type: ignore[arg-type]


def codes(found: Iterator[Problem]) -> list[str]:
    """The codes, "!" where applying is refused, after checking that each is complete."""
    said = list(found)
    for problem in said:
        assert problem.code in FIELDS
        assert problem.subject
        for text in (problem.text(), problem.remedy_text()):
            assert "%" not in text
    return [f"{one.code.removeprefix('ipvs-')}{'!' * one.is_blocking}" for one in said]


def back(gateway: str) -> tuple[Route, ...]:
    return (route_of("10.20.0.0/24", "", "eth0"), route_of("0.0.0.0/0", gateway, "eth0"))


RS = machine("10.20.0.11/24", routes=back("10.20.0.1"), arp_ignore="1")
DR_RS = machine("10.20.0.11/24", "lo@10.10.0.50/32", arp_ignore="1")
TUN_RS = machine("10.20.0.11/24", "tunl0@10.10.0.50/32", rp_filter="0")
CASES = [
    pytest.param(server(), [], id="NAT in a network of the director"),
    pytest.param(server("10.10.0.7"), ["masq-one-network"], id="NAT among the clients"),
    pytest.param(server("10.30.0.13"), ["masq-behind-router"], id="NAT behind a router"),
    pytest.param(server("192.0.2.9"), ["server-unreachable!"], id="no route"),
    pytest.param(server("10.20.0.255"), ["server-is-broadcast!"], id="broadcast"),
    pytest.param(server("10.20.0.1", ROUTE), ["director-is-server"], id="itself"),
    pytest.param(server(machine=RS), [], id="NAT, seen with its way back"),
    pytest.param(
        server(machine=machine("10.20.0.11/24", routes=back("10.20.0.254"))),
        ["masq-return-route"],
        id="NAT, seen with another way back",
    ),
    pytest.param(
        server(machine=machine("10.20.0.11/24", routes=back("10.20.0.254")), is_prepared=True),
        [],
        id="NAT, the console sees to its way back",
    ),
    pytest.param(server(method=ROUTE), [], id="DR in a network of the director"),
    pytest.param(server("10.30.0.13", ROUTE), ["route-other-network!"], id="DR behind a router"),
    pytest.param(
        server("10.30.0.13", ROUTE, is_prepared=True), ["route-other-network!"],
        id="DR behind a router, which no preparation mends",
    ),
    pytest.param(server(method=ROUTE, machine=RS), ["route-vip-missing"], id="DR without VIP"),
    pytest.param(server(method=ROUTE, machine=DR_RS), [], id="DR, seen prepared"),
    pytest.param(
        server(method=ROUTE, machine=machine("10.20.0.11/24", "lo@10.10.0.50/32", arp_ignore="0")),
        ["route-steals-vip"],
        id="DR, answering ARP",
    ),
    pytest.param(server("10.30.0.13", TUNNEL), ["tunnel-mtu"], id="TUN by hand"),
    pytest.param(server("10.30.0.13", TUNNEL, is_prepared=True), [], id="TUN by the console"),
    pytest.param(
        server(method=TUNNEL, machine=RS), ["tunnel-device", "tunnel-vip-missing", "tunnel-mtu"],
        id="TUN, seen without anything",
    ),
    pytest.param(server(method=TUNNEL, machine=TUN_RS), ["tunnel-mtu"], id="TUN, seen prepared"),
    pytest.param(
        server(method=TUNNEL,
               machine=machine("10.20.0.11/24", "tunl0@10.10.0.50/32", rp_filter="1")),
        ["tunnel-rp-filter", "tunnel-mtu"],
        id="TUN, filtering",
    ),
    pytest.param(server("10.30.0.13", FULLNAT), ["fullnat-hides-client"], id="Full NAT"),
    pytest.param(
        server(method=FULLNAT, connections=40_000), ["fullnat-ports", "fullnat-hides-client"],
        id="Full NAT short of ports",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "expected"), CASES)
def test_what_is_said_of_a_real_server(one: Server, expected: list[str]) -> None:
    assert codes(topology_problems(situation(one))) == expected


def test_nothing_is_said_of_what_is_not_known() -> None:
    blank = Situation("10.10.0.50", 80, tuple(server(method=one) for one in (MASQ, ROUTE)))
    assert codes(topology_problems(blank)) == []


def test_without_routes_another_network_is_advice_only() -> None:
    addresses_only = machine("pub0@10.10.0.1/24", "int0@10.20.0.1/24", routes=None)
    found = topology_problems(situation(server("10.30.0.13", ROUTE), director=addresses_only))
    assert codes(found) == ["route-other-network"]
    of_other_family = situation(server("fd00::9", ROUTE), director=addresses_only)
    assert codes(topology_problems(of_other_family)) == []


def test_nat_warns_beyond_20_real_servers_and_not_at_20() -> None:
    many = [server(f"10.20.0.{number}") for number in range(2, 23)]
    assert codes(topology_problems(situation(*many[:20]))) == []
    assert codes(topology_problems(situation(*many))) == ["masq-many"]


def test_problems_of_many_real_servers_are_one_that_names_three() -> None:
    many = [server(f"10.30.0.{number}", ROUTE) for number in range(1, 9)]
    (problem,) = topology_problems(situation(*many))
    assert problem.subject == "10.30.0.1:80, 10.30.0.2:80, 10.30.0.3:80 + 5"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"is_vip_managed": False}, ["vip-absent"]),
        ({"is_vip_managed": False, "is_by_mark": True}, []),
        ({"holders": (Holder("rs1", "lo", True),)}, []),
        ({"holders": (Holder("lb2", "pub0", True),)}, ["vip-elsewhere!"]),
        ({"holders": (Holder("lb2", "pub0", False),)}, ["vip-elsewhere"]),
        ({"holders": (Holder("lb2", "pub0", True),), "is_vip_managed": False},
         ["vip-absent", "vip-elsewhere"]),
    ],
)  # fmt: skip
def test_the_vip_has_one_holder(values: dict[str, Any], expected: list[str]) -> None:
    assert codes(topology_problems(situation(server(), **values))) == expected


@pytest.mark.parametrize(
    ("name", "value", "is_persistent", "expected"),
    [
        ("expire_quiescent_template", "0", True, ["setting-quiescent-template"]),
        ("expire_quiescent_template", "0", False, []),
        ("expire_quiescent_template", "1", True, []),
        ("conn_reuse_mode", "0", False, ["setting-reuse-mode"]),
        ("drop_packet", "3", False, ["setting-drop-packet"]),
        ("drop_packet", "1", False, []),
    ],
)
def test_settings_of_the_kernel_that_contradict(
    name: str, value: str, is_persistent: bool, expected: list[str]
) -> None:
    director = Machine(LB1.name, LB1.addresses, LB1.routes, {f"net.ipv4.vs.{name}": value})
    found = topology_problems(situation(server(), director=director, is_persistent=is_persistent))
    assert codes(found) == expected


def test_ports_of_full_nat_grow_with_the_local_addresses() -> None:
    one = server(method=FULLNAT, connections=40_000)
    none, two = situation(one), situation(one, local_addresses=("10.20.0.61", "10.20.0.62"))
    other_family = situation(one, local_addresses=("fd00:20::61",))
    assert capacity.full_nat_capacity(none, one) == 64_511
    assert capacity.full_nat_capacity(two, one) == 129_022
    assert capacity.full_nat_capacity(other_family, one) == 64_511
    assert codes(topology_problems(two)) == ["fullnat-hides-client"]


@pytest.mark.parametrize(
    ("address", "wrapping", "vip", "taken", "mss"),
    [
        ("10.30.0.13", "ipip", "10.10.0.50", 20, 1440),
        ("10.30.0.13", "gre", "10.10.0.50", 24, 1436),
        ("10.30.0.13", "gue", "10.10.0.50", 32, 1428),
        ("fd00:30::13", "ipip", "fd00:10::50", 40, 1400),
        ("10.30.0.13", "ipip", "fd00:10::50", 20, 1420),
    ],
)
def test_what_a_tunnel_takes(address: str, wrapping: str, vip: str, taken: int, mss: int) -> None:
    one = server(address, TUNNEL, tunnel=wrapping)
    assert (overhead(vip, one), mss_of(vip, one)) == (taken, mss)


def test_the_longest_prefix_is_the_way() -> None:
    routes = (
        route_of("0.0.0.0/0", "10.0.0.1", "a"),
        route_of("10.20.0.0/16", "10.0.0.2", "b"),
        route_of("10.20.3.0/24", "", "c"),
        route_of("10.20.3.0/25", "x", "d", "100"),
    )
    found = Machine("m", {}, routes)
    ways = [found.way_to(one) for one in ("10.20.3.4", "10.20.4.4", "192.0.2.1", "fd00::1")]
    assert [way.device if way else "" for way in ways] == ["c", "b", "a", ""]


def test_a_preflight_tells_addresses_default_routes_and_sysctls() -> None:
    facts = {
        "network": {
            "interfaces": [
                {"name": "lo", "is_up": True, "addresses": [{"ip": "127.0.0.1", "prefix": 8}]},
                {"name": "pub0", "is_up": True, "addresses": [{"ip": "10.10.0.100", "prefix": 24}]},
                {"name": "eth0", "is_up": False, "addresses": [{"ip": "10.0.2.41", "prefix": 24}]},
            ],
            "routes": [{"family": 4, "gateway": "10.10.0.254", "device": "pub0"}],
            "sysctls": {"net.ipv4.conf.all.arp_ignore": "1"},
        }
    }
    client = reading.machine_of_preflight("client", facts)
    assert client is not None
    assert client.up == {"lo", "pub0"}
    assert client.setting("arp_ignore", "pub0") == 1
    assert client.setting("rp_filter", "pub0") is None
    assert reading.networks_of_client(client, "10.10.0.50") == CLIENTS
    assert reading.networks_of_client(client, "198.51.100.1") == CLIENTS
    assert reading.networks_of_client(None, "10.10.0.50") == ()
    assert reading.machine_of_preflight("blank", {}) is None


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.builds(
            server,
            st.sampled_from(["10.20.0.11", "10.30.0.13", "10.10.0.7", "192.0.2.9", "fd00::1"]),
            st.sampled_from(Method),
            is_prepared=st.booleans(),
            machine=st.sampled_from([None, RS, DR_RS, TUN_RS]),
            connections=st.none() | st.integers(0, 200_000),
            tunnel=st.sampled_from(["ipip", "gre", "gue"]),
        ),
        max_size=8,
    ),
    st.sampled_from([LB1, Machine(), machine("10.20.0.1/24", routes=None)]),
)
def test_every_situation_is_judged_and_said_once(servers: list[Server], director: Machine) -> None:
    found = list(topology_problems(situation(*servers, director=director)))
    said = codes(iter(found))
    assert len(set(said)) == len(said)
