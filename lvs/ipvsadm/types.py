"""The IPVS table as frozen values: services, destinations, and what was seen of them.

The values are named tuples: they hash and compare at the speed of tuples, which
is what lets 100,000 real servers be compared in a fraction of a second. Their
plain constructors take *canonical* values and check nothing (parsers use them);
the `of` constructors take what a person or a model holds, bring it into the
canonical form, and raise `ValueError` for what has no canonical form at all.

Canonical means: what the kernel would store and `ipvsadm -n` would print, so that
two values are equal exactly when the kernel could not tell them apart:

* addresses are the text that `ipaddress` writes (RFC 5952 for IPv6);
* a destination reached by route (DR) or tunnel has the port of its service,
  because ipvsadm silently stores that one; by firewall mark the port stays;
* a netmask and a persistence engine exist only together with persistence;
* the netmask is "" where it is the default, /32 or /128;
* scheduler flags stand in the order in which ipvsadm prints them.

Sources: ipvsadm(8) 1.31, and the kernel's net/netfilter/ipvs/ip_vs_ctl.c (6.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

#: Persistence timeout in seconds that `-p` without a number means. The manual page says
#: 300; ipvsadm 1.31 sets 360.
DEFAULT_PERSISTENCE = 360

#: Bounds that ipvsadm accepts: persistence in seconds (31 days), weight, thresholds.
MAX_PERSISTENCE = 31 * 24 * 60 * 60
MAX_WEIGHT = 2**31 - 1
MAX_THRESHOLD = 2**31 - 1
MAX_FWMARK = 2**32 - 1


class Protocol(StrEnum):
    """What a service listens to: a transport protocol, or packets with a firewall mark."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"
    FWMARK = "fwmark"


class ForwardingMethod(StrEnum):
    """How packets reach a destination: `route` is DR, `tunnel` TUN, `masq` NAT.

    The console's `fullnat` is `masq` here; what makes it full is not in the table.
    """

    ROUTE = "route"
    TUNNEL = "tunnel"
    MASQ = "masq"


class TunnelType(StrEnum):
    """How a tunnelled packet is wrapped (ipvsadm's --tun-type)."""

    IPIP = "ipip"
    GUE = "gue"
    GRE = "gre"


class TunnelChecksum(StrEnum):
    """--tun-nocsum, --tun-csum, --tun-remcsum; the last is for GUE only."""

    NONE = "nocsum"
    FULL = "csum"
    REMOTE = "remcsum"


class Tunnel(NamedTuple):
    """The wrapping of a tunnelled destination. `port` is the UDP port of GUE, else 0."""

    type: TunnelType = TunnelType.IPIP
    port: int = 0
    checksum: TunnelChecksum = TunnelChecksum.NONE


class ServiceKey(NamedTuple):
    """What makes a virtual service that one and no other.

    `address` is "" and `port` 0 for a firewall mark, whose `family` (4 or 6) is
    part of the key: the kernel keeps one service per mark *and* family.
    """

    protocol: Protocol
    address: str
    port: int
    fwmark: int = 0
    family: int = 4

    @classmethod
    def of(cls, protocol: str, address: str | IPv4Address | IPv6Address, port: int) -> ServiceKey:
        """The key of an address and port. Raises ValueError for an unknown protocol,
        a bad address, or a port outside 0..65535."""
        kind = Protocol(protocol)
        if kind is Protocol.FWMARK:
            raise ValueError("a firewall mark has no address: use ServiceKey.of_mark")
        text = canonical_address(str(address))
        return cls(kind, text, checked_port(port), 0, 6 if ":" in text else 4)

    @classmethod
    def of_mark(cls, fwmark: int, family: int = 4) -> ServiceKey:
        """The key of a firewall mark, 1..4294967295, for `family` 4 or 6."""
        if not 1 <= fwmark <= MAX_FWMARK:
            raise ValueError(f"firewall mark {fwmark} is not in 1..{MAX_FWMARK}")
        if family not in (4, 6):
            raise ValueError(f"family {family} is neither 4 nor 6")
        return cls(Protocol.FWMARK, "", 0, fwmark, family)

    def __str__(self) -> str:
        if self.fwmark:
            return f"fwmark {self.fwmark}" + (" IPv6" if self.family == 6 else "")
        return f"{self.protocol.upper()} {endpoint(self.address, self.port)}"


class DestinationKey(NamedTuple):
    """What makes a real server that one within its service."""

    address: str
    port: int

    def __str__(self) -> str:
        return endpoint(self.address, self.port)


class Service(NamedTuple):
    """A virtual service without its destinations.

    `persistence` is in seconds, None for none. `netmask` groups clients for
    persistence: dotted for IPv4 ("255.255.255.0"), a prefix length for IPv6
    ("64"), "" for the default. `pe` is the persistence engine ("sip") or "".
    """

    key: ServiceKey
    scheduler: str = "wlc"
    sched_flags: tuple[str, ...] = ()
    persistence: int | None = None
    netmask: str = ""
    pe: str = ""
    one_packet: bool = False

    @classmethod
    def of(
        cls,
        key: ServiceKey,
        scheduler: str = "wlc",
        *,
        sched_flags: Iterable[str] = (),
        persistence: int | None = None,
        netmask: str | int = "",
        pe: str = "",
        one_packet: bool = False,
    ) -> Service:
        """The service in its canonical form. `netmask` may be a prefix length or,
        for IPv4, a dotted mask. Raises ValueError for a mask that is neither."""
        is_persistent = persistence is not None
        return cls(
            key,
            scheduler,
            canonical_flags(scheduler, sched_flags),
            persistence,
            canonical_netmask(netmask, key.family) if is_persistent else "",
            pe if is_persistent else "",
            one_packet,
        )


class Destination(NamedTuple):
    """A real server of one service.

    `weight` 0 takes no new connections. The thresholds count active *and*
    inactive connections; 0 means no limit. `tunnel` is set exactly when
    `forwarding` is TUNNEL.
    """

    key: DestinationKey
    forwarding: ForwardingMethod = ForwardingMethod.ROUTE
    weight: int = 1
    upper_threshold: int = 0
    lower_threshold: int = 0
    tunnel: Tunnel | None = None

    @classmethod
    def of(
        cls,
        service: ServiceKey,
        address: str | IPv4Address | IPv6Address,
        port: int | None = None,
        forwarding: str = ForwardingMethod.ROUTE,
        *,
        weight: int = 1,
        upper_threshold: int = 0,
        lower_threshold: int = 0,
        tunnel: Tunnel | None = None,
    ) -> Destination:
        """The destination as the kernel will store it under `service`.

        Without `port` it is the service's. Raises ValueError for a bad address,
        port or forwarding method; `problems` judges the rest.
        """
        method = ForwardingMethod(forwarding)
        wanted = service.port if port is None else checked_port(port)
        return cls(
            DestinationKey(canonical_address(str(address)), stored_port(service, method, wanted)),
            method,
            weight,
            upper_threshold,
            lower_threshold,
            (tunnel or Tunnel()) if method is ForwardingMethod.TUNNEL else None,
        )


Destinations = Mapping[DestinationKey, Destination]


class VirtualEntry(NamedTuple):
    """A virtual service with its destinations."""

    service: Service
    destinations: Destinations

    @classmethod
    def of(cls, service: Service, destinations: Iterable[Destination] = ()) -> VirtualEntry:
        """The entry. Raises ValueError when a destination appears twice."""
        by_key: dict[DestinationKey, Destination] = {}
        for destination in destinations:
            if by_key.setdefault(destination.key, destination) is not destination:
                raise ValueError(f"{service.key} has the real server {destination.key} twice")
        return cls(service, by_key)


#: A whole IPVS table, desired or observed. Treated as frozen once it is built.
Table = Mapping[ServiceKey, VirtualEntry]


def table_of(entries: Iterable[VirtualEntry]) -> dict[ServiceKey, VirtualEntry]:
    """The entries by key. Raises ValueError when a service appears twice."""
    table: dict[ServiceKey, VirtualEntry] = {}
    for entry in entries:
        if table.setdefault(entry.service.key, entry) is not entry:
            raise ValueError(f"the service {entry.service.key} appears twice")
    return table


class Timeouts(NamedTuple):
    """Connection timeouts in seconds (`ipvsadm -L --timeout`)."""

    tcp: int
    tcp_fin: int
    udp: int


class Connections(NamedTuple):
    """How many connections a destination holds now, established and others."""

    active: int = 0
    inactive: int = 0


class Stats(NamedTuple):
    """Counters since the entry was made or zeroed (`--stats --exact`).

    By route and tunnel, answers do not pass the director: `out_*` then counts
    only what the director itself sent, and is no sign of silence.
    """

    connections: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int


class Rates(NamedTuple):
    """The kernel's own moving averages, per second (`--rate --exact`)."""

    connections: int
    in_packets: int
    out_packets: int
    in_bytes: int
    out_bytes: int


class SyncDaemon(NamedTuple):
    """A running connection synchronisation daemon (`ipvsadm -L --daemon`).

    `role` is "master" or "backup". Fields that an older kernel does not report
    are 0 or "".
    """

    role: str
    interface: str
    syncid: int
    max_length: int = 0
    group: str = ""
    port: int = 0
    ttl: int = 0


class Connection(NamedTuple):
    """One line of /proc/net/ip_vs_conn. `expires` is in seconds."""

    protocol: str
    client: DestinationKey
    virtual: DestinationKey
    destination: DestinationKey
    state: str
    expires: int
    pe: str = ""
    pe_data: str = ""


class Version(NamedTuple):
    """`ipvsadm --version`: of the tool, and of the IPVS interface that it was built for."""

    tool: tuple[int, ...]
    ipvs: tuple[int, ...]


_FLAG_NAMES: dict[str, tuple[str, ...]] = {
    "sh": ("sh-fallback", "sh-port"),
    "mh": ("mh-fallback", "mh-port"),
}
_GENERIC_FLAGS = ("flag-1", "flag-2", "flag-3")


def canonical_flags(scheduler: str, flags: Iterable[str]) -> tuple[str, ...]:
    """Scheduler flags in the order and under the names that ipvsadm prints.

    `flag-1` is the same bit as `sh-fallback` under sh. A flag that the scheduler
    does not know stays at the end, for `problems` to complain about.
    """
    given = set(flags)
    if not given:
        return ()
    known = _FLAG_NAMES.get(scheduler, _GENERIC_FLAGS)
    generic = dict(zip(_GENERIC_FLAGS, known, strict=False))
    given = {generic.get(flag, flag) for flag in given}
    return (*(flag for flag in known if flag in given), *sorted(given.difference(known)))


@lru_cache(maxsize=1024)
def canonical_netmask(netmask: str | int, family: int) -> str:
    """A persistence mask as ipvsadm prints it, "" for the default.

    IPv4 takes a dotted mask or a prefix length 0..32, IPv6 a prefix length 1..128.
    """
    text = str(netmask)
    if not text:
        return ""
    if family == 6:
        if not text.isdecimal() or not 1 <= int(text) <= 128:
            raise ValueError(f"{text!r} is not an IPv6 prefix length, 1..128")
        return "" if int(text) == 128 else str(int(text))
    if text.isdecimal():
        if int(text) > 32:
            raise ValueError(f"{text!r} is not an IPv4 prefix length, 0..32")
        dotted = str(IPv4Address((0xFFFFFFFF << (32 - int(text))) & 0xFFFFFFFF))
    else:
        dotted = str(IPv4Address(text))
    return "" if dotted == "255.255.255.255" else dotted


@lru_cache(maxsize=1 << 17)
def canonical_address(text: str) -> str:
    """An address as `ipaddress` writes it. Raises ValueError; zones are refused."""
    if "%" in text:
        raise ValueError(f"{text!r}: IPVS knows no address zones")
    return str(ip_address(text))


def checked_port(port: int) -> int:
    """The port, or ValueError when it is outside 0..65535."""
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is not in 0..65535")
    return port


def stored_port(service: ServiceKey, forwarding: ForwardingMethod, port: int) -> int:
    """The destination port that the kernel ends up with: ipvsadm overwrites it by the
    service's for route and tunnel, unless the service is a firewall mark."""
    if forwarding is ForwardingMethod.MASQ or service.fwmark:
        return port
    return service.port


def endpoint(address: str, port: int) -> str:
    """Address and port as ipvsadm takes and prints them: IPv6 in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
