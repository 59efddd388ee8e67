"""Real servers prepared on their own machines, method by method, with real packets; a reboot;
and what is left when they leave: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import ask, declare, eventually, remove
from tests.running_console import RunningConsole

VIP, VIP6 = "10.10.0.60", "fd00:10::60"
RIPS = {"rs1": "10.20.0.11", "rs2": "10.20.0.12", "rs3": "10.30.0.13"}
RIPS6 = {"rs1": "fd00:20::11", "rs2": "fd00:20::12", "rs3": "fd00:30::13"}
#: 60 kB in full segments: hangs where the tunnel swallows them.
_UPLOAD = "head -c 60000 /dev/zero | curl -s -m 20 --data-binary @- '{}' | head -n 1"
_DUMP = """
ip address | sed 's/valid_lft.*//'; ip rule; ip -6 rule
ip route show table all | sort; ip -6 route show table all | grep -v fe80 | sort
sysctl -a 2>/dev/null | grep -E 'arp_|rp_filter'
ip fou show; nft list ruleset; ls /etc/evenkeel /etc/systemd/system/evenkeel* 2>&1; true
"""


def dump(rack: Rack, node: str) -> str:
    """Everything that a preparation may touch on a machine."""
    return rack.run(node, ["sh", "-c", _DUMP]).stdout


@contextmanager
def as_found(rack: Rack, *nodes: str) -> Iterator[None]:
    """Whatever happens inside, the machines are afterwards as they were."""
    for node in nodes:
        rack.run(node, ["modprobe", "-a", "ipip", "ip_gre", "ip6_gre", "ip6_tunnel", "sit", "fou"])
    before = {node: dump(rack, node) for node in nodes}
    yield
    after = {node: dump(rack, node) for node in nodes}
    assert {node: _settled(text) for node, text in after.items()} == {
        node: _settled(text) for node, text in before.items()
    }


def _settled(text: str) -> str:
    """Without what an interface that was up once keeps: its queue."""
    return text.replace("qdisc noqueue", "qdisc noop")


def servers(machines: dict[str, int], *nodes: str, rips: dict[str, str] = RIPS) -> list[Any]:
    return [{"rip": rips[node], "port": 80, "host": machines[node]} for node in nodes]


def upload(rack: Rack, url: str) -> str:
    """Who took 60 kB."""
    return rack.run("client", ["sh", "-c", _UPLOAD.format(url)], timeout=60).stdout.strip()


CASES = [
    pytest.param({"forwarding": "route"}, ("rs1", "rs2"), RIPS, id="DR"),
    pytest.param({"forwarding": "route", "vip": VIP6}, ("rs1", "rs2"), RIPS6, id="DR, IPv6"),
    pytest.param({"forwarding": "tunnel"}, ("rs1", "rs3"), RIPS, id="TUN ipip"),
    pytest.param({"forwarding": "tunnel", "tunnel_type": "gre"}, ("rs3",), RIPS, id="TUN gre"),
    pytest.param(
        {"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "csum"},
        ("rs3",),
        RIPS,
        id="TUN gre with checksum",
    ),
    pytest.param(
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 5555},
        ("rs3",),
        RIPS,
        id="TUN gue",
    ),
    pytest.param(
        {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 5555,
         "tunnel_checksum": "remcsum"},
        ("rs3",),
        RIPS,
        id="TUN gue with remote checksum",
    ),
    pytest.param({"forwarding": "tunnel", "vip": VIP6}, ("rs3",), RIPS6, id="TUN, IPv6 in IPv6"),
    pytest.param({"forwarding": "tunnel", "vip": VIP6}, ("rs3",), RIPS, id="TUN, IPv6 in IPv4"),
    pytest.param({"forwarding": "tunnel"}, ("rs3",), RIPS6, id="TUN, IPv4 in IPv6"),
    pytest.param({"forwarding": "fullnat"}, ("rs1",), RIPS, id="Full NAT needs nothing"),
]  # fmt: skip


#: Every machine that answers "who has this address" on int0 within two seconds.
_WHO_HAS = """
import socket, struct, sys, time
mac = bytes.fromhex(open("/sys/class/net/int0/address").read().strip().replace(":", ""))
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
line.bind(("int0", 0))
line.settimeout(0.2)
vip, own = socket.inet_aton(sys.argv[1]), socket.inet_aton("10.20.0.2")
ask = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + own + bytes(6) + vip
line.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + ask)
until, found = time.monotonic() + 2, set()
while time.monotonic() < until:
    try:
        got = line.recv(100)
    except TimeoutError:
        continue
    if got[20:22] == b"\\x00\\x02" and got[28:32] == vip:
        found.add(got[22:28].hex(":"))
print("\\n".join(sorted(found)))
"""


def who_has(rack: Rack, vip: str) -> set[str]:
    """The hardware addresses that answer ARP for a VIP, asked by lb2 on int0."""
    return set(rack.run("lb2", ["python3", "-c", _WHO_HAS, vip]).stdout.split())


def mac_of(rack: Rack, node: str) -> str:
    return rack.run(node, ["cat", "/sys/class/net/int0/address"]).stdout.strip()


def test_a_real_server_steals_the_vip_without_preparation_and_not_with_it(
    console: RunningConsole, rack: Rack, lb1: int, machines: dict[str, int]
) -> None:
    vip = "10.20.0.60"
    quiet = ["net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce"]
    rack.run("rs1", ["sysctl", "-qw", *(f"{name}=0" for name in quiet)])
    try:
        rack.run("rs1", ["ip", "address", "add", f"{vip}/32", "dev", "lo"])
        assert mac_of(rack, "rs1") in who_has(rack, vip), "a VIP on lo alone is answered for"
        rack.run("rs1", ["ip", "address", "delete", f"{vip}/32", "dev", "lo"])
        service = declare(
            console,
            lb1,
            name="quiet",
            vip=vip,
            forwarding="route",
            apply=True,
            real_servers=servers(machines, "rs1"),
        )
        assert who_has(rack, vip) == {mac_of(rack, "lb1")}
        remove(console, service)
        sysctls = rack.run("rs1", ["sysctl", "-n", *quiet]).stdout.split()
        assert sysctls == ["0", "0"], "as it was before"
    finally:
        rack.run("rs1", ["sysctl", "-qw", f"{quiet[0]}=1", f"{quiet[1]}=2"])


_FIFTY_A_SECOND = """
i=0
while [ ! -e /tmp/moved ]; do
  curl -s -m 10 -o /dev/null http://{vip}/ || echo failed
  i=$((i + 1)); sleep 0.02
done > /tmp/moving 2>&1
echo ended >> /tmp/moving
"""


def test_a_live_service_moves_through_the_methods_without_a_failed_request(
    console: RunningConsole, rack: Rack, lb1: int, machines: dict[str, int]
) -> None:
    service = declare(
        console,
        lb1,
        name="moving",
        vip=VIP,
        forwarding="masq",
        apply=True,
        real_servers=servers(machines, "rs1", "rs2"),
    )
    path = f"lvs/virtual-services/{service['id']}/"
    rack.run("client", ["rm", "-f", "/tmp/moved", "/tmp/moving"])
    script = _FIFTY_A_SECOND.format(vip=VIP)
    rack.run("client", ["sh", "-c", f"({script}) > /dev/null 2>&1 &"])
    try:
        for method in ("route", "tunnel", "masq"):
            told = console.call("GET", f"{path}move-forwarding/?forwarding={method}").body
            assert [one["new_port"] for one in told["real_servers"]] == [None, None]
            begun = console.call("POST", f"{path}move-forwarding/", {"forwarding": method})
            assert begun.status == 202, begun
            console.done(begun.headers["location"])
            assert set(ask(rack, f"http://{VIP}/", 4)) == {"rs1", "rs2"}
    finally:
        rack.run("client", ["touch", "/tmp/moved"])
    said = eventually(
        lambda: (
            (text := rack.run("client", ["cat", "/tmp/moving"]).stdout).endswith("ended\n") and text
        ),
        within=60,
    )
    assert said == "ended\n", "no request failed"
    remove(console, service)
