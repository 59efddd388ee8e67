"""The single things that are put on a machine, and the shell lines that put and take them.

The same lines run as steps of an operation, at every boot, and in the script for a machine
that the console may not log in to. A line may run twice and changes nothing then.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from lvs.realserver.needs import family_of

DIRECTORY = "/etc/evenkeel"
NFT = f"{DIRECTORY}/realserver.nft"
NFT_TABLE = "evenkeel_realserver"

#: Our policy rules stand under this priority: after `local`, before `main` (ip-rule(8)).
PRIORITY = 15000
#: IP protocols by number (IANA): a slim machine has no /etc/protocols.
PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_FIRST_TABLE, _TABLES = 20000, 10000


class Key(NamedTuple):
    """What makes an item that one, as the record on the machine names it: no blanks."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a machine should have.

    | kind    | name                     | value                       |
    |---------|--------------------------|-----------------------------|
    | setting | sysctl                   | the least value             |
    | module  | kernel module            | the interface that it makes |
    | link    | interface to be up       |                             |
    | device  | interface to be made     | its kind and options        |
    | gue     | 4:PORT or 6:PORT         |                             |
    | address | VIP                      |                             |
    | inside  | interface,VIP            |                             |
    | network | network of VIPs          |                             |
    | route   | gateway                  |                             |
    | rule    | RIP,PROTOCOL,PORT,GATEWAY|                             |
    | clamp   | nftables table           | VIP=MSS, separated by blanks|
    """

    kind: str
    name: str
    value: str = ""

    @property
    def key(self) -> Key:
        return Key(self.kind, self.name)


def rank(key: Key) -> float:
    """The order of putting; taking goes the other way. ARP comes first, so that there is no
    moment in which the machine answers for the VIP."""
    if key.kind == "setting":
        return 0 if "arp_" in key.name else 3
    return _RANKS[key.kind]


_RANKS = {
    "module": 1,
    "device": 2,
    "link": 2.5,
    "gue": 4,
    "address": 5,
    "inside": 5.5,
    "network": 6,
    "route": 7,
    "rule": 8,
    "clamp": 9,
}


def put(item: Item) -> tuple[str, ...]:
    """The lines that put an item in place."""
    return _PUT[item.kind](item)


def take(key: Key, before: str) -> tuple[str, ...]:
    """The lines that bring back what was there before us: "absent", "down", or a value."""
    return _TAKE[key.kind](key.name, before)


def table_of(gateway: str) -> int:
    """The routing table whose only way out is this gateway."""
    return _FIRST_TABLE + zlib.crc32(gateway.encode()) % _TABLES


def device_name(kind: str, rip: str) -> str:
    """A name of ours for a tunnel device, within the kernel's 15 characters."""
    return f"ek{kind}{zlib.crc32(rip.encode()):08x}"


def rule_words(name: str) -> str:
    """A rule's name as ip-rule(8) wants it."""
    rip, protocol, port, gateway = name.split(",")
    source = f" ipproto {protocol}" + (f" sport {port}" if port != "0" else "")
    return f"from {rip}{source} lookup {table_of(gateway)} priority {PRIORITY}"


def ip(name: str) -> str:
    """The command for the family of an address."""
    return "ip -6" if family_of(name) == 6 else "ip"


def _address(name: str) -> str:
    return f"{name}/128" if ":" in name else f"{name}/32"


def _put_address(item: Item) -> tuple[str, ...]:
    """Without duplicate detection, which would find the director; and deprecated, so that
    the machine never speaks from the VIP unasked (RFC 6724, rule 3)."""
    options = " nodad preferred_lft 0" if ":" in item.name else ""
    return (f"ip address replace {_address(item.name)} dev lo{options}",)


def _inside(name: str) -> str:
    device, _, vip = name.partition(",")
    return f"{_address(vip)} dev {device}"


def _put_device(item: Item) -> tuple[str, ...]:
    show = f"ip link show dev {item.name} > /dev/null 2>&1"
    return (
        f"{show} || ip link add {item.name} type {item.value}",
        f"ip link set {item.name} up",
    )


def _gue(name: str) -> tuple[str, str, str]:
    family, _, port = name.partition(":")
    shown = f"port {port} gue -6" if family == "6" else f"port {port} gue$"
    return ("ip -6" if family == "6" else "ip"), port, shown


def _put_gue(item: Item) -> tuple[str, ...]:
    command, port, shown = _gue(item.name)
    is_there = f"ip fou show | sed 's/ *$//' | grep -q '{shown}'"
    return "modprobe fou", f"{is_there} || {command} fou add port {port} gue"


def _put_rule(item: Item) -> tuple[str, ...]:
    command, words = ip(item.name), rule_words(item.name)
    return (f"{command} rule delete {words} 2> /dev/null || :", f"{command} rule add {words}")


_PUT: dict[str, Callable[[Item], tuple[str, ...]]] = {
    "setting": lambda item: (f"sysctl -qw {item.name}={item.value}",),
    "module": lambda item: (f"modprobe {item.name}",),
    "link": lambda item: (f"ip link set {item.name} up",),
    "device": _put_device,
    "gue": _put_gue,
    "address": _put_address,
    "inside": lambda item: (f"ip address replace {_inside(item.name)}",),
    "network": lambda item: (f"{ip(item.name)} route replace local {item.name} dev lo",),
    "route": lambda item: (
        f"{ip(item.name)} route replace default via {item.name} table {table_of(item.name)}",
    ),
    "rule": _put_rule,
    "clamp": lambda _item: (f"nft -f {NFT}",),
}


def _take_setting(name: str, before: str) -> tuple[str, ...]:
    return (f"sysctl -qw {name}={before}",) if before.lstrip("-").isdecimal() else ()


def _if_absent(line: Callable[[str], str]) -> Callable[[str, str], tuple[str, ...]]:
    return lambda name, before: (line(name),) if before == "absent" else ()


_TAKE: dict[str, Callable[[str, str], tuple[str, ...]]] = {
    "setting": _take_setting,
    "module": lambda _name, _before: (),
    "link": lambda name, before: (f"ip link set {name} down",) if before == "down" else (),
    "device": _if_absent(lambda name: f"ip link delete {name}"),
    "gue": _if_absent(lambda name: f"{_gue(name)[0]} fou del port {_gue(name)[1]}"),
    "address": _if_absent(lambda name: f"ip address delete {_address(name)} dev lo"),
    "inside": _if_absent(lambda name: f"ip address delete {_inside(name)}"),
    "network": _if_absent(lambda name: f"{ip(name)} route delete local {name} dev lo"),
    "route": _if_absent(lambda name: f"{ip(name)} route flush table {table_of(name)}"),
    "rule": _if_absent(lambda name: f"{ip(name)} rule delete {rule_words(name)}"),
    "clamp": _if_absent(lambda name: f"nft delete table inet {name}"),
}
