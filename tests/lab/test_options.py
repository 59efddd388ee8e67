"""Every scheduler, protocol, tunnel and option on a real kernel: declared over the API, applied,
read back as declared, and nothing left to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, planned_lines, table
from tests.running_console import RunningConsole

#: All of them are one request of one apply: under emulation each apply takes seconds.
NEAR = [{"rip": "10.20.0.11", "port": 80}]
NEAR6 = [{"rip": "fd00:20::11", "port": 80}]
FLAGS = {
    "sh": ("sh-fallback", "sh-port", "sh-fallback,sh-port"),
    "mh": ("mh-fallback", "mh-port", "mh-fallback,mh-port"),
}
TUN: dict[str, Any] = {"forwarding": "tunnel"}
MARK: dict[str, Any] = {"matching": "mark"}

Case = tuple[dict[str, Any], list[str]]
#: What is declared, and the lines that `ipvsadm -S -n` must print for it; {vip} and {mark}
#: are filled in.
OPTIONS: dict[str, Case] = {
    "udp-one-packet": (
        {"protocol": "udp", "port": 53, "is_one_packet": True, "forwarding": "route",
         "real_servers": [{"rip": "10.20.0.11", "port": 53}]},
        ["-A -u {vip}:53 -s rr -o", "-a -u {vip}:53 -r 10.20.0.11:53 -g -w 1"],
    ),
    "sip": (
        {"protocol": "udp", "port": 5060, "persistence_timeout": 60, "persistence_engine": "sip",
         "real_servers": [{"rip": "10.20.0.11", "port": 5070}]},
        ["-A -u {vip}:5060 -s rr -p 60 --pe sip", "-a -u {vip}:5060 -r 10.20.0.11:5070 -m -w 1"],
    ),
    "sctp": (
        {"protocol": "sctp", "port": 5000, "real_servers": [{"rip": "10.20.0.11", "port": 5001}]},
        ["-A --sctp-service {vip}:5000 -s rr",
         "-a --sctp-service {vip}:5000 -r 10.20.0.11:5001 -m -w 1"],
    ),
    "persistence-mask": (
        {"persistence_timeout": 300, "persistence_prefix": 24, "real_servers": NEAR},
        ["-A -t {vip}:80 -s rr -p 300 -M 255.255.255.0", "-a -t {vip}:80 -r 10.20.0.11:80 -m -w 1"],
    ),
    "every-port": (
        {"port": 0, "persistence_timeout": 100, "real_servers": [{"rip": "10.20.0.11", "port": 0}]},
        ["-A -t {vip}:0 -s rr -p 100", "-a -t {vip}:0 -r 10.20.0.11:0 -m -w 1"],
    ),
    "thresholds": (
        {"real_servers": [{"rip": "10.20.0.11", "port": 80, "upper_threshold": 100,
                           "lower_threshold": 70}]},
        ["-A -t {vip}:80 -s rr", "-a -t {vip}:80 -r 10.20.0.11:80 -m -w 1"],
    ),
    "full-nat": (
        {"forwarding": "fullnat", "real_servers": [{"rip": "10.30.0.13", "port": 8080}]},
        ["-A -t {vip}:80 -s rr", "-a -t {vip}:80 -r 10.30.0.13:8080 -m -w 1"],
    ),
    "ipip": (
        TUN | {"real_servers": NEAR},
        ["-A -t {vip}:80 -s rr", "-a -t {vip}:80 -r 10.20.0.11:80 -i -w 1 --tun-type ipip"],
    ),
    "gre": (
        TUN | {"tunnel_type": "gre", "tunnel_checksum": "csum", "real_servers": NEAR},
        ["-A -t {vip}:80 -s rr",
         "-a -t {vip}:80 -r 10.20.0.11:80 -i -w 1 --tun-type gre --tun-csum"],
    ),
    "gue": (
        TUN | {"tunnel_type": "gue", "tunnel_port": 6080, "real_servers": NEAR},
        ["-A -t {vip}:80 -s rr",
         "-a -t {vip}:80 -r 10.20.0.11:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum"],
    ),
    "mixed": (
        {"real_servers": [
            *NEAR,
            {"rip": "10.20.0.12", "port": 80, "forwarding": "tunnel", "tunnel_type": "gue",
             "tunnel_port": 6081, "tunnel_checksum": "remcsum"},
            {"rip": "fd00:20::12", "port": 80, **TUN},
        ]},
        ["-A -t {vip}:80 -s rr", "-a -t {vip}:80 -r 10.20.0.11:80 -m -w 1",
         "-a -t {vip}:80 -r 10.20.0.12:80 -i -w 1 --tun-type gue --tun-port 6081 --tun-remcsum",
         "-a -t {vip}:80 -r [fd00:20::12]:80 -i -w 1 --tun-type ipip"],
    ),
    "six": (
        {"vip": "fd00:10::9f", "persistence_timeout": 60, "persistence_prefix": 64,
         "forwarding": "route", "real_servers": NEAR6},
        ["-A -t [{vip}]:80 -s rr -p 60 -M 64", "-a -t [{vip}]:80 -r [fd00:20::11]:80 -g -w 1"],
    ),
    "mark": (
        MARK | {"persistence_timeout": 60, "persistence_prefix": 24,
                "addresses": [{"network": "10.10.77.0/28", "first_port": 80, "last_port": 443}],
                "real_servers": [{"rip": "10.20.0.11", "port": 0}]},
        ["-A -f {mark} -s rr -p 60 -M 255.255.255.0", "-a -f {mark} -r 10.20.0.11:0 -m -w 1"],
    ),
    "mark-six": (
        MARK | {"vip": "fd00:10::9e", "scheduler": "wlc",
                "real_servers": [{"rip": "fd00:20::11", "port": 8080}]},
        ["-A -f {mark} -6 -s wlc", "-a -f {mark} -6 -r [fd00:20::11]:8080 -m -w 1"],
    ),
}  # fmt: skip

REMOVE_ALL = """
from console.access import SYSTEM
from lvs.actions import bulk
from lvs.models import VirtualService
rows = list(VirtualService.objects.filter(name__startswith="option-"))
for answer in bulk.remove_several(SYSTEM, rows, confirm=bulk.words_for_removal(rows)):
    print(answer.operation.pk if answer.operation else "")
"""


def schedulers(rack: Rack) -> list[str]:
    """The scheduler modules of the director's kernel, looked up by hand."""
    script = "find /lib/modules/$(uname -r) -name 'ip_vs_*.ko*'"
    found = re.findall(r"ip_vs_(\w+)\.ko", rack.run("lb1", ["sh", "-c", script]).stdout)
    return sorted(set(found) - {"ftp", "pe_sip"})


def cases(rack: Rack) -> Iterator[tuple[str, Case]]:
    """Every scheduler with each of its flags, then the other options."""
    for name in schedulers(rack):
        for flags in ("", *FLAGS.get(name, ())):
            label = "-".join([name, *re.findall("fallback|port", flags)])
            words = f"-s {name}" + (f" -b {flags}" if flags else "")
            values = {"scheduler": name, "scheduler_flags": flags, "real_servers": NEAR}
            yield (
                label,
                (values, [f"-A -t {{vip}}:80 {words}", "-a -t {vip}:80 -r 10.20.0.11:80 -m -w 1"]),
            )
    yield from OPTIONS.items()


@pytest.fixture
def declared(
    console: RunningConsole, rack: Rack, lb1: int
) -> Iterator[dict[str, tuple[dict[str, Any], list[str]]]]:
    """All of it declared, none applied: {label: (service, expected lines)}. Taken away after."""
    before = table(rack)
    made = {}
    for number, (label, (values, lines)) in enumerate(cases(rack)):
        wanted = {"name": f"option-{label}", "vip": f"10.10.66.{number + 1}"} | values
        service = declare(console, lb1, **wanted, is_vip_managed=False)
        known = {"vip": service["vip"], "mark": service["fwmark"]}
        made[label] = service, [line.format(**known) for line in lines]
    yield made
    for operation in console.manage("shell", "-v", "0", "-c", REMOVE_ALL).split():
        console.done(int(operation))
    assert table(rack) == before


def test_everything_that_the_kernel_has_is_declared_applied_and_read_back(
    console: RunningConsole,
    rack: Rack,
    lb1: int,
    declared: dict[str, tuple[dict[str, Any], list[str]]],
) -> None:
    assert {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf",
            "mh"} <= declared.keys()  # fmt: skip
    before = table(rack)
    planned = planned_lines(console, f"lvs/directors/{lb1}/")
    begun = console.call("POST", f"lvs/directors/{lb1}/apply/")
    assert begun.status == 202, begun
    console.done(begun.headers["location"])

    here = table(rack)
    for label, (service, lines) in declared.items():
        assert set(lines) <= set(here), label
        planned_here = {re.sub(" -x .*", "", line) for line in planned}
        assert set(lines) <= planned_here, f"{label}: planned as the kernel prints it"
        left = planned_lines(console, f"lvs/virtual-services/{service['id']}/")
        assert left == [], label
    expected = [line for _service, lines in declared.values() for line in lines]
    assert sorted(here) == sorted([*before, *expected])
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []

    thresholds = rack.run("lb1", ["ipvsadm", "-Ln", "--thresholds"]).stdout
    assert re.search(r"10\.20\.0\.11:80 +100 +70\b", thresholds)
    marks = [service["fwmark"] for service, _lines in declared.values() if service["fwmark"]]
    assert len(set(marks)) == 2 and all(0x0E000001 <= mark <= 0x0EFFFFFF for mark in marks)


def test_the_kernel_is_as_the_refusals_say(rack: Rack) -> None:
    """The SIP engine drops TCP, and a mark is looked up before the address. By hand: the
    console would refuse both."""
    script = """set -e
sysctl -qw net.ipv4.ip_forward=1
ip address add 10.10.0.150/32 dev pub0
ipvsadm -A -t 10.10.0.150:80 -s rr -p 60 --pe sip
ipvsadm -a -t 10.10.0.150:80 -r 10.20.0.11:80 -m
"""
    marked = """set -e
ipvsadm -E -t 10.10.0.150:80 -s rr
nft add table inet byhand
nft "add chain inet byhand pre { type filter hook prerouting priority mangle; }"
nft add rule inet byhand pre ip daddr 10.10.0.150 tcp dport 80 meta mark set 9
ipvsadm -A -f 9 -s rr
ipvsadm -a -f 9 -r 10.20.0.12:80 -m
"""
    clear = """nft delete table inet byhand
ipvsadm -D -t 10.10.0.150:80
ipvsadm -D -f 9
ip address del 10.10.0.150/32 dev pub0
sysctl -qw net.ipv4.ip_forward=0
"""
    forwards = rack.run("lb1", ["sysctl", "-n", "net.ipv4.ip_forward"]).stdout.strip()
    try:
        rack.run("lb1", ["sh", "-c", script])
        assert ask(rack, "http://10.10.0.150/") == [""]
        rack.run("lb1", ["sh", "-c", "ipvsadm -E -t 10.10.0.150:80 -s rr"])
        assert ask(rack, "http://10.10.0.150/") == ["rs1"]
        rack.run("lb1", ["sh", "-c", marked])
        assert ask(rack, "http://10.10.0.150/") == ["rs2"]
    finally:
        rack.run("lb1", ["sh", "-c", clear], check=False)
        rack.run("lb1", ["sysctl", "-qw", f"net.ipv4.ip_forward={forwards}"])


def test_options_change_in_place(console: RunningConsole, rack: Rack, lb1: int) -> None:
    """An edit says everything: what is not changed stays, and what is dropped goes."""
    service = declare(
        console,
        lb1,
        name="option-edited",
        vip="10.10.66.1",
        protocol="udp",
        port=5060,
        persistence_timeout=60,
        persistence_engine="sip",
        real_servers=[{"rip": "10.20.0.11", "port": 5060, "upper_threshold": 9}],
        apply=True,
    )
    path = f"lvs/virtual-services/{service['id']}/"
    kept = console.call("GET", path).body["real_servers"][0]
    changed = console.call(
        "PATCH",
        path,
        {
            "scheduler": "mh",
            "scheduler_flags": "mh-port",
            "persistence_engine": "",
            "persistence_prefix": 16,
            "real_servers": [kept | {"forwarding": "tunnel", "tunnel_type": "gre", "weight": 7}],
            "apply": True,
        },
    )
    assert changed.status == 200, changed
    console.done(changed.body["operation"])
    here = table(rack)
    assert "-A -u 10.10.66.1:5060 -s mh -p 60 -M 255.255.0.0 -b mh-port" in here
    assert "-a -u 10.10.66.1:5060 -r 10.20.0.11:5060 -i -w 7 --tun-type gre --tun-nocsum" in here
    assert planned_lines(console, path) == []
    for operation in console.manage("shell", "-v", "0", "-c", REMOVE_ALL).split():
        console.done(int(operation))


def test_entries_with_every_option_are_adopted_as_they_are(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    """Tunnels, SCTP, engines and port 0 that somebody put there; a mark is left alone, in words."""
    before = table(rack)
    foreign = [
        "-A --sctp-service 10.10.67.1:5000 -s wlc",
        "-a --sctp-service 10.10.67.1:5000 -r 10.20.0.11:5000 -g -w 1",
        "-A -u 10.10.67.2:5060 -s rr -p 60 --pe sip",
        "-A -t 10.10.67.3:0 -s rr -p 100",
        "-a -t 10.10.67.3:0 -r 10.20.0.11:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
        "-a -t 10.10.67.3:0 -r 10.20.0.12:0 -i -w 2 --tun-type ipip",
        "-A -f 7 -s rr",
    ]
    rack.run("lb1", ["ipvsadm", "-R"], given="".join(f"{line}\n" for line in foreign))
    with_them = table(rack)
    seen = console.call("POST", f"lvs/directors/{lb1}/observe/")
    console.done(seen.headers["location"])
    listed = console.call("GET", f"lvs/directors/{lb1}/unmanaged/").body["results"]
    entries = {entry["key"]: entry for entry in listed}
    assert "mark" in entries["fwmark:7"]["reason"] and not entries["fwmark:7"]["can_adopt"]
    for name, key in (
        ("option-sctp", "sctp:10.10.67.1:5000"),
        ("option-sip", "udp:10.10.67.2:5060"),
        ("option-zero", "tcp:10.10.67.3:0"),
    ):
        assert entries[key]["can_adopt"], entries[key]
        adopted = console.call("POST", f"lvs/directors/{lb1}/adopt/", {"key": key, "name": name})
        assert adopted.status in (201, 202), adopted
        console.done(adopted.body["operation"])
    assert table(rack) == with_them
    for operation in console.manage("shell", "-v", "0", "-c", REMOVE_ALL).split():
        console.done(int(operation))
    rack.run("lb1", ["ipvsadm", "-D", "-f", "7"])
    assert table(rack) == before
