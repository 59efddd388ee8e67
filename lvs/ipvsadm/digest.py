"""A cheap way to know that nothing moved: a digest of /proc/net/ip_vs, made on the director.

The digest covers every service (scheduler, persistence, mask, one-packet flag on IPv4)
and every real server (address, port, method, weight), and leaves the connection counts
out. Lines are sorted first, because the kernel prints its hash chains, whose order
changes when an entry is removed and added again. Services can be left out of the
digest and printed instead: the *rest digest* says that everything else stands still.

What /proc does not show, the digest does not cover: thresholds, scheduler flags,
persistence engines, tunnel data, one-packet on IPv6. A full reading does.

`digest_of` is the same digest made from a table, so that the console can tell what the
director ought to answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address

from .errors import ParseError
from .types import ForwardingMethod, Service, ServiceKey, Table, VirtualEntry

PROC = "/proc/net/ip_vs"

#: Reads the names of the services to leave out ("TCP 0A00000A:0050" and so on, one a
#: line, more words are ignored) on standard input, then /proc/net/ip_vs. Prints the heading, the
#: services left out as they are, and last the digest of all others. POSIX awk: runs
#: under mawk, busybox and gawk.
PROGRAM = """
BEGIN { rest = "LC_ALL=C sort | sha256sum"; printf "" | rest }
stage == 1 { if (NF) shown[$1 " " $2] = 1; next }
FNR <= 3 { print; next }
$1 == "->" { if (show) print; else print name, $2, $3, $4 | rest; next }
{ name = $1 " " $2; show = (name in shown) }
show { print; next }
{ $1 = $1; print | rest }
END { fflush(); close(rest) }
"""

#: The command; its standard input is `shown_names`, or nothing for the whole digest.
ARGV = ("awk", PROGRAM, "stage=1", "-", "stage=2", PROC)

_DIGEST = re.compile(r"([0-9a-f]{64}) [ *]-")
_METHODS = {
    ForwardingMethod.ROUTE: "Route",
    ForwardingMethod.TUNNEL: "Tunnel",
    ForwardingMethod.MASQ: "Masq",
}


def proc_name(key: ServiceKey) -> str:
    """The service as /proc/net/ip_vs names it. The IPv4 and the IPv6 service of one
    firewall mark have the same name."""
    if key.fwmark:
        return f"FWM {key.fwmark:08X}"
    return f"{key.protocol.upper()} {_endpoint(key.address, key.port)}"


def shown_names(keys: Iterable[ServiceKey]) -> bytes:
    """Standard input for `ARGV`: the services to print, and to leave out of the digest."""
    return "".join(f"{name}\n" for name in sorted({proc_name(key) for key in keys})).encode()


def split_digest(text: str) -> tuple[str, str]:
    """What `ARGV` printed, as (text for `parse_proc`, digest of the rest).

    Raises ParseError when the digest, which comes last, is not there.
    """
    shown, _, last = text.removesuffix("\n").rpartition("\n")
    match = _DIGEST.fullmatch(last)
    if match is None or not text.endswith("\n"):
        raise ParseError("the digest is missing at the end", last)
    return f"{shown}\n" if shown else "", match[1]


def digest_of(table: Table, hz: int | None = None, excluding: Collection[ServiceKey] = ()) -> str:
    """The digest that the director prints when its table is this one.

    `hz` is needed where a service is persistent, see `Sample.hz`; ValueError without.
    """
    excluded = {proc_name(key) for key in excluding}
    lines = []
    for key, (service, destinations) in table.items():
        name = proc_name(key)
        if name in excluded:
            continue
        lines.append(f"{name} {_definition(service, hz)}\n")
        lines.extend(
            f"{name} {_endpoint(*server)} {_METHODS[destination.forwarding]} {destination.weight}\n"
            for server, destination in destinations.items()
        )
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def shows_all_of(entry: VirtualEntry) -> bool:
    """Whether /proc/net/ip_vs shows everything that this entry says, so that the digest
    covers it whole."""
    service = entry.service
    return not (
        service.key.fwmark
        or service.sched_flags
        or service.pe
        or (service.one_packet and service.key.family == 6)
        or any(
            one.upper_threshold or one.lower_threshold or one.tunnel
            for one in entry.destinations.values()
        )
    )


def _definition(service: Service, hz: int | None) -> str:
    """What follows the name of a service, with single spaces."""
    key = service.key
    words = service.scheduler
    if service.one_packet and (key.fwmark or key.family == 4):
        words += " ops"
    if service.persistence is None:
        return words
    if hz is None:
        raise ValueError(f"{key} is persistent: the digest needs the kernel's HZ")
    return f"{words} persistent {service.persistence * hz} {_mask(service)}"


def _mask(service: Service) -> str:
    """The mask in the kernel's hexadecimal; an IPv6 prefix has its bytes swapped there."""
    if service.key.family == 4:
        return f"{int(IPv4Address(service.netmask or '255.255.255.255')):08X}"
    return int(service.netmask or "128").to_bytes(4, "little").hex().upper()


def _endpoint(address: str, port: int) -> str:
    if ":" in address:
        return f"[{IPv6Address(address).exploded}]:{port:04X}"
    first, second, third, fourth = address.split(".")
    return f"{int(first):02X}{int(second):02X}{int(third):02X}{int(fourth):02X}:{port:04X}"
