"""Services by firewall mark: port groups, networks of VIPs, drift of our nftables table."""

from __future__ import annotations

from typing import Any

from lab.rack import Rack
from tests.lab.services import (
    ask,
    declare,
    eventually,
    planned_lines,
    remove,
    table,
    visits,
    wait_for_reboot,
)
from tests.running_console import RunningConsole

BOTH = [{"rip": "10.20.0.11", "port": 0}, {"rip": "10.20.0.12", "port": 0}]


def marked(console: RunningConsole, lb1: int, **values: Any) -> dict[str, Any]:
    """A service by firewall mark in place; its document."""
    service = declare(
        console, lb1, **{"matching": "mark", "apply": True, "real_servers": BOTH} | values
    )
    found: dict[str, Any] = console.call("GET", f"lvs/virtual-services/{service['id']}/").body
    return found


def test_a_port_group_keeps_a_client_with_one_real_server(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = marked(
        console,
        lb1,
        name="group",
        vip="10.10.0.120",
        persistence_timeout=60,
        addresses=[{"network": "10.10.0.120", "first_port": 8080, "last_port": 8080}],
    )
    first = ask(rack, "http://10.10.0.120/", 4)
    other = ask(rack, "http://10.10.0.120:8080/", 4)
    assert set(first) == set(other)
    assert len(set(first)) == 1
    assert set(first) < {"rs1", "rs2"}
    lines = [line for line in table(rack) if line.startswith("-A -f")]
    assert lines == [f"-A -f {lines[0].split()[2]} -s rr -p 60"]
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []
    remove(console, service)
    assert "evenkeel_lvs" not in rack.run("lb1", ["nft", "list", "tables"]).stdout


def test_a_network_of_vips_is_served_and_survives_a_reboot_without_the_console(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = marked(
        console,
        lb1,
        name="range",
        vip="10.10.0.121",
        addresses=[{"network": "10.10.0.192/28", "first_port": 80, "last_port": 443}],
    )
    for address in ("10.10.0.121", "10.10.0.192", "10.10.0.200", "10.10.0.207"):
        assert set(ask(rack, f"http://{address}/", 2)) == {"rs1", "rs2"}, address
    assert ask(rack, "http://10.10.0.208/") == [""]
    assert ask(rack, "http://10.10.0.200:8080/") == [""]
    console.stop()
    try:
        rack.run("lb1", ["systemctl", "reboot"], check=False)
        wait_for_reboot(rack)
        assert set(ask(rack, "http://10.10.0.199/", 2)) == {"rs1", "rs2"}
    finally:
        console.start()
    console.done(console.call("POST", f"lvs/directors/{lb1}/observe/").headers["location"])
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []
    remove(console, service)
    routes = rack.run("lb1", ["ip", "route", "show", "table", "local", "proto", "213"]).stdout
    assert routes == ""


def test_a_routed_network_of_ipv6_vips_is_served(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = marked(
        console,
        lb1,
        name="range-six",
        vip="fd00:10::120",
        forwarding="fullnat",
        real_servers=[{"rip": "fd00:20::11", "port": 0}, {"rip": "fd00:30::13", "port": 0}],
        addresses=[{"network": "fd00:77::/64", "first_port": 80, "last_port": 80}],
    )
    route = ["ip", "-6", "route", "replace", "fd00:77::/64", "via", "fd00:10::1"]
    rack.run("client", route)
    try:
        seen = visits(rack, "http://[fd00:77::abcd]/", 4)
        assert set(seen) == {("rs1", "fd00:20::1"), ("rs3", "fd00:20::1")}
    finally:
        rack.run("client", ["ip", "-6", "route", "delete", "fd00:77::/64"])
    remove(console, service)


def test_our_nftables_table_changed_by_hand_is_shown_as_drift_and_mended(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    rack.run("lb1", ["nft", "add", "table", "inet", "others"])
    service = marked(console, lb1, name="held", vip="10.10.0.122")
    path = f"lvs/directors/{lb1}/"

    def drift(word: str) -> Any:
        text = console.call("GET", path).body["drift"]
        return text if word in text else ""

    rack.run("lb1", ["nft", "flush", "map", "inet", "evenkeel_lvs", "marks4"])
    rack.run("lb1", ["nft", "add", "rule", "inet", "evenkeel_lvs", "prerouting", "counter"])
    found = eventually(lambda: drift("flush chain"), within=60)
    assert "add element inet evenkeel_lvs marks4 { 10.10.0.122 . tcp . 80 :" in found
    console.done(console.call("POST", f"{path}apply/", {}).headers["location"])
    assert set(ask(rack, "http://10.10.0.122/", 2)) == {"rs1", "rs2"}
    rack.run("lb1", ["nft", "delete", "table", "inet", "evenkeel_lvs"])
    eventually(lambda: drift("add table inet evenkeel_lvs"), within=60)
    console.done(console.call("POST", f"{path}apply/", {}).headers["location"])
    assert set(ask(rack, "http://10.10.0.122/", 2)) == {"rs1", "rs2"}
    remove(console, service)
    assert "others" in rack.run("lb1", ["nft", "list", "tables"]).stdout
    rack.run("lb1", ["nft", "delete", "table", "inet", "others"])
