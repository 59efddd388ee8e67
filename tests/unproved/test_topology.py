"""Rules of topology against real packets: where a rule says that it fails, packets fail; after
its remedy they pass, and nothing is said any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, eventually, remove
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


def test_nat_on_the_clients_network_fails_and_dr_does_not(
    console: RunningConsole, rack: Rack, lb1: int, hosts: dict[str, dict[str, Any]]
) -> None:
    vip = "10.10.0.92"
    arp = "net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce"
    with (
        by_hand(rack, "lb2", " ".join(f"'{word}'" for word in _LISTEN),
                "systemctl stop answering"),
        declared(
            console, lb1, name="one-network", vip=vip, port=8099, apply=True,
            real_servers=[{"rip": "10.10.0.2", "port": 8099}],
        ) as service,
    ):  # fmt: skip
        assert said(console, service) == {"masq-one-network": False}
        assert ask(rack, f"http://{vip}:8099/") == [""]
        with by_hand(
            rack, "lb2",
            "sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2;"
            f" ip address add {vip}/32 dev lo",
            f"ip address delete {vip}/32 dev lo; for s in {arp}; do sysctl -qw $s=0; done",
        ):  # fmt: skip
            change(console, service, forwarding="route")
            preflight(console, hosts["lb2"]["id"])
            assert said(console, service) == {}
            assert ask(rack, f"http://{vip}:8099/") == ["lb2"]


def test_dr_without_the_vip_is_seen_in_the_preflight(
    console: RunningConsole, rack: Rack, lb1: int, rs1: int
) -> None:
    vip = "10.10.0.94"
    with declared(
        console, lb1, name="no-vip", vip=vip, forwarding="route", apply=True,
        real_servers=[{"rip": "10.20.0.11", "port": 80, "host": None}],
    ) as service:  # fmt: skip
        assert said(console, service) == {"route-vip-missing": False}
        assert ask(rack, f"http://{vip}/") == [""]
        with by_hand(
            rack, "rs1", f"ip address add {vip}/32 dev lo", f"ip address delete {vip}/32 dev lo"
        ):
            preflight(console, rs1)
            assert said(console, service) == {}
            assert ask(rack, f"http://{vip}/") == ["rs1"]
    preflight(console, rs1)


def test_a_vip_that_another_director_holds_is_refused(
    console: RunningConsole, rack: Rack, lb1: int, lb2: int
) -> None:
    vip = "10.10.0.95"
    with declared(
        console, lb1, name="two-owners", vip=vip, real_servers=[{"rip": "10.20.0.11", "port": 80}]
    ) as service:
        with by_hand(
            rack, "lb2",
            f"ip address add {vip}/32 dev pub0", f"ip address delete {vip}/32 dev pub0",
        ):  # fmt: skip
            console.done(console.call("POST", f"lvs/directors/{lb2}/observe/").headers["location"])
            assert said(console, service) == {"vip-elsewhere": True}
            refused = console.call("POST", f"lvs/directors/{lb1}/apply/",
                                   {"services": [service["id"]]})  # fmt: skip
            assert refused.status == 409
            assert "lb2 was seen with this VIP on pub0" in refused.body["detail"]
        console.done(console.call("POST", f"lvs/directors/{lb2}/observe/").headers["location"])
        assert eventually(lambda: not said(console, service), within=60)
        change(console, service)
        assert ask(rack, f"http://{vip}/") == ["rs1"]
