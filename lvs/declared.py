"""From declared rows to the values that the planner compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from django.db.models import QuerySet

from lvs.ipvsadm.types import (
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualEntry,
    stored_port,
)
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import GIVEN_MARKS, Forwarding, Pool, pool_mark
from lvs.needs import wanted_around as wanted_around

Entries = dict[ServiceKey, VirtualEntry]

_METHODS = {method.value: method.in_table for method in Forwarding}


class _ServiceRow(NamedTuple):
    """The columns of a service that make it an entry, read without making model instances."""

    id: int
    protocol: str
    vip: str
    port: int
    fwmark: int | None
    forwarding: str
    scheduler: str
    scheduler_flags: str
    persistence_timeout: int | None
    persistence_prefix: int | None
    persistence_engine: str
    is_one_packet: bool
    live_pool: str
    tunnel_type: str
    tunnel_port: int
    tunnel_checksum: str


class _ServerRow(NamedTuple):
    """Likewise of a real server."""

    virtual_service_id: int
    pool: str
    rip: str
    port: int
    forwarding: str
    weight: int
    upper_threshold: int
    lower_threshold: int
    tunnel_type: str
    tunnel_port: int
    tunnel_checksum: str


Row = TypeVar("Row", _ServiceRow, _ServerRow)


def key_of(service: VirtualService | _ServiceRow, pool: str = "") -> ServiceKey:
    """The key of a declared service in the kernel's table: of its live set of real servers,
    or of another one."""
    mark = service.fwmark
    if mark is not None:
        mark = pool_mark(mark, pool or service.live_pool)
    return _key(service.protocol, service.vip, service.port, mark)


def _key(protocol: str, vip: str, port: int, fwmark: int | None) -> ServiceKey:
    if fwmark is not None:
        return ServiceKey.of_mark(fwmark, 6 if ":" in vip else 4)
    return ServiceKey.of(protocol, vip, port)


def key_text(key: ServiceKey) -> str:
    """A key as it stands in addresses and forms: tcp:10.0.0.1:80, fwmark:7, fwmark6:7."""
    if key.fwmark:
        return f"fwmark{6 if key.family == 6 else ''}:{key.fwmark}"
    host = f"[{key.address}]" if ":" in key.address else key.address
    return f"{key.protocol}:{host}:{key.port}"


def desired_table(services: QuerySet[VirtualService]) -> Entries:
    """The table that the given services declare; those on their way out are left out.

    Two queries, whatever their number.
    """
    declared = services.filter(removal_requested_at=None)
    rows = {row.id: row for row in _rows(declared.order_by("id"), _ServiceRow)}
    servers: dict[int, list[_ServerRow]] = defaultdict(list)
    found = RealServer.objects.filter(virtual_service__in=declared)
    for one in _rows(found.order_by("virtual_service_id", "id"), _ServerRow):
        servers[one.virtual_service_id].append(one)
    table: Entries = {}
    for pk, row in rows.items():
        table |= _entries(row, servers.get(pk, ()))
    return table


def entry_of(service: VirtualService, servers: Iterable[RealServer]) -> VirtualEntry:
    """One service with its live set as the planner's value, from rows that need not be saved
    yet.

    Raises ValueError for what the kernel has no form for, a real server twice for example.
    """
    return entries_of(service, servers)[key_of(service)]


def entries_of(service: VirtualService, servers: Iterable[RealServer]) -> Entries:
    """One service with both its sets, the standby one where it has real servers."""
    return _entries(service, servers)


def _entries(
    row: VirtualService | _ServiceRow, servers: Iterable[RealServer] | Iterable[_ServerRow]
) -> Entries:
    by_pool: dict[str, list[RealServer | _ServerRow]] = {row.live_pool: []}
    for server in servers:
        pool = server.pool if row.fwmark is not None else row.live_pool
        by_pool.setdefault(pool, []).append(server)
    entries: Entries = {}
    for pool, members in by_pool.items():
        key = key_of(row, pool)
        entries[key] = _entry(key, row, [_destination(key, row, one) for one in members])
    return entries


def _rows(rows: QuerySet[Any], kind: type[Row]) -> Iterator[Row]:
    return map(kind._make, rows.values_list(*kind._fields).iterator(chunk_size=5000))


def _destination(
    key: ServiceKey, service: VirtualService | _ServiceRow, server: RealServer | _ServerRow
) -> Destination:
    method = _METHODS[server.forwarding or service.forwarding]
    return Destination(
        DestinationKey(server.rip, stored_port(key, method, server.port)),
        method,
        server.weight,
        server.upper_threshold,
        server.lower_threshold,
        tunnel_of(server if server.forwarding else service)
        if method is ForwardingMethod.TUNNEL
        else None,
    )


def tunnel_of(row: VirtualService | RealServer | _ServiceRow | _ServerRow) -> Tunnel:
    """The wrapping that a row declares, as the planner's value."""
    return Tunnel(TunnelType(row.tunnel_type), row.tunnel_port, TunnelChecksum(row.tunnel_checksum))


def _entry(
    key: ServiceKey, row: VirtualService | _ServiceRow, servers: Iterable[Destination]
) -> VirtualEntry:
    prefix = row.persistence_prefix
    service = Service.of(
        key,
        row.scheduler,
        sched_flags=[flag for flag in row.scheduler_flags.split(",") if flag],
        persistence=row.persistence_timeout,
        netmask=prefix if prefix is not None else "",
        pe=row.persistence_engine,
        one_packet=row.is_one_packet,
    )
    return VirtualEntry.of(service, servers)


def owned_keys(services: QuerySet[VirtualService]) -> set[ServiceKey]:
    """The keys that are ours: declared, on their way out, and those of either set of real
    servers under a mark that the console gave."""
    columns = services.values_list("protocol", "vip", "port", "fwmark")
    keys = {_key(*row) for row in columns}
    return keys | {
        _key(protocol, vip, port, pool_mark(mark, Pool.GREEN))
        for protocol, vip, port, mark in columns
        if mark is not None and mark in GIVEN_MARKS
    }
