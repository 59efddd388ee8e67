"""A director that runs already is imported under traffic: by hand, and from keepalived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.conftest import onboard
from tests.lab.services import eventually, planned_lines, remove, table
from tests.lab.steady import steady_traffic
from tests.running_console import RunningConsole

BY_HAND = """
set -e
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.vs.expire_nodest_conn=1 net.ipv4.vs.sloppy_tcp=1
sysctl -qw net.ipv6.conf.all.forwarding=1
for vip in 10.10.0.80/32 10.10.0.90/32 10.10.0.91/32 10.10.0.92/32; do
  ip address replace $vip dev pub0
done
ip address replace fd00:10::90/128 dev pub0 nodad
ipvsadm --set 800 90 250
ipvsadm -R <<'RULES'
-A -t 10.10.0.90:80 -s wrr
-a -t 10.10.0.90:80 -r 10.20.0.11:8080 -m -w 2 -x 5000 -y 4000
-a -t 10.10.0.90:80 -r 10.20.0.12:80 -m -w 1
-A -t 10.10.0.80:80 -s sh -b sh-port
-a -t 10.10.0.80:80 -r 10.20.0.11:80 -g -w 1
-a -t 10.10.0.80:80 -r 10.20.0.12:80 -g -w 1
-A -u 10.10.0.91:53 -s rr -p 60 -M 255.255.255.0
-a -u 10.10.0.91:53 -r 10.20.0.11:53 -m -w 1
-A -t 10.10.0.92:443 -s mh -p 600 -b mh-port,mh-fallback
-a -t 10.10.0.92:443 -r 10.30.0.13:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.10.0.92:443 -r 10.20.0.11:443 -i -w 3 --tun-type ipip
-A --sctp-service 10.10.0.92:5000 -s lc
-a --sctp-service 10.10.0.92:5000 -r 10.20.0.12:5000 -m -w 0
-A -t [fd00:10::90]:80 -s wlc
-a -t [fd00:10::90]:80 -r [fd00:20::11]:8080 -m -w 1
-A -f 77 -s rr
-a -f 77 -r 10.20.0.11:0 -m -w 1
-a -f 77 -r 10.20.0.12:0 -m -w 1
RULES
nft add table ip byhand
nft add chain ip byhand pre '{ type filter hook prerouting priority mangle; }'
nft add rule ip byhand pre ip daddr 10.10.0.91 tcp dport '{ 80, 8080 }' counter meta mark set 77
"""
CLEAR = """
ipvsadm -C
ipvsadm --set 900 120 300
nft delete table ip byhand 2>/dev/null
for vip in 10.10.0.80/32 10.10.0.82/32 10.10.0.90/32 10.10.0.91/32 10.10.0.92/32 fd00:10::90/128
do ip address delete $vip dev pub0 2>/dev/null; done
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.vs.expire_nodest_conn=0 net.ipv4.vs.sloppy_tcp=0
sysctl -qw net.ipv6.conf.all.forwarding=0
systemctl stop keepalived 2>/dev/null
systemctl unmask keepalived 2>/dev/null
systemctl reset-failed keepalived 2>/dev/null
rm -f /etc/keepalived/keepalived.conf
systemctl disable evenkeel-ipvs.service 2>/dev/null
rm -rf /etc/evenkeel /etc/sysctl.d/60-evenkeel.conf /etc/systemd/system/evenkeel-ipvs.service
true
"""
KEEPALIVED = """
global_defs {
    router_id lb2
    vrrp_garp_master_delay 1
}
vrrp_instance VI_1 {
    state MASTER
    interface pub0
    virtual_router_id 51
    priority 120
    advert_int 1
    virtual_ipaddress {
        10.10.0.82/32 dev pub0
    }
}
# front shop
virtual_server 10.10.0.82 80 {
    delay_loop 2
    lvs_sched wrr
    lvs_method DR
    protocol TCP
    sorry_server 10.20.0.99 80
    real_server 10.20.0.11 80 {
        weight 2
        TCP_CHECK {
            connect_timeout 5
        }
    }
    real_server 10.20.0.12 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 5
        }
    }
    real_server 10.20.0.77 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 1
            retry 1
        }
    }
}
"""


@pytest.fixture(scope="module")
def importer(rack: Rack) -> Iterator[RunningConsole]:
    """A console that has never seen these directors."""
    running = RunningConsole(EVENKEEL_POLL_INTERVAL="600")
    running.start()
    try:
        onboard(running, rack, ("lb1", "lb2"))
        yield running
    finally:
        running.stop()
        for name in ("lb1", "lb2"):
            rack.run(name, ["sh", "-c", CLEAR])


def _director(console: RunningConsole, name: str) -> int:
    host = console.call("GET", f"hosts/?q={name}").body["results"][0]
    made = console.call("POST", "lvs/directors/", {"host": host["id"], "vip_interface": "int0"})
    assert made.status == 201, made
    console.done(made.body["operation"])
    number: int = made.body["id"]
    return number


def _survey(console: RunningConsole, path: str) -> dict[str, Any]:
    begun = console.call("POST", f"{path}import/", {"dry_run": True})
    assert begun.status == 202, begun
    console.done(begun.headers["location"])
    report: dict[str, Any] = console.call("GET", f"{path}import/").body
    return report


def _import(console: RunningConsole, path: str) -> dict[str, Any]:
    """Import, and see that its apply changed no line of the table."""
    done = console.call("POST", f"{path}import/", {"dry_run": False})
    assert done.status == 201, done
    operation = console.done(done.body["operation"])
    assert operation["result"]["lines"] == 0, operation
    found: dict[str, Any] = done.body
    return found


def _remove_all(console: RunningConsole, services: list[int]) -> None:
    for number in services:
        remove(console, console.call("GET", f"lvs/virtual-services/{number}/").body)


def _thresholds(rack: Rack, node: str) -> list[str]:
    """The table with thresholds, without the counts of connections."""
    text = rack.run(node, ["ipvsadm", "-Ln", "--thresholds"]).stdout
    return [" ".join(line.split()[:4]) for line in text.splitlines()]


def test_a_director_set_up_by_hand_is_imported_and_not_a_request_is_lost(
    importer: RunningConsole, rack: Rack
) -> None:
    number = _director(importer, "lb1")
    path = f"lvs/directors/{number}/"
    rack.run("lb1", ["sh", "-s"], given=BY_HAND)
    before = table(rack), _thresholds(rack, "lb1")
    asked = [("10.10.0.90", 80), ("10.10.0.80", 80), ("10.10.0.91", 8080)]
    with steady_traffic(rack, asked) as traffic:
        report = _survey(importer, path)
        assert report["blockers"] == [] and report["is_possible"], report
        assert report["counts"] == {"new": 7, "declared": 0, "differs": 0, "refused": 0}
        assert report["values"]["tcp_timeout"] == 800
        assert report["values"]["vip_interface"] == "pub0"
        settings = report["values"]["kernel_settings"]
        assert settings == {"expire_nodest_conn": "1", "sloppy_tcp": "1"}
        assert {entry["name"] for entry in report["entries"]} >= {"tcp-10.10.0.90-80", "fwmark-77"}
        imported = _import(importer, path)
    assert traffic.failed == [], traffic
    assert traffic.sent > 0 and set(traffic.answered) == {"rs1", "rs2"}, traffic
    print(f"{traffic.sent} requests in {traffic.seconds:.0f} s, {len(traffic.failed)} failed")
    assert (table(rack), _thresholds(rack, "lb1")) == before
    assert len(imported["services"]) == 7
    assert planned_lines(importer, path) == []
    assert importer.call("GET", f"{path}planned-changes/").body["steps"] == []
    again = _survey(importer, path)
    assert again["counts"] == {"new": 0, "declared": 7, "differs": 0, "refused": 0}
    _remove_all(importer, imported["services"])
    assert table(rack) == []


def test_keepalived_hands_over_its_table_and_not_a_request_is_lost(
    importer: RunningConsole, rack: Rack
) -> None:
    number = _director(importer, "lb2")
    path = f"lvs/directors/{number}/"
    rack.run("lb2", ["sh", "-c", "cat > /etc/keepalived/keepalived.conf"], given=KEEPALIVED)
    rack.run("lb2", ["systemctl", "start", "keepalived"])
    eventually(lambda: len(table(rack, "lb2")) == 3 and _holds(rack, "10.10.0.82"), within=90)
    before = table(rack, "lb2")
    with steady_traffic(rack, [("10.10.0.82", 80)]) as traffic:
        report = _survey(importer, path)
        assert [one["code"] for one in report["blockers"]] == ["import-other-writer"]
        codes = {one["code"] for one in report["problems"]}
        assert {"keepalived-vrrp", "keepalived-check", "keepalived-sorry",
                "import-dead-server"} <= codes  # fmt: skip
        assert [entry["name"] for entry in report["entries"]] == ["front-shop"]
        refused = importer.call("POST", f"{path}import/", {"dry_run": False})
        assert refused.status == 409 and "keepalived" in refused.body["detail"]
        _first, *steps = [step["command"] for step in report["handover"]]
        for command in filter(None, steps):
            rack.run("lb2", ["sh", "-c", command])
        assert not rack.run("lb2", ["pgrep", "keepalived"], check=False).stdout
        assert table(rack, "lb2") == before and _holds(rack, "10.10.0.82")
        after = _survey(importer, path)
        assert after["blockers"] == [], after["blockers"]
        imported = _import(importer, path)
    assert traffic.failed == [], traffic
    assert set(traffic.answered) == {"rs1", "rs2"}, traffic
    print(f"{traffic.sent} requests in {traffic.seconds:.0f} s, {len(traffic.failed)} failed")
    assert table(rack, "lb2") == before
    assert importer.call("GET", f"{path}planned-changes/").body["steps"] == []
    service = importer.call("GET", f"lvs/virtual-services/{imported['services'][0]}/").body
    assert service["is_vip_managed"]
    _remove_all(importer, imported["services"])
    assert table(rack, "lb2") == [] and not _holds(rack, "10.10.0.82")


def _holds(rack: Rack, vip: str) -> bool:
    return f" {vip}/" in rack.run("lb2", ["ip", "-o", "-4", "address", "show", "pub0"]).stdout
