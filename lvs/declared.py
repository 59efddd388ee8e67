"""From declared rows to the values that the planner compares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from lvs.director.types import Wanted
from lvs.ipvsadm.types import (
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    VirtualEntry,
)
from lvs.models import Director, RealServer, VirtualService

Entries = dict[ServiceKey, VirtualEntry]

_SERVICE_FIELDS = (
    "id",
    "protocol",
    "vip",
    "port",
    "scheduler",
    "scheduler_flags",
    "persistence_timeout",
    "persistence_prefix",
    "is_one_packet",
    "forwarding",
)
_SERVER_FIELDS = (
    "virtual_service_id",
    "rip",
    "port",
    "forwarding",
    "weight",
    "upper_threshold",
    "lower_threshold",
)


def key_of(service: VirtualService) -> ServiceKey:
    """The key of a declared service in the kernel's table."""
    return ServiceKey.of(service.protocol, service.vip, service.port)


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
    rows = list(declared.order_by("id").values_list(*_SERVICE_FIELDS))
    methods = {row[0]: row[9] for row in rows}
    keys = {row[0]: ServiceKey.of(row[1], row[2], row[3]) for row in rows}
    servers = _destinations(declared, methods, keys)
    return {keys[row[0]]: _entry(keys[row[0]], row, servers.get(row[0], ())) for row in rows}


def entry_of(service: VirtualService, servers: Iterable[RealServer]) -> VirtualEntry:
    """One service as the planner's value, from rows that need not be saved yet.

    Raises ValueError for what the kernel has no form for, a real server twice for example.
    """
    key = key_of(service)
    row = tuple(getattr(service, name) for name in _SERVICE_FIELDS)
    return _entry(
        key,
        row,
        [
            Destination.of(
                key,
                server.rip,
                server.port,
                server.forwarding or service.forwarding,
                weight=server.weight,
                upper_threshold=server.upper_threshold,
                lower_threshold=server.lower_threshold,
            )
            for server in servers
        ],
    )


def _destinations(
    declared: QuerySet[VirtualService], methods: dict[int, str], keys: dict[int, ServiceKey]
) -> dict[int, list[Destination]]:
    found: dict[int, list[Destination]] = defaultdict(list)
    enum = {method.value: method for method in ForwardingMethod}
    rows = (
        RealServer.objects.filter(virtual_service__in=declared)
        .order_by("virtual_service_id", "id")
        .values_list(*_SERVER_FIELDS)
    )
    for owner, rip, port, forwarding, weight, upper, lower in rows.iterator(chunk_size=5000):
        method = enum[forwarding or methods[owner]]
        stored = port if method is ForwardingMethod.MASQ else keys[owner].port
        found[owner].append(Destination(DestinationKey(rip, stored), method, weight, upper, lower))
    return found


def _entry(key: ServiceKey, row: tuple[Any, ...], servers: Iterable[Destination]) -> VirtualEntry:
    _id, _protocol, _vip, _port, scheduler, flags, timeout, prefix, one_packet, _method = row
    service = Service.of(
        key,
        scheduler,
        sched_flags=[flag for flag in flags.split(",") if flag],
        persistence=timeout,
        netmask=prefix if prefix is not None else "",
        one_packet=one_packet,
    )
    return VirtualEntry.of(service, servers)


def owned_keys(services: QuerySet[VirtualService]) -> set[ServiceKey]:
    """The keys that are ours: declared, and on their way out."""
    return {
        ServiceKey.of(protocol, vip, port)
        for protocol, vip, port in services.values_list("protocol", "vip", "port")
    }


def wanted_around(director: Director, scope: QuerySet[VirtualService] | None = None) -> Wanted:
    """What the director needs around its table: for what is in place, and for the services
    of `scope`, which are about to be (all of them without it)."""
    services = director.virtual_services.all()
    chosen = services if scope is None else scope
    leaving = chosen.exclude(removal_requested_at=None)
    staying = services.filter(Q(applied_generation__gt=0) | Q(pk__in=chosen.values("pk"))).exclude(
        pk__in=leaving.values("pk")
    )
    needed = _vips(staying)
    masquerading = _vips(staying.filter(forwarding=ForwardingMethod.MASQ.value)) | set(
        RealServer.objects.filter(
            virtual_service__in=staying, forwarding=ForwardingMethod.MASQ.value
        )
        .values_list("virtual_service__vip", flat=True)
        .distinct()
    )
    return Wanted(
        interface=director.vip_interface,
        vips=frozenset(_vips(staying.filter(is_vip_managed=True))),
        leaving=frozenset(_vips(leaving.filter(is_vip_managed=True)) - needed),
        needs_ipv4_forwarding=any(":" not in vip for vip in masquerading),
        needs_ipv6_forwarding=any(":" in vip for vip in masquerading),
    )


def _vips(services: QuerySet[VirtualService]) -> set[str]:
    return set(services.order_by().values_list("vip", flat=True).distinct())
