"""The layout of the rack: addresses, ports, and the files that each machine is given."""

from __future__ import annotations

import ipaddress

import pytest

from lab import topology
from lab.topology import MACHINES, NODES, machine


def test_machines_are_those_that_everything_else_names() -> None:
    assert topology.names() == ("hv1", "rtr", "lb1", "lb2", "rs1", "rs2", "rs3", "client")


def test_an_unknown_machine_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(KeyError, match=r"no machine 'lb9'.*client"):
        machine("lb9")


@pytest.mark.parametrize(
    ("name", "network", "expected"),
    [
        ("lb1", "pub0", ["10.10.0.1", "fd00:10::1"]),
        ("lb2", "int0", ["10.20.0.2", "fd00:20::2"]),
        ("rs1", "int0", ["10.20.0.11", "fd00:20::11"]),
        ("rs3", "far0", ["10.30.0.13", "fd00:30::13"]),
        ("client", "pub0", ["10.10.0.100", "fd00:10::100"]),
        ("rtr", "far0", ["10.30.0.254", "fd00:30::254"]),
        ("hv1", "mgmt", ["10.0.2.15"]),
    ],
)
def test_addresses(name: str, network: str, expected: list[str]) -> None:
    assert machine(name).addresses[network] == expected


def test_no_address_no_mac_and_no_port_is_given_twice() -> None:
    addresses = [a for m in MACHINES for found in m.addresses.values() for a in found]
    macs = [topology.mac_of(m, tag) for m in NODES for tag in (0, *(n.tag for n, _ in m.links))]
    ports = [topology.port_of(i, m.octet) for i in range(10) for m in MACHINES]
    for values in (addresses, macs, ports):
        assert len(values) == len(set(values))


def test_interface_names_fit_into_the_kernel() -> None:
    names = [
        f"{m.name}-{line.split()[0]}" for m in NODES for line in topology.links_file(m).splitlines()
    ]
    assert max(len(name) for name in names) <= 15


@pytest.mark.parametrize(
    ("instance", "octet", "port"), [(0, 15, 22015), (0, 41, 22041), (9, 21, 22921)]
)
def test_ports(instance: int, octet: int, port: int) -> None:
    assert topology.port_of(instance, octet) == port


@pytest.mark.parametrize("instance", [-1, 10])
def test_an_instance_outside_of_the_range_is_refused(instance: int) -> None:
    with pytest.raises(ValueError, match=r"not in 0\.\.9"):
        topology.port_of(instance, 15)


def _gateways(lines: list[str]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    words = [line.split() for line in lines if " via " in line]
    return [ipaddress.ip_address(found[found.index("via") + 1]) for found in words]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_every_gateway_is_on_a_network_of_its_machine_and_belongs_to_one(
    node: topology.Machine,
) -> None:
    everybody = {a for m in MACHINES for found in m.addresses.values() for a in found}
    for family, bits, text in zip((0, 1), (24, 64), topology.network_files(node), strict=True):
        own = [
            ipaddress.ip_interface(f"{found[family]}/{bits}").network
            for network, found in node.addresses.items()
            if network != "mgmt"
        ]
        for gateway in _gateways(text.splitlines()):
            assert str(gateway) in everybody
            assert any(gateway in network for network in own)


def test_families_are_not_mixed_in_one_batch() -> None:
    for node in NODES:
        text4, text6 = topology.network_files(node)
        assert "::" not in text4
        assert all("::" in line for line in text6.splitlines())


def test_real_servers_answer_through_lb1_but_send_from_a_vip_by_the_router() -> None:
    text4, text6 = topology.network_files(machine("rs1"))
    assert "route add default via 10.20.0.1\n" in text4
    assert "rule add from 10.10.0.0/24 lookup 100\n" in text4
    assert "route add default via 10.20.0.254 table 100\n" in text4
    assert "route add ::/0 via fd00:20::254 table 100\n" in text6


def test_only_the_router_forwards() -> None:
    forwarding = {m.name for m in NODES if "forward" in topology.sysctl_file(m)}
    assert forwarding == {"rtr"}


def test_only_the_near_real_servers_are_prepared_for_direct_routing() -> None:
    silent = {m.name for m in NODES if "arp_ignore = 1" in topology.sysctl_file(m)}
    assert silent == set(topology.DR_REAL_SERVERS) == {"rs1", "rs2"}
    assert topology.loopback_file().splitlines() == [
        "addr add 10.10.0.80/32 dev lo",
        "addr add 10.10.0.81/32 dev lo",
        "addr add 10.10.0.82/32 dev lo",
        "addr add 10.10.0.83/32 dev lo",
        "addr add fd00:10::80/128 dev lo nodad",
    ]


def test_links_say_bridge_interface_and_mac() -> None:
    assert topology.links_file(machine("lb1")) == (
        "mgmt0 eth0 52:54:00:0e:00:15\npub0 pub0 52:54:00:0e:10:15\nint0 int0 52:54:00:0e:20:15\n"
    )


def test_a_machine_finds_the_others_by_name_and_itself_on_its_loopback() -> None:
    lines = topology.hosts_file("lb1").splitlines()
    assert lines[0] == "127.0.0.1 localhost lb1"
    assert "10.0.2.22 lb2" in lines
    assert "10.0.2.21 lb1" not in lines
