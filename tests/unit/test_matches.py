"""Which packets a service takes: two of them compared, and rows that make no sense."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs.ipvsadm import matches
from lvs.ipvsadm.matches import Match

BASE = int(ip_address("10.0.0.0"))
networks = st.builds(
    lambda host, prefix: ip_network((BASE + host, prefix), strict=False),
    st.integers(0, 15),
    st.integers(28, 32),
)
ports = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(sorted)
values = st.builds(
    lambda protocol, network, span: Match(protocol, network, *span),
    st.sampled_from(["tcp", "udp"]),
    networks,
    ports,
)


def packets(match: Match) -> set[tuple[str, str, int]]:
    return {
        (match.protocol, str(address), port)
        for address in match.network
        for port in range(match.first_port, match.last_port + 1)
    }


@given(values, values)
def test_two_matches_are_compared_as_their_packets_are(one: Match, other: Match) -> None:
    ours, theirs = packets(one), packets(other)
    assert one.overlaps(other) is bool(ours & theirs)
    assert one.covers(other) is (theirs <= ours)


def test_families_never_meet() -> None:
    four, six = Match.of_vip("tcp", "0.0.0.1", 0), Match.of_text("tcp", "::/0", 1, 65535)
    assert not four.overlaps(six) and not six.covers(four)


def test_port_zero_is_every_port() -> None:
    assert Match.of_vip("udp", "fd00::1", 0) == Match.of_text("udp", "fd00::1", 1, 65535)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" 10.0.0.1 ", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("10.0.0.0/28", "10.0.0.0/28"),
        ("FD00::0:1", "fd00::1"),
        ("fd00::/64", "fd00::/64"),
        ("10.0.0.5/28", "10.0.0.5/28"),
        ("garbage", "garbage"),
    ],
)
def test_one_network_has_one_text(typed: str, kept: str) -> None:
    assert matches.canonical_network(typed) == kept


@pytest.mark.parametrize(
    ("network", "first", "last", "code", "said"),
    [
        ("10.0.0.0/33", 80, 80, "match-network-invalid", "10.0.0.0/28"),
        ("10.0.0.300", 80, 80, "match-network-invalid", "neither"),
        ("10.0.0.1-9", 80, 80, "match-network-invalid", "neither"),
        ("", 80, 80, "match-network-invalid", "neither"),
        ("10.0.0.5/28", 80, 80, "match-network-bits", "10.0.0.0/28 for the whole network"),
        ("fd00::1", 80, 80, "match-network-family", "IPv6"),
        ("224.0.0.0/8", 80, 80, "match-network-not-unicast", "no address"),
        ("127.0.0.1", 80, 80, "match-network-not-unicast", "no address"),
        ("0.0.0.0", 80, 80, "match-network-not-unicast", "no address"),
        ("10.0.0.1", 81, 80, "match-ports-crossed", "81"),
    ],
)
def test_rows_that_make_no_sense_are_refused_in_words(
    network: str, first: int, last: int, code: str, said: str
) -> None:
    (problem,) = matches.match_problems(network, first, last, family=4)
    assert problem.code == code and problem.code in matches.FIELDS
    assert said in f"{problem.text()} {problem.remedy_text()}"
    assert "%" not in f"{problem.text()} {problem.remedy_text()}"


@pytest.mark.parametrize("network", ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0"])
def test_unicast_networks_of_the_family_are_fine(network: str) -> None:
    assert not list(matches.match_problems(network, 1, 65535, family=4))
