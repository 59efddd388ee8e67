"""Full NAT on a kernel of the distribution: real packets, both families, near and far."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import (
    configure,
    datagrams,
    declare,
    planned_lines,
    remove,
    table,
    visits,
    wait_for_reboot,
)
from tests.running_console import RunningConsole

POOL = ["10.20.0.61", "10.20.0.62", "fd00:20::61", "fd00:20::62"]
NEAR_AND_FAR = [{"rip": "10.20.0.11", "port": 8080}, {"rip": "10.30.0.13", "port": 80}]
NEAR_AND_FAR6 = [{"rip": "fd00:20::11", "port": 8080}, {"rip": "fd00:30::13", "port": 80}]


@pytest.fixture(scope="module")
def pool(console: RunningConsole, lb1: int) -> Iterator[dict[str, Any]]:
    """Two local addresses of each family on the side of the real servers."""
    yield configure(console, lb1, local_addresses=POOL, local_interface="int0")
    configure(console, lb1, local_addresses=[], local_interface="")


def full_nat(console: RunningConsole, lb1: int, **values: Any) -> dict[str, Any]:
    return declare(console, lb1, apply=True, **{"forwarding": "fullnat"} | values)


def test_tcp_reaches_near_and_far_real_servers_from_both_local_addresses(
    console: RunningConsole, rack: Rack, lb1: int, pool: dict[str, Any]
) -> None:
    service = full_nat(console, lb1, name="full", vip="10.10.0.110", real_servers=NEAR_AND_FAR)
    seen = visits(rack, "http://10.10.0.110/", 24)
    assert len(seen) == 24
    assert {name for name, _client in seen} == {"rs1", "rs3"}
    # Each real server sees both: together they carry twice as many connections to it.
    assert len(set(seen)) == 4
    assert {client for _name, client in seen} == {"10.20.0.61", "10.20.0.62"}
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []
    shown = console.call("GET", f"lvs/directors/{lb1}/settings/").body
    assert {one["ports"] for one in shown["ports"]} == {2 * 64511}
    assert shown["load"]["tracked"] > 0
    assert shown["load"]["insert_failed"] == 0
    remove(console, service)
    addresses = rack.run("lb1", ["ip", "-o", "address", "show", "int0"]).stdout
    assert "10.20.0.61" not in addresses
    assert rack.run("lb1", ["nft", "list", "tables"]).stdout.count("evenkeel_lvs") == 0


def test_the_director_itself_can_use_the_vip(
    console: RunningConsole, rack: Rack, lb1: int, pool: dict[str, Any]
) -> None:
    service = full_nat(console, lb1, name="own", vip="10.10.0.111", real_servers=NEAR_AND_FAR)
    seen = visits(rack, "http://10.10.0.111/", 4, node="lb1")
    assert {name for name, _client in seen} == {"rs1", "rs3"}
    remove(console, service)


def test_udp_is_answered_near_and_far(
    console: RunningConsole, rack: Rack, lb1: int, pool: dict[str, Any]
) -> None:
    service = full_nat(
        console,
        lb1,
        name="names",
        protocol="udp",
        vip="10.10.0.112",
        port=53,
        real_servers=[{"rip": "10.20.0.11", "port": 5353}, {"rip": "10.30.0.13", "port": 53}],
    )
    assert set(datagrams(rack, "10.10.0.112", 53, 6)) == {"rs1", "rs3"}
    remove(console, service)


def test_ipv6_reaches_near_and_far_real_servers(
    console: RunningConsole, rack: Rack, lb1: int, pool: dict[str, Any]
) -> None:
    service = full_nat(console, lb1, name="six", vip="fd00:10::110", real_servers=NEAR_AND_FAR6)
    seen = visits(rack, "http://[fd00:10::110]/", 16)
    assert {name for name, _client in seen} == {"rs1", "rs3"}
    assert {client for _name, client in seen} == {"fd00:20::61", "fd00:20::62"}
    names = full_nat(
        console,
        lb1,
        name="six-names",
        protocol="udp",
        vip="fd00:10::110",
        port=53,
        real_servers=[{"rip": "fd00:20::11", "port": 53}, {"rip": "fd00:30::13", "port": 53}],
    )
    assert set(datagrams(rack, "fd00:10::110", 53, 6)) == {"rs1", "rs3"}
    remove(console, names)
    remove(console, service)


def test_without_a_pool_the_address_of_the_way_out_is_the_source(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    configure(console, lb1, local_addresses=[], local_interface="")
    service = full_nat(console, lb1, name="bare", vip="10.10.0.113", real_servers=NEAR_AND_FAR)
    seen = visits(rack, "http://10.10.0.113/", 4)
    assert set(seen) == {("rs1", "10.20.0.1"), ("rs3", "10.20.0.1")}
    remove(console, service)


def test_full_nat_survives_the_reboot_of_the_director_without_the_console(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    configure(
        console,
        lb1,
        local_addresses=POOL,
        local_interface="int0",
        kernel_settings={"drop_entry": "1", "am_droprate": "20"},
        udp_timeout=77,
    )
    service = full_nat(console, lb1, name="lasting-full", vip="10.10.0.114",
                       real_servers=NEAR_AND_FAR)  # fmt: skip
    console.stop()
    try:
        rack.run("lb1", ["systemctl", "reboot"], check=False)
        wait_for_reboot(rack)
        seen = visits(rack, "http://10.10.0.114/", 16)
        assert {name for name, _client in seen} == {"rs1", "rs3"}
        assert {client for _name, client in seen} == {"10.20.0.61", "10.20.0.62"}
        vs = "/proc/sys/net/ipv4/vs"
        values = rack.run("lb1", ["cat", f"{vs}/drop_entry", f"{vs}/am_droprate"]).stdout.split()
        assert values == ["1", "20"]
        assert "900 120 77" in rack.run("lb1", ["ipvsadm", "-L", "--timeout"]).stdout
    finally:
        console.start()
    console.done(console.call("POST", f"lvs/directors/{lb1}/observe/").headers["location"])
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []
    remove(console, service)
    configure(
        console, lb1, local_addresses=[], local_interface="", kernel_settings={}, udp_timeout=None
    )
    assert not any("10.10.0.114" in line for line in table(rack))
