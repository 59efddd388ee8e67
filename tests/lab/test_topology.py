"""Rules of topology against real packets: where a rule says that it fails, packets fail; after
its remedy they pass, and nothing is said any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, remove
from tests.running_console import RunningConsole

_ANSWER = 'printf "HTTP/1.0 200 OK\\r\\n\\r\\nlb2\\n"'
_LISTEN = ["systemd-run", "-q", "--unit=answering", "socat",
           "TCP-LISTEN:8099,fork,reuseaddr", f"SYSTEM:{_ANSWER}"]  # fmt: skip


def said(console: RunningConsole, service: dict[str, Any]) -> dict[str, bool]:
    """What stands in the way of a service: code, and whether it blocks applying."""
    path = f"lvs/virtual-services/{service['id']}/problems/"
    found = console.call("GET", path).body["results"]
    return {one["code"].removeprefix("ipvs-"): one["is_blocking"] for one in found}


def change(console: RunningConsole, service: dict[str, Any], **values: Any) -> None:
    changed = console.call(
        "PATCH", f"lvs/virtual-services/{service['id']}/", values | {"apply": True}
    )
    assert changed.status == 200, changed
    console.done(changed.body["operation"])


@contextmanager
def by_hand(rack: Rack, node: str, do: str, undo: str) -> Iterator[None]:
    """Something done on a machine, and undone."""
    rack.run(node, ["sh", "-ec", do])
    try:
        yield
    finally:
        rack.run(node, ["sh", "-c", undo], check=False)


@contextmanager
def declared(console: RunningConsole, director: int, **values: Any) -> Iterator[dict[str, Any]]:
    service = declare(console, director, **values)
    try:
        yield service
    finally:
        remove(console, service)


@pytest.fixture
def lb2(console: RunningConsole, hosts: dict[str, dict[str, Any]]) -> Iterator[int]:
    """lb2 as a director, for one test."""
    made = console.call("POST", "lvs/directors/", {"host": hosts["lb2"]["id"],
                        "vip_interface": "pub0", "probe_host": hosts["client"]["id"]})  # fmt: skip
    assert made.status == 201, made
    console.done(made.body["operation"])
    yield made.body["id"]
    gone = console.call("DELETE", f"lvs/directors/{made.body['id']}/")
    assert gone.status == 204, gone


@pytest.fixture
def rs1(machines: dict[str, int]) -> int:
    """rs1 as a host whose preflight was read; its number."""
    return machines["rs1"]


def preflight(console: RunningConsole, host: int) -> None:
    begun = console.call("POST", f"hosts/{host}/preflight/")
    assert begun.status == 202, begun
    console.done(begun.headers["location"])


def test_dr_across_a_router_is_refused_fails_and_goes_by_tunnel(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    vip = "10.10.0.90"
    with declared(
        console, lb1, name="far-dr", vip=vip, forwarding="route",
        real_servers=[{"rip": "10.30.0.13", "port": 80}],
    ) as service:  # fmt: skip
        assert said(console, service) == {"route-other-network": True}
        refused = console.call("POST", f"lvs/directors/{lb1}/apply/", {"services": [service["id"]]})
        assert (refused.status, refused.body["code"]) == (409, "would-not-work")
        assert "10.30.0.13:80" in refused.body["detail"]
        with by_hand(
            rack, "rs3",
            f"modprobe ipip || true; ip link set tunl0 up; ip address add {vip}/32 dev lo;"
            " sysctl -qw net.ipv4.conf.tunl0.rp_filter=0 net.ipv4.conf.all.rp_filter=0",
            f"ip address delete {vip}/32 dev lo; ip link set tunl0 down",
        ):  # fmt: skip
            with by_hand(
                rack, "lb1",
                f"ip address add {vip}/32 dev pub0; ipvsadm -A -t {vip}:80 -s rr;"
                f" ipvsadm -a -t {vip}:80 -r 10.30.0.13:80 -g",
                f"ipvsadm -D -t {vip}:80; ip address delete {vip}/32 dev pub0",
            ):  # fmt: skip
                assert ask(rack, f"http://{vip}/") == [""], "as the rule says, by hand too"
            change(console, service, forwarding="tunnel")
            assert said(console, service) == {"tunnel-mtu": False}
            assert ask(rack, f"http://{vip}/", 2) == ["rs3", "rs3"]


def test_nat_behind_a_router_needs_the_router_to_lead_back(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    with declared(
        console, lb1, name="far-nat", vip="10.10.0.91", apply=True,
        real_servers=[{"rip": "10.30.0.13", "port": 80}],
    ) as service:  # fmt: skip
        assert said(console, service) == {"masq-behind-router": False}
        assert ask(rack, "http://10.10.0.91/") == [""]
        with by_hand(
            rack, "rtr",
            "ip rule add from 10.30.0.13 lookup 201; ip route add default via 10.20.0.1 table 201",
            "ip rule del from 10.30.0.13 lookup 201; ip route flush table 201",
        ):  # fmt: skip
            assert ask(rack, "http://10.10.0.91/") == ["rs3"]


def test_nat_without_the_way_back_is_seen_in_the_preflight(
    console: RunningConsole, rack: Rack, lb2: int, rs1: int
) -> None:
    """rs1 sends its answers back through lb1, so that lb2 cannot serve it by NAT."""
    with declared(
        console, lb2, name="no-way-back", vip="10.10.0.93", apply=True,
        real_servers=[{"rip": "10.20.0.11", "port": 80, "host": None}],
    ) as service:  # fmt: skip
        assert said(console, service) == {"masq-return-route": False}
        assert ask(rack, "http://10.10.0.93/") == [""]
        with by_hand(
            rack, "rs1",
            "ip route replace default via 10.20.0.2",
            "ip route replace default via 10.20.0.1",
        ):  # fmt: skip
            preflight(console, rs1)
            assert said(console, service) == {}
            assert ask(rack, "http://10.10.0.93/") == ["rs1"]
    preflight(console, rs1)
