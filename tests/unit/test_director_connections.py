"""The search in a connection table: awk over what a real kernel printed."""

from __future__ import annotations

import re
import subprocess
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs.director.connections import Found, Query, Target, network_of, pattern, read_found, script
from lvs.director.sample import IncompleteSample
from lvs.ipvsadm.types import DestinationKey

CAPTURE = (
    Path(__file__).parents[1] / "captures" / "kernel-6.1.0_proc_net_ip_vs_conn.txt"
).read_text()
V6 = (
    "TCP fd00:0010:0000:0000:0000:0000:0000:0064 8234 fd00:0010:0000:0000:0000:0000:0000:0050"
    " 01BB fd00:0020:0000:0000:0000:0000:0000:0011 01BB ESTABLISHED     324\n"
)


def search(tmp_path: Path, query: Query, table: str = CAPTURE) -> Found:
    path = tmp_path / "ip_vs_conn"
    path.write_text(table)
    done = subprocess.run(
        ["sh", "-s"],
        input=script(query).decode().replace("/proc/net/ip_vs_conn", str(path)),
        capture_output=True,
        text=True,
        check=True,
    )
    return read_found(done.stdout, done.stderr)


def web(network: str = "10.10.0.51/32", first: int = 80, last: int = 80) -> Target:
    return Target("tcp", ip_network(network), first, last)


@pytest.mark.parametrize(
    ("query", "total"),
    [
        (Query(), 10),
        (Query(network_of("10.10.0.100")), 10),
        (Query(network_of("10.10.0.0/25")), 10),
        (Query(network_of("10.10.0.101")), 0),
        (Query(network_of("10.0.0.0/9")), 10),
        (Query(network_of("10.128.0.0/9")), 0),
        (Query(state="ESTABLISHED"), 3),
        (Query(targets=(web(),)), 7),
        (Query(targets=(web("10.10.0.60/32", 9000, 9000),)), 3),
        (Query(targets=(web("10.10.0.0/24", 0, 65535),)), 10),
        (Query(targets=(web("10.10.0.0/24", 80, 8999),)), 7),
        (Query(targets=(web(), web("10.10.0.60/32", 9000, 9000))), 10),
        (Query(network_of("10.10.0.100"), (web(),), "TIME_WAIT"), 2),
        (Query(targets=(Target("udp", ip_network("10.10.0.51"), 80, 80),)), 0),
    ],
)
def test_finds_what_is_asked_for_and_nothing_else(tmp_path: Path, query: Query, total: int) -> None:
    found = search(tmp_path, query)
    assert (found.total, len(found.connections)) == (total, total)


def test_both_families_lie_in_one_table(tmp_path: Path) -> None:
    both = CAPTURE + V6
    (one,) = search(tmp_path, Query(network_of("fd00:10::/33")), both).connections
    assert one.client == DestinationKey("fd00:10::64", 0x8234)
    assert one.destination == DestinationKey("fd00:20::11", 443)
    assert search(tmp_path, Query(network_of("0.0.0.0/0")), both).total == 10
    assert search(tmp_path, Query(network_of("::/0")), both).total == 1
    target = Target("tcp", ip_network("fd00:10::50"), 443, 443)
    assert search(tmp_path, Query(targets=(target,)), both).total == 1


def test_a_large_answer_is_cut_and_counted(tmp_path: Path) -> None:
    heading, first = CAPTURE.splitlines(keepends=True)[:2]
    found = search(tmp_path, Query(), heading + first * 1200)
    assert (found.total, len(found.connections)) == (1200, 500)


def test_no_ipvs_is_said(tmp_path: Path) -> None:
    with pytest.raises(IncompleteSample):
        read_found("@@ failed no IPVS\n")
    with pytest.raises(IncompleteSample):
        read_found("@@ connections\n@@ failed 124\n")


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_pattern_is_the_network_of_ipv4(base: int, other: int, prefix: int) -> None:
    network = ip_network((base, prefix), strict=False)
    for address in (IPv4Address(base), IPv4Address(other)):
        printed = f"{int(address):08X}"
        assert bool(re.search(pattern(network), printed)) is (address in network)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1), st.integers(0, 128))
def test_pattern_is_the_network_of_ipv6(base: int, other: int, prefix: int) -> None:
    network = ip_network((IPv6Address(base), prefix), strict=False)
    for address in (IPv6Address(base), IPv6Address(base ^ (1 << (127 - min(prefix, 127)))),
                    IPv6Address(other)):  # fmt: skip
        assert bool(re.search(pattern(network), address.exploded)) is (address in network)
