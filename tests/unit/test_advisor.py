"""The advisor: a table of situations, each with the order that it recommends."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from typing import Any

import pytest

from lvs.topology.advisor import ORDER, Advice, Fit, Question, advise
from lvs.topology.facts import Machine, Method, Server, Situation, route_of

DIRECTOR = Machine(
    "lb1",
    {"pub0": (ip_interface("10.10.0.1/24"),), "int0": (ip_interface("10.20.0.1/24"),)},
    (
        route_of("10.10.0.0/24", "", "pub0"),
        route_of("10.20.0.0/24", "", "int0"),
        route_of("0.0.0.0/0", "10.10.0.254", "pub0"),
    ),
)
NEAR, FAR, AMONG = "10.20.0.11", "10.30.0.13", "10.10.0.7"


def ask(
    *addresses: str,
    port: int = 80,
    is_prepared: bool = True,
    out: bool | None = None,
    client: bool | None = None,
    vip: str = "10.10.0.50",
    **values: Any,
) -> tuple[Advice, ...]:
    servers = tuple(Server(one, port, Method.MASQ, is_prepared=is_prepared) for one in addresses)
    clients = (ip_network("10.10.0.0/24"),)
    return advise(Question(Situation(vip, 80, servers, DIRECTOR, clients=clients, **values),
                           out, client))  # fmt: skip


def order(found: tuple[Advice, ...]) -> str:
    """ "route tunnel | masq": what cannot work stands behind the bar."""
    works = " ".join(one.method for one in found if one.fit is not Fit.UNSUITABLE)
    fails = " ".join(one.method for one in found if one.fit is Fit.UNSUITABLE)
    return f"{works} | {fails}".strip() if fails else works


TABLE = [
    pytest.param(ask(NEAR), "route tunnel masq fullnat", id="one network, the console prepares"),
    pytest.param(ask(NEAR, is_prepared=False), "route masq tunnel fullnat", id="by hand"),
    pytest.param(ask(FAR), "tunnel fullnat masq | route", id="across a router"),
    pytest.param(
        ask(FAR, is_prepared=False, client=False), "fullnat tunnel masq | route",
        id="across a router by hand, where nobody looks at clients",
    ),
    pytest.param(
        ask(FAR, is_prepared=False, client=True), "tunnel masq | route fullnat",
        id="across a router by hand, with the client's address",
    ),
    pytest.param(ask(NEAR, port=8080), "masq fullnat | route tunnel", id="port mapping"),
    pytest.param(
        ask(NEAR, port=8080, client=True), "masq | route tunnel fullnat", id="mapping, client"
    ),
    pytest.param(ask(FAR, port=8080), "fullnat masq | route tunnel", id="mapping, far"),
    pytest.param(ask(AMONG, port=8080), "fullnat | route tunnel masq", id="mapping, one network"),
    pytest.param(
        ask(AMONG, port=8080, client=True), "| route tunnel masq fullnat", id="nothing fits"
    ),
    pytest.param(ask(AMONG), "route tunnel fullnat | masq", id="one network with the clients"),
    pytest.param(ask(NEAR, FAR), "tunnel fullnat masq | route", id="some near, some far"),
    pytest.param(ask("fd00::1"), "tunnel | route masq fullnat", id="mixed families"),
    pytest.param(
        ask(NEAR, is_prepared=False, out=True), "route tunnel masq fullnat", id="much goes out"
    ),
    pytest.param(
        ask(*(f"10.20.0.{number}" for number in range(2, 24)), is_prepared=False),
        "route tunnel masq fullnat",
        id="22 real servers",
    ),
    pytest.param(ask(), "route tunnel masq fullnat", id="no real server yet"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), TABLE)
def test_order(found: tuple[Advice, ...], expected: str) -> None:
    assert order(found) == expected
    assert {one.method for one in found} == set(ORDER)
    assert [one.fit for one in found].count(Fit.BEST) == (not expected.startswith("|"))
    for one in found:
        assert (one.fit is Fit.UNSUITABLE) <= bool(one.against)
        for sentence in (*one.reasons, *one.against, *one.needs):
            assert sentence.text().endswith(".")
            assert "%" not in sentence.text()


def words(found: tuple[Advice, ...], method: Method, part: str) -> str:
    return " ".join(
        sentence.text() for one in found if one.method is method for sentence in getattr(one, part)
    )


def test_full_nat_shows_its_ports_and_a_tunnel_its_segments() -> None:
    found = ask(FAR, local_addresses=("10.20.0.61", "10.20.0.62"))
    assert "129022 connections at once" in words(found, Method.FULLNAT, "needs")
    assert "at most 1440 bytes" in words(found, Method.TUNNEL, "needs")


def test_reasons_name_the_real_servers() -> None:
    found = ask(NEAR, FAR)
    assert "10.30.0.13:80: behind a router" in words(found, Method.ROUTE, "against")
    assert "through routers" in words(found, Method.TUNNEL, "reasons")
