"""The scripts for real servers: what they do, and in which order."""

from __future__ import annotations

import subprocess

import pytest

from lvs import realserver


def lines(script: str) -> list[str]:
    return script.splitlines()


@pytest.mark.parametrize("vip", ["10.10.0.80", "2001:db8::80"])
def test_script_for_direct_routing_is_shell(vip: str) -> None:
    checked = subprocess.run(
        ["sh", "-n"], input=realserver.direct_routing_script(vip), text=True, check=False
    )
    assert checked.returncode == 0


def test_arp_is_silenced_before_the_vip_is_there() -> None:
    script = lines(realserver.direct_routing_script("10.10.0.80"))
    assert script[0] == "set -e"
    silenced = script.index("sysctl -p /etc/sysctl.d/60-evenkeel-dr.conf")
    assert silenced < script.index("ip address replace 10.10.0.80/32 dev lo")
    assert "net.ipv4.conf.all.arp_ignore = 1" in script
    assert "net.ipv4.conf.all.arp_announce = 2" in script
    assert "ExecStart=/usr/sbin/ip address replace 10.10.0.80/32 dev lo" in script


def test_ipv6_needs_no_arp_and_no_duplicate_detection() -> None:
    script = realserver.direct_routing_script("2001:db8::80")
    assert "arp" not in script
    assert "ip address replace 2001:db8::80/128 dev lo nodad" in lines(script)
    assert "arp" not in realserver.direct_routing_check("2001:db8::80", 80, "tcp")


def test_check_looks_at_vip_arp_and_listener() -> None:
    assert lines(realserver.direct_routing_check("10.10.0.80", 53, "udp")) == [
        "ip address show dev lo to 10.10.0.80",
        "sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce",
        "ss -H -lnu 'sport = :53'",
    ]


@pytest.mark.parametrize(
    ("rip", "gateway"),
    [
        ("10.20.0.11", "10.20.0.1"),
        ("10.10.0.7", "10.10.0.1"),
        ("10.30.0.7", ""),
        ("10.20.0.1", ""),
        ("fd00:20::11", "fd00:20::1"),
        ("fd00:30::11", ""),
    ],
)
def test_way_back_is_the_director_in_the_real_servers_own_network(rip: str, gateway: str) -> None:
    held = {
        "pub0": ["10.10.0.50/24", "10.10.0.1/24"],
        "int0": ["10.20.0.1/24", "fd00:20::1/64", "fe80::1/64"],
    }
    assert realserver.gateway_for(rip, held, ["10.10.0.50"]) == gateway


def test_way_back_speaks_the_family_of_its_gateway() -> None:
    assert realserver.return_route_script("fd00:20::1").startswith(
        "ip -6 route replace default via fd00:20::1\n"
    )
