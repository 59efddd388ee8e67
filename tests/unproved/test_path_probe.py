"""Each real server asked alone through the real path: what breaks it is found while a plain
check is green, and the probe leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import declare, eventually, prove, remove, table
from tests.running_console import RunningConsole

RS1, RS2, RS3 = "10.20.0.11", "10.20.0.12", "10.30.0.13"


@contextmanager
def broken(rack: Rack, node: str, wrong: str, right: str) -> Iterator[None]:
    """Break one thing on a machine for a while."""
    rack.run(node, ["sh", "-c", wrong])
    try:
        yield
    finally:
        rack.run(node, ["sh", "-c", right])


def trace(rack: Rack) -> str:
    """What a probe could leave on the director."""
    script = (
        "ipvsadm -S -n; ip rule; ip -6 rule; ip route show table 3841 2>/dev/null;"
        " ls /run/evenkeel; sysctl -a 2>/dev/null | grep accept_local"
    )
    return rack.run("lb1", ["sh", "-c", script]).stdout


def paths(proof: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in proof["paths"]["servers"]}


def problem(proof: dict[str, Any], server: str) -> str:
    """The code of what is wrong with a server, which a plain check calls healthy."""
    found = paths(proof)[server]
    assert found["direct"]["outcome"] == "answered", "a plain check is green"
    return str((found["problem"] or {}).get("code", ""))


@pytest.fixture
def dr(console: RunningConsole, lb1: int) -> Iterator[dict[str, Any]]:
    service = declare(
        console,
        lb1,
        name="probed-dr",
        vip="10.10.0.82",
        forwarding="route",
        apply=True,
        real_servers=[{"rip": RS1, "port": 80}, {"rip": RS2, "port": 80}],
    )
    yield service
    remove(console, service)


@pytest.fixture
def nat(console: RunningConsole, lb1: int) -> Iterator[dict[str, Any]]:
    service = declare(
        console,
        lb1,
        name="probed-nat",
        vip="10.10.0.55",
        apply=True,
        real_servers=[{"rip": RS1, "port": 8080}, {"rip": RS2, "port": 80, "weight": 0}],
    )
    yield service
    remove(console, service)


def test_dr_server_without_the_vip_is_found_while_the_plain_check_is_green(
    console: RunningConsole, rack: Rack, dr: dict[str, Any]
) -> None:
    before = trace(rack)
    proof = prove(console, dr)
    assert proof["verdict"] == "proved", proof
    assert {one["upload"]["outcome"] for one in paths(proof).values()} == {"taken"}
    with broken(
        rack, "rs1", "ip addr del 10.10.0.82/32 dev lo", "ip addr add 10.10.0.82/32 dev lo"
    ):
        proof = prove(console, dr)
    assert problem(proof, f"{RS1}:80") == "vip-missing"
    assert problem(proof, f"{RS2}:80") == ""
    assert proof["paths"]["unreached"] == [f"{RS1}:80"]
    assert trace(rack) == before, "nothing is left on the director"


def test_wrong_gateway_by_nat_is_found_though_the_gateway_knows_the_director(
    console: RunningConsole, rack: Rack, nat: dict[str, Any]
) -> None:
    before = trace(rack)
    proof = prove(console, nat)
    assert [problem(proof, one) for one in (f"{RS1}:8080", f"{RS2}:80")] == ["", ""]
    wrong, right = (f"ip route replace default via 10.20.0.{host}" for host in (254, 1))
    with broken(rack, "rs1", wrong, right):
        proof = prove(console, nat)
    assert problem(proof, f"{RS1}:8080") == "no-return-route"
    assert proof["verdict"] == "failed"
    assert trace(rack) == before


def test_worker_killed_in_the_middle_leaves_nothing_on_the_director(
    console: RunningConsole, rack: Rack, nat: dict[str, Any]
) -> None:
    before = table(rack)
    with broken(
        rack,
        "rs1",
        "ip route replace default via 10.20.0.254",
        "ip route replace default via 10.20.0.1",
    ):
        begun = console.call("POST", f"lvs/virtual-services/{nat['id']}/prove/")
        assert begun.status == 202, begun
        eventually(lambda: [one for one in table(rack) if " -f " in one], within=60)
        rack.run("lb1", ["sh", "-c", "pkill -9 -o -f '^python3 -$'"])
        eventually(lambda: table(rack) == before, within=60)
        console.call("GET", begun.headers["location"])
    eventually(
        lambda: (
            console.call("GET", begun.headers["location"]).body["status"] in ("failed", "succeeded")
        ),
        within=60,
    )


TUNNEL_UP = (
    "modprobe ipip; ip link set tunl0 up; ip addr add 10.10.0.90/32 dev tunl0;"
    " sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0"
)
TUNNEL_DOWN = "ip addr flush dev tunl0; ip link set tunl0 down"
HOLE = (
    "ip link set far0 mtu 1400; nft 'add table ip hole; add chain ip hole out"
    " { type filter hook output priority 0; }; add rule ip hole out icmp type"
    " destination-unreachable drop'"
)
NO_HOLE = "ip link set far0 mtu 1500; nft delete table ip hole"


def test_tunnel_that_is_down_filtered_or_too_narrow_is_found(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    with broken(rack, "rs3", TUNNEL_UP, TUNNEL_DOWN):
        service = declare(
            console,
            lb1,
            name="probed-tun",
            vip="10.10.0.90",
            forwarding="tunnel",
            apply=True,
            real_servers=[{"rip": RS3, "port": 80}],
        )
        name = f"{RS3}:80"
        assert problem(prove(console, service), name) in ("", "mss-too-large")
        for node, wrong, right, code in (
            ("rs3", "ip link set tunl0 down", "ip link set tunl0 up", "tunnel-down"),
            ("rs3", "sysctl -qw net.ipv4.conf.tunl0.rp_filter=1",
             "sysctl -qw net.ipv4.conf.tunl0.rp_filter=0", "tunnel-drops"),
            ("rtr", HOLE, NO_HOLE, "mtu-hole"),
        ):  # fmt: skip
            with broken(rack, node, wrong, right):
                assert problem(prove(console, service), name) == code
        remove(console, service)


def test_real_server_that_steals_the_vip_is_heard_and_named(
    console: RunningConsole, rack: Rack, lb1: int, hosts: dict[str, dict[str, Any]]
) -> None:
    """On the real servers' own network, heard from lb2, which is no party to it."""
    director = console.call("GET", f"lvs/directors/{lb1}/").body
    console.call("PATCH", f"lvs/directors/{lb1}/", {"probe_host": hosts["lb2"]["id"]})
    vip = "10.20.0.60"
    service = declare(
        console, lb1, name="stolen", vip=vip, apply=True, real_servers=[{"rip": RS1, "port": 80}]
    )
    try:
        assert prove(console, service)["owner"]["state"] == "director"
        steal = f"ip addr add {vip}/32 dev lo; sysctl -qw net.ipv4.conf.all.arp_ignore=0"
        give_back = f"ip addr del {vip}/32 dev lo; sysctl -qw net.ipv4.conf.all.arp_ignore=1"
        with broken(rack, "rs1", steal, give_back):
            owner = prove(console, service)["owner"]
        assert owner["state"] == "stolen"
        assert [one["who"] for one in owner["answers"] if not one["is_director"]] == [RS1]
    finally:
        remove(console, service)
        console.call("PATCH", f"lvs/directors/{lb1}/", {"probe_host": director["probe_host"]})
