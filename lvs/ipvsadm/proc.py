"""Reads what the kernel prints under /proc/net: `ip_vs`, `ip_vs_conn`, `ip_vs_stats`.

/proc/net/ip_vs is about ten times cheaper than `ipvsadm -Ln`, and knows less: no
thresholds, no scheduler flags, no persistence engine, no tunnel data, no one-packet
flag on IPv6 services; persistence is in jiffies; and it does not say whether a
firewall mark is of IPv4 or IPv6. So it has its own value, `ProcSection`, and
`combine` makes tables.

Sources: ip_vs_info_seq_show() and ip_vs_conn_seq_show() in net/netfilter/ipvs (6.1).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from .errors import ParseError
from .lexer import PROTOCOL_NAMES, lines_of
from .listing import METHODS, Listed, check_heading
from .types import (
    Connection,
    Connections,
    DestinationKey,
    Rates,
    ServiceKey,
    Stats,
)


class ProcSection(NamedTuple):
    """One service in /proc/net/ip_vs.

    `fwmark` is set, and `key` None, for a firewall mark: its family is not known.
    `jiffies` is the persistence timeout (None: none), `mask` its raw mask;
    `one_packet` is None where the kernel does not tell (IPv6).
    """

    key: ServiceKey | None
    fwmark: int
    scheduler: str
    one_packet: bool | None
    jiffies: int | None
    mask: str
    rows: dict[DestinationKey, Listed]


_HEADING = (
    "Prot LocalAddress:Port Scheduler Flags",
    "-> RemoteAddress:Port Forward Weight ActiveConn InActConn",
)
_CONNECTION_HEADING = ["Pro", "FromIP", "FPrt", "ToIP", "TPrt", "DestIP", "DPrt", "State"]


def parse_proc(text: str) -> list[ProcSection]:
    """/proc/net/ip_vs, in its own order. Raises ParseError."""
    lines = lines_of(text)
    first = check_heading(lines, _HEADING, needs_banner=True)
    sections: list[ProcSection] = []
    rows: dict[DestinationKey, Listed] | None = None
    for index in range(first, len(lines)):
        words = lines[index].split()
        try:
            if words[0] == "->":
                _, text_key, method, weight, active, inactive = words
                key = hex_endpoint(text_key)
                if rows is None or key in rows:
                    raise ValueError("a real server twice, or under no service")
                rows[key] = Listed(
                    METHODS[method], int(weight), Connections(int(active), int(inactive))
                )
            else:
                section = _section(words)
                rows = section.rows
                sections.append(section)
        except (ValueError, LookupError):
            raise ParseError("the line is not understood", lines[index], index + 1) from None
    return sections


def _section(words: list[str]) -> ProcSection:
    """ "TCP  0A0A003C:0050 wlc  persistent 90000 FFFFFF00". Raises ValueError, LookupError."""
    kind, name, scheduler, *rest = words
    one_packet: bool | None = bool(rest) and rest[0] == "ops"
    if one_packet:
        rest = rest[1:]
    jiffies, mask = None, ""
    if rest:
        word, number, mask = rest
        if word != "persistent":
            raise ValueError(word)
        jiffies = int(number)
    if kind == "FWM":
        return ProcSection(None, int(name, 16), scheduler, one_packet, jiffies, mask, {})
    address, port = hex_endpoint(name)
    family = 6 if ":" in address else 4
    key = ServiceKey(PROTOCOL_NAMES[kind], address, port, 0, family)
    if family == 6:
        one_packet = None
    return ProcSection(key, 0, scheduler, one_packet, jiffies, mask, {})


@lru_cache(maxsize=1 << 17)
def hex_endpoint(text: str) -> DestinationKey:
    """ "0A0A003C:0050" or "[fd00:0000:…:0060]:0050". Raises ValueError."""
    address, _, port = text.rpartition(":")
    if len(port) != 4:
        raise ValueError(f"{text!r} is not address:port in hexadecimal")
    return DestinationKey(hex_address(address.removeprefix("[").removesuffix("]")), int(port, 16))


def hex_address(text: str) -> str:
    """ "0A0A003C" or a full IPv6 address, in canonical form. Raises ValueError."""
    if ":" in text:
        return str(IPv6Address(text))
    if len(text) != 8:
        raise ValueError(f"{text!r} is not an IPv4 address in hexadecimal")
    return ".".join(str(octet) for octet in bytes.fromhex(text))


@lru_cache(maxsize=1024)
def mask_text(mask: str, family: int) -> str:
    """The netmask that the kernel printed in hexadecimal, as ipvsadm would print it.

    An IPv6 prefix length is printed with its bytes swapped on little-endian machines.
    """
    number = int(mask, 16)
    if family == 4:
        return hex_address(mask)
    return str(number if number <= 128 else int.from_bytes(number.to_bytes(4, "little")))


def parse_connections(text: str) -> list[Connection]:
    """/proc/net/ip_vs_conn. Reading it walks every connection: never poll it."""
    lines = lines_of(text)
    if not lines or lines[0].split()[:8] != _CONNECTION_HEADING:
        raise ParseError("this is not /proc/net/ip_vs_conn", "".join(lines[:1]))
    found = []
    for number, line in enumerate(lines[1:], 2):
        try:
            protocol, client, cport, virtual, vport, dest, dport, state, expires, *pe = line.split(
                None, 10
            )
            found.append(
                Connection(
                    protocol,
                    DestinationKey(hex_address(client), int(cport, 16)),
                    DestinationKey(hex_address(virtual), int(vport, 16)),
                    DestinationKey(hex_address(dest), int(dport, 16)),
                    state,
                    int(expires),
                    pe[0] if pe else "",
                    pe[1].strip() if len(pe) > 1 else "",
                )
            )
        except ValueError:
            raise ParseError("the line is not understood", line, number) from None
    return found


def parse_totals(text: str) -> tuple[Stats, Rates]:
    """/proc/net/ip_vs_stats: counters and rates of the whole network namespace.

    All numbers are hexadecimal. Raises ParseError.
    """
    lines = lines_of(text)
    is_known = (
        len(lines) == 6
        and lines[1].split() == ["Conns", "Packets", "Packets", "Bytes", "Bytes"]
        and lines[4].split() == ["Conns/s", "Pkts/s", "Pkts/s", "Bytes/s", "Bytes/s"]
    )
    if not is_known:
        raise ParseError("this is not /proc/net/ip_vs_stats", "".join(lines[:1]))
    try:
        totals, rates = ([int(word, 16) for word in lines[index].split()] for index in (2, 5))
        return Stats(*totals), Rates(*rates)
    except (ValueError, TypeError):
        raise ParseError("the numbers are not understood", lines[2], 3) from None
