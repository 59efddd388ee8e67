"""What is known of the machines that a service concerns, as frozen values.

Nothing here was asked of a machine now: each value is as it was last seen, and None or an
empty collection means not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Network = IPv4Network | IPv6Network

LOOPBACK = "lo"
MAIN_TABLE = "main"


class Method(StrEnum):
    """How a packet reaches a real server, as people declare it."""

    ROUTE = "route"
    TUNNEL = "tunnel"
    MASQ = "masq"
    FULLNAT = "fullnat"


@dataclass(frozen=True, slots=True)
class Route:
    """One unicast route; `gateway` is empty for a network that is directly attached."""

    network: Network
    gateway: str
    device: str
    table: str = MAIN_TABLE


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as it was last seen.

    `routes` is None where they were never read. `settings` are sysctls by name. `up` are
    the interfaces that are up, None where that is not known.
    """

    name: str = ""
    addresses: Mapping[str, tuple[Interface, ...]] = field(default_factory=dict)
    routes: tuple[Route, ...] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    up: frozenset[str] | None = None

    def interfaces_of(self, address: str) -> list[str]:
        """The interfaces that hold an address."""
        wanted = ip_address(address)
        return [name for name, held in self.addresses.items() if wanted in {one.ip for one in held}]

    def attached(self) -> list[Network]:
        """The networks that it is directly attached to, loopback left out."""
        return [
            one.network
            for name, held in self.addresses.items()
            if name != LOOPBACK
            for one in held
            if one.network.num_addresses > 1
        ]

    def way_to(self, address: str) -> Route | None:
        """The route of the main table that packets to an address take: the longest prefix."""
        wanted = parsed(address)
        fitting = [
            route
            for route in self.routes or ()
            if route.table == MAIN_TABLE
            and route.network.version == wanted.version
            and wanted in route.network
        ]
        return max(fitting, key=lambda route: route.network.prefixlen, default=None)

    def setting(self, name: str, interface: str) -> int | None:
        """`net.ipv4.conf.INTERFACE.NAME` as the kernel applies it: the larger of that and of
        `all` (ip-sysctl of the kernel's documentation)."""
        values = [
            self.settings.get(f"net.ipv4.conf.{one}.{name}", "") for one in ("all", interface)
        ]
        return max((int(value) for value in values if value.isdecimal()), default=None)


@dataclass(frozen=True, slots=True)
class Server:
    """One real server: as it is declared, and its machine where that was ever seen.

    `is_prepared` says that the console logs in to it and prepares it for its method.
    `connections` are those that it holds now, active and inactive; None where not counted.
    """

    address: str
    port: int
    method: Method
    weight: int = 1
    upper_threshold: int = 0
    tunnel: str = "ipip"
    tunnel_checksum: str = "nocsum"
    machine: Machine | None = None
    is_prepared: bool = False
    connections: int | None = None

    def __str__(self) -> str:
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else (f"{self.address}:{self.port}")
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """A machine other than the director that was seen with the VIP on an interface.
    `is_recent` says that it was seen a moment ago."""

    machine: str
    interface: str
    is_recent: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """A service with everything around it that decides whether it can work.

    `own_addresses` are the director's, VIPs left out. `is_vip_managed` says that the console
    puts the VIP on the director; `is_by_mark` that packets are chosen by a firewall mark;
    `is_second_tier` that a front sends the packets, and the VIP comes with its preparation.
    `local_addresses` are those of the Full NAT pool.
    """

    vip: str
    port: int
    servers: tuple[Server, ...] = ()
    director: Machine = field(default_factory=Machine)
    own_addresses: frozenset[str] = frozenset()
    is_vip_managed: bool = True
    is_by_mark: bool = False
    is_persistent: bool = False
    is_second_tier: bool = False
    local_addresses: tuple[str, ...] = ()
    clients: tuple[Network, ...] = ()
    holders: tuple[Holder, ...] = ()

    def by(self, *methods: Method) -> list[Server]:
        """The real servers that are reached by one of these methods."""
        return [server for server in self.servers if server.method in methods]

    def is_near(self, server: Server) -> bool | None:
        """Whether the director reaches a real server without a router; None if not known."""
        if self.director.routes is not None:
            way = self.director.way_to(server.address)
            return None if way is None else not way.gateway
        address = parsed(server.address)
        attached = [one for one in self.director.attached() if one.version == address.version]
        return is_inside(server.address, attached) if attached else None

    def is_among_clients(self, server: Server) -> bool:
        """Whether clients are known to be in the real server's own network."""
        return is_inside(server.address, self.clients)


@lru_cache(maxsize=65536)
def parsed(address: str) -> Address:
    """An address, parsed once."""
    return ip_address(address)


def is_inside(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    wanted = parsed(address)
    return any(wanted in network for network in networks if network.version == wanted.version)


def route_of(network: str, gateway: str, device: str, table: str = MAIN_TABLE) -> Route:
    """A route from the words of iproute2, "default" already turned into 0.0.0.0/0 or ::/0."""
    return Route(ip_network(network, strict=False), gateway, device, table)
