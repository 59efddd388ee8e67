"""From an entry of the kernel's table to rows that declare it: the way back of `declared`."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network
from typing import Any

from lvs.ipvsadm.types import Destination, ForwardingMethod, Tunnel, VirtualEntry
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Forwarding

_Way = tuple[ForwardingMethod, Tunnel | None]


def rows_of(entry: VirtualEntry) -> tuple[VirtualService, list[RealServer]]:
    """Rows that are not saved yet, without director and name, for a service with an address.

    The way that most real servers are reached is the service's; the others have their own.
    """
    found = entry.service
    ways = Counter(_way(server) for server in entry.destinations.values())
    main = ways.most_common(1)[0][0] if ways else (ForwardingMethod.MASQ, None)
    service = VirtualService(
        protocol=found.key.protocol.value,
        vip=found.key.address,
        port=found.key.port,
        **_way_fields(main),
        scheduler=found.scheduler,
        scheduler_flags=",".join(found.sched_flags),
        persistence_timeout=found.persistence,
        persistence_prefix=prefix_of(found.netmask),
        persistence_engine=found.pe,
        is_one_packet=found.one_packet,
    )
    return service, [_server(server, main) for server in entry.destinations.values()]


def prefix_of(netmask: str) -> int | None:
    """A persistence mask of the table as a prefix length; None for the default."""
    if not netmask:
        return None
    return int(netmask) if netmask.isdecimal() else IPv4Network(f"0.0.0.0/{netmask}").prefixlen


def _server(server: Destination, main: _Way) -> RealServer:
    way = _way(server)
    return RealServer(
        rip=server.key.address,
        port=server.key.port,
        **(_way_fields(way) if way != main else {}),
        weight=server.weight,
        upper_threshold=server.upper_threshold,
        lower_threshold=server.lower_threshold,
    )


def _way(server: Destination) -> _Way:
    return server.forwarding, server.tunnel


def _way_fields(way: _Way) -> dict[str, Any]:
    method, tunnel = way
    fields: dict[str, Any] = {"forwarding": Forwarding(method.value).value}
    if tunnel is not None:
        fields |= {
            "tunnel_type": tunnel.type.value,
            "tunnel_port": tunnel.port,
            "tunnel_checksum": tunnel.checksum.value,
        }
    return fields
