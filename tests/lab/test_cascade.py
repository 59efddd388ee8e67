"""A cascade with real packets: lb1 sends by DR to lb2, and that by Full NAT to rs1 and rs2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, planned_lines, table
from tests.running_console import RunningConsole

VIP = "10.10.0.96"


@pytest.fixture
def lb2(console: RunningConsole, hosts: dict[str, dict[str, Any]]) -> Iterator[int]:
    """lb2 as a director, for one test."""
    made = console.call("POST", "lvs/directors/", {"host": hosts["lb2"]["id"],
                        "vip_interface": "pub0"})  # fmt: skip
    assert made.status == 201, made
    console.done(made.body["operation"])
    yield made.body["id"]
    gone = console.call("DELETE", f"lvs/directors/{made.body['id']}/")
    assert gone.status == 204, gone


def who_answers(rack: Rack) -> str:
    """The hardware address that the client learns for the VIP."""
    rack.run("client", ["sh", "-c", "ip neigh flush dev pub0; sleep 1"], check=False)
    ask(rack, f"http://{VIP}/")
    return rack.run("client", ["ip", "neigh", "show", VIP]).stdout


def around(rack: Rack, node: str) -> str:
    """What a cascade may leave behind on a director: addresses, ARP settings, table."""
    script = (
        "ip -br address show lo; ip -br address show pub0; ipvsadm -S -n;"
        " sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce"
    )
    return rack.run(node, ["sh", "-c", script]).stdout


def test_two_tiers_answer_as_one_and_leave_nothing(
    console: RunningConsole, rack: Rack, lb1: int, lb2: int
) -> None:
    """The real servers' way back leads through lb1, so that the second tier takes Full NAT."""
    before = {node: around(rack, node) for node in ("lb1", "lb2")}
    made = console.call(
        "POST",
        "lvs/cascades/",
        {
            "front": {"director": lb1, "name": "two-tiers", "vip": VIP, "port": 80,
                      "forwarding": "route", "scheduler": "rr"},
            "tiers": [{
                "director": lb2, "forwarding": "fullnat", "scheduler": "rr",
                "real_servers": [{"rip": "10.20.0.11", "port": 8080, "host": None},
                                 {"rip": "10.20.0.12", "port": 80, "host": None}],
            }],
            "apply": True,
        },
    )  # fmt: skip
    assert made.status == 201, made
    operation = console.done(made.body["operation"])
    assert len(operation["result"]["operations"]) == 2
    path = f"lvs/virtual-services/{made.body['id']}/"
    (tier,) = console.call("GET", f"{path}cascade/").body["results"]
    assert tier["via"] == "10.10.0.2"
    assert f"-a -t {VIP}:80 -r 10.10.0.2:80 -g -w 1" in table(rack, "lb1")
    assert f"-a -t {VIP}:80 -r 10.20.0.11:8080 -m -w 1" in table(rack, "lb2")
    assert planned_lines(console, path) == []
    assert planned_lines(console, f"lvs/virtual-services/{tier['service']['id']}/") == []

    assert set(ask(rack, f"http://{VIP}/", 4)) == {"rs1", "rs2"}
    mac = rack.run("lb1", ["cat", "/sys/class/net/pub0/address"]).stdout.strip()
    assert mac in who_answers(rack), "lb2 must not answer ARP for the VIP"

    gone = console.call("DELETE", f"{path}cascade/", {"confirm": "two-tiers"})
    assert gone.status == 202, gone
    console.done(gone.headers["location"])
    assert {node: around(rack, node) for node in before} == before
    assert console.call("GET", path).status == 404
