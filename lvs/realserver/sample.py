"""One look at a real server: a read-only script for one round trip, and its reading."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from lvs.director.sample import IncompleteSample, split
from lvs.realserver import boot
from lvs.realserver.items import NFT, NFT_TABLE, PRIORITY, PROTOCOLS, Item, Key, ip, table_of
from lvs.realserver.needs import Need

ARGV = ("sh", "-s")
#: Addresses of the documentation prefixes (RFC 5737, RFC 3849): outside everywhere.
OUTSIDE = {"ip": "198.51.100.1", "ip -6": "2001:db8::1"}

_SCRIPT = f"""
echo '@@ kernel'
uname -r
echo '@@ clock'
date +%s
echo '@@ links'
ip -j address show
echo '@@ settings'
grep -s . /proc/sys/net/ipv4/conf/*/arp_ignore /proc/sys/net/ipv4/conf/*/arp_announce \\
  /proc/sys/net/ipv4/conf/*/rp_filter
echo '@@ rules'
ip rule show priority {PRIORITY} 2>/dev/null
ip -6 rule show priority {PRIORITY} 2>/dev/null
echo '@@ routes'
for f in -4 -6; do
  ip $f route show table all 2>/dev/null | grep -e '^default .* table 2' -e '^local [^ ]*/'
done
echo '@@ gue'
ip fou show 2>/dev/null
echo '@@ nft'
command -v nft
nft list table inet {NFT_TABLE} 2>/dev/null
echo '@@ files'
sha256sum {boot.SCRIPT} {NFT} {boot.UNIT} 2>/dev/null
echo '@@ record'
cat {boot.RECORD} 2>/dev/null
echo '@@ unit'
{boot.IS_ENABLED} 2>/dev/null
"""
_RULE = re.compile(
    rf"{PRIORITY}:\s+from (?P<rip>\S+)(?: ipproto (?P<protocol>\S+))?(?: sport (?P<port>\d+))?"
    r" lookup (?P<table>\d+)"
)
_NUMBERS = {**PROTOCOLS, **{str(number): number for number in PROTOCOLS.values()}}
_ROUTE = re.compile(r"default via (?P<gateway>\S+) .*\btable (?P<table>\d+)")
_NETWORK = re.compile(r"local (?P<network>\S+/\d+) dev lo\b")
_GUE = re.compile(r"port (?P<port>\d+) gue(?P<six> -6)?")
_CLAMP = re.compile(r"saddr (?P<vip>\S+) .*maxseg size set (?P<mss>\d+)")
_VIA = re.compile(r"\bvia (\S+)")
#: A way by a table of ours is not the machine's own way out.
_OWN_TABLE = re.compile(r"\btable 2\d{4}\b")


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine as it was seen.

    `addresses` maps interfaces to addresses with prefix; `up` are the interfaces that are up;
    `settings` are sysctls; `rules` are (RIP, protocol number, port, table) as text, `routes`
    the gateway by table; `record` is how things were before us ([kind, name, was]);
    `ways` the gateway that answers of a rule's name would take without us; `connections` the
    open ones by the machine's own end ("ADDRESS,PORT").
    """

    kernel: str = ""
    clock: int = 0
    addresses: dict[str, list[str]] = field(default_factory=dict)
    up: list[str] = field(default_factory=list)
    settings: dict[str, int] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    routes: dict[str, str] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    gue: list[str] = field(default_factory=list)
    has_nft: bool = True
    clamps: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    record: list[list[str]] = field(default_factory=list)
    is_unit_enabled: bool = False
    ways: dict[str, str] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)

    def has(self, item: Item) -> bool:
        """Whether an item is in place."""
        return _HAS[item.kind](self, item)

    @property
    def before(self) -> dict[Key, str]:
        """How things were before us, in the order in which they were noted."""
        return {Key(kind, name): was for kind, name, was in self.record}

    def held(self) -> dict[str, list[str]]:
        """Interfaces by address, without its prefix."""
        found: dict[str, list[str]] = {}
        for name, addresses in self.addresses.items():
            for address in addresses:
                found.setdefault(address.partition("/")[0], []).append(name)
        return found

    def open_connections(self, need: Need) -> int:
        """TCP connections that a need still carries; 0 where they were not counted."""
        return sum(
            count
            for end, count in self.connections.items()
            if end.partition(",")[0] == need.local_address
            and need.port in (0, int(end.partition(",")[2]))
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Seen:
        """What `to_json` wrote; missing parts have their defaults."""
        return cls(**data)


def _has_setting(seen: Seen, item: Item) -> bool:
    return seen.settings.get(item.name, -1) >= int(item.value)


def _holds(seen: Seen, device: str, vip: str) -> bool:
    return vip in {one.partition("/")[0] for one in seen.addresses.get(device, ())}


def _has_rule(seen: Seen, item: Item) -> bool:
    rip, protocol, port, gateway = item.name.split(",")
    return f"{rip},{protocol},{port},{table_of(gateway)}" in seen.rules


_HAS: dict[str, Any] = {
    "setting": _has_setting,
    "module": lambda seen, item: item.value in seen.addresses,
    "link": lambda seen, item: item.name in seen.up,
    "device": lambda seen, item: item.name in seen.up,
    "gue": lambda seen, item: item.name in seen.gue,
    "address": lambda seen, item: "lo" in seen.held().get(item.name, ()),
    "inside": lambda seen, item: _holds(seen, *item.name.split(",")),
    "network": lambda seen, item: item.name in seen.networks,
    "route": lambda seen, item: seen.routes.get(str(table_of(item.name))) == item.name,
    "rule": _has_rule,
    "clamp": lambda seen, item: sorted(seen.clamps) == item.value.split(),
}


def script(rules: Iterable[str] = (), locals_: Collection[str] = ()) -> bytes:
    """The look: `rules` names the answers whose way is asked, `locals_` the machine's ends
    of connections that are counted."""
    ways = "".join(f"echo '{name}' $({_get(name)} 2>/dev/null)\n" for name in sorted(rules))
    filters = " or ".join(f"src {address}" for address in sorted(locals_))
    counted = (
        f"ss -Htn state connected exclude time-wait '( {filters} )'"
        " | awk '{n[$(NF-1)]++} END {for (a in n) print n[a], a}'\n"
        if filters
        else ""
    )
    return (
        f"{_SCRIPT}echo '@@ ways'\n{ways}echo '@@ connections'\n{counted}echo '@@ end'\n".encode()
    )


def _get(name: str) -> str:
    rip, protocol, port, _gateway = name.split(",")
    command = ip(rip)
    words = f" sport {port}" if port != "0" else ""
    return f"{command} route get {OUTSIDE[command]} from {rip} ipproto {protocol}{words}"


def read(text: str, said: str = "") -> Seen:
    """Read the answer of the script. Raises IncompleteSample without its end."""
    parts = split(text, said)
    try:
        links = json.loads(parts["links"])
    except ValueError as error:
        raise IncompleteSample("ip -j address show answered no list of links") from error
    nft = parts["nft"]
    return Seen(
        kernel=parts["kernel"].strip(),
        clock=int(parts["clock"].strip() or 0),
        addresses={
            link["ifname"]: [
                f"{one['local']}/{one['prefixlen']}"
                for one in link.get("addr_info", ())
                if "local" in one
            ]
            for link in links
            if "ifname" in link
        },
        up=[link["ifname"] for link in links if "UP" in link.get("flags", ())],
        settings=_settings(parts["settings"]),
        rules=[_rule(found) for found in _RULE.finditer(parts["rules"])],
        routes={found["table"]: found["gateway"] for found in _ROUTE.finditer(parts["routes"])},
        networks=[found["network"] for found in _NETWORK.finditer(parts["routes"])],
        gue=[
            f"{6 if found['six'] else 4}:{found['port']}" for found in _GUE.finditer(parts["gue"])
        ],
        has_nft=bool(nft.strip()),
        clamps=[f"{found['vip']}={found['mss']}" for found in _CLAMP.finditer(nft)],
        files={
            path: digest
            for digest, _, path in (line.partition("  ") for line in parts["files"].splitlines())
            if path
        },
        record=[words for line in parts["record"].splitlines() if len(words := line.split()) == 3],
        is_unit_enabled=parts["unit"].strip() == "enabled",
        ways=_ways(parts["ways"]),
        connections=_connections(parts["connections"]),
    )


def _settings(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        path, _, value = line.rpartition(":")
        *_start, conf, interface, name = path.split("/")
        if conf == "conf" and value.strip().isdecimal():
            found[f"net.ipv4.conf.{interface.replace('.', '/')}.{name}"] = int(value)
    return found


def _rule(found: re.Match[str]) -> str:
    protocol = _NUMBERS.get(found["protocol"] or "", 0)
    return f"{found['rip']},{protocol},{found['port'] or 0},{found['table']}"


def _ways(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if not name:
            continue
        via = _VIA.search(rest)
        found[name] = via[1] if via and not _OWN_TABLE.search(rest) else ""
    return found


def _connections(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in text.split("\n"):
        count, _, local = line.strip().partition(" ")
        if not local:
            continue
        address, _, port = local.rpartition(":")
        end = f"{address.strip('[]').removeprefix('::ffff:')},{port}"
        found[end] = found.get(end, 0) + int(count)
    return found
