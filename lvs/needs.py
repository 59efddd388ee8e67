"""From declared rows to what a director needs around its IPVS table."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import NamedTuple

from django.db.models import Q, QuerySet

from lvs.director.claims import Claim, Conflict, disjoint
from lvs.director.nftables import ADDRESS_MARKS, MARK_MASK, Marking
from lvs.director.settings import Timeouts, normalise, timeouts_under_attack, under_attack
from lvs.director.types import Wanted
from lvs.models import Director, RealServer, ServiceAddress, VirtualService
from lvs.models.virtual_services import Forwarding, pool_mark

_MASQUERADING = (Forwarding.MASQ, Forwarding.FULLNAT)
_LAST_PORT = 65535

Services = QuerySet[VirtualService]


class _Marked(NamedTuple):
    """The columns of a service by firewall mark, or with Full NAT."""

    pk: int
    name: str
    fwmark: int | None
    protocol: str
    vip: str
    port: int
    is_vip_managed: bool
    live_pool: str

    @property
    def mark(self) -> int:
        return self.mark_of(self.live_pool)

    def mark_of(self, pool: str) -> int:
        """The mark of one of its sets of real servers."""
        return mark_of(self.pk, self.fwmark, pool)


class _More(NamedTuple):
    """The columns of a `ServiceAddress`, with its service."""

    virtual_service_id: int
    protocol: str
    network: str
    first_port: int
    last_port: int

    @property
    def is_single(self) -> bool:
        return ip_network(self.network, strict=False).num_addresses == 1


@dataclass(frozen=True, slots=True)
class _Marks:
    """Services whose packets get a mark, by number, and all their further addresses; which
    of them stay, and which go. Empty for most directors, at the cost of one query."""

    services: dict[int, _Marked] = field(default_factory=dict)
    more: tuple[_More, ...] = ()
    staying: frozenset[int] = frozenset()
    going: frozenset[int] = frozenset()

    def addresses(self, of: frozenset[int]) -> tuple[set[str], set[str]]:
        """Single addresses and networks that managed services among these have more."""
        rows = [row for row in self.more if row.virtual_service_id in of
                and self.services[row.virtual_service_id].is_vip_managed]  # fmt: skip
        single = {row.network.partition("/")[0] for row in rows if row.is_single}
        return single, {
            str(ip_network(row.network, strict=False)) for row in rows if not row.is_single
        }


def wanted_around(
    director: Director, scope: Services | None = None, *, leaving: Services | None = None
) -> Wanted:
    """What the director needs around its table: for what is in place, and for the services
    of `scope`, which are about to be (all of them without it). Those of `leaving` go; by
    default those of `scope` that are on their way out."""
    services = director.virtual_services.all()
    chosen = services if scope is None else scope
    going = chosen.exclude(removal_requested_at=None) if leaving is None else leaving
    staying = services.filter(Q(applied_generation__gt=0) | Q(pk__in=chosen.values("pk"))).exclude(
        pk__in=going.values("pk")
    )
    masquerading = _vips(staying.filter(forwarding__in=_MASQUERADING)) | set(
        RealServer.objects.filter(virtual_service__in=staying, forwarding__in=_MASQUERADING)
        .values_list("virtual_service__vip", flat=True)
        .distinct()
    )
    marks = _marks(services, staying, going)
    single, networks = marks.addresses(marks.staying)
    left, _networks = marks.addresses(marks.going)
    marking, conflicts = _marking(director, staying, marks)
    settings, timeouts = settings_of(director)
    return Wanted(
        interface=director.vip_interface,
        vips=frozenset(_vips(staying.filter(is_vip_managed=True)) | single),
        leaving=frozenset(
            (_vips(going.filter(is_vip_managed=True)) | left) - _vips(staying) - single
        ),
        declared=frozenset(_vips(services) | marks.addresses(frozenset(marks.services))[0]),
        networks=frozenset(networks),
        needs_ipv4_forwarding=any(":" not in vip for vip in masquerading),
        needs_ipv6_forwarding=any(":" in vip for vip in masquerading),
        settings=settings,
        timeouts=timeouts,
        marking=marking,
        conflicts=conflicts,
        local_interface=director.local_interface,
    )


def settings_of(director: Director) -> tuple[dict[str, str], Timeouts]:
    """Declared settings and timeouts, with the preset over them while it is on."""
    settings = normalise(director.kernel_settings)
    timeouts = Timeouts(director.tcp_timeout, director.tcp_fin_timeout, director.udp_timeout)
    if director.is_under_attack:
        return under_attack(settings), timeouts_under_attack(timeouts)
    return settings, timeouts


def mark_of(pk: int, fwmark: int | None, pool: str = "") -> int:
    """The mark that the packets of a service get: its own, or that of its Full NAT."""
    return pool_mark(fwmark, pool) if fwmark is not None else ADDRESS_MARKS | pk & MARK_MASK


def full_nat_servers(services: Services) -> QuerySet[RealServer]:
    """The real servers that are spoken to from an address of the director's."""
    return RealServer.objects.filter(virtual_service__in=services).filter(
        Q(forwarding=Forwarding.FULLNAT)
        | Q(forwarding="", virtual_service__forwarding=Forwarding.FULLNAT)
    )


def _marks(services: Services, staying: Services, going: Services) -> _Marks:
    by_mark = Q(matching=VirtualService.Matching.MARK)
    behind = full_nat_servers(services).values("virtual_service")
    found = services.filter(by_mark | Q(pk__in=behind)).order_by("pk")
    rows = {row.pk: row for row in map(_Marked._make, found.values_list(*_Marked._fields))}
    if not rows:
        return _Marks()
    more = ServiceAddress.objects.filter(virtual_service__in=services.filter(by_mark)).order_by(
        "pk"
    )
    return _Marks(
        rows,
        tuple(_More(*row) for row in more.values_list(*_More._fields)),
        frozenset(staying.filter(pk__in=found.values("pk")).values_list("pk", flat=True)),
        frozenset(going.filter(pk__in=found.values("pk")).values_list("pk", flat=True)),
    )


def _marking(
    director: Director, staying: Services, marks: _Marks
) -> tuple[Marking, tuple[Conflict, ...]]:
    """What the nftables table does for these services; those without a mark of their own
    keep what is theirs out of the ranges of others."""
    ours = [marks.services[pk] for pk in sorted(marks.staying)]
    if not ours:
        return Marking(), ()
    claims = [_claim(one.protocol, one.vip, one.port, one.mark, one.name) for one in ours]
    for row in marks.more:
        if row.virtual_service_id in marks.staying:
            owner = marks.services[row.virtual_service_id]
            claims.append(
                Claim(
                    row.network,
                    row.protocol,
                    row.first_port,
                    row.last_port,
                    owner.mark,
                    owner.name,
                )
            )
    if any(claim.first_port != claim.last_port or "/" in claim.network for claim in claims):
        columns = staying.values_list("pk", "protocol", "vip", "port", "name")
        claims += [
            _claim(protocol, vip, port, 0, name)
            for pk, protocol, vip, port, name in columns
            if pk not in marks.staying
        ]
    found = disjoint(claims)
    servers = full_nat_servers(staying).values_list("virtual_service", "rip", "pool")
    full_nat = frozenset((marks.services[pk].mark_of(pool), rip) for pk, rip, pool in servers)
    pool = tuple(director.local_addresses) if full_nat else ()
    return Marking(found.points, found.ranges, full_nat, pool), found.conflicts


def _claim(protocol: str, vip: str, port: int, mark: int, name: str) -> Claim:
    return Claim(vip, protocol, port, port or _LAST_PORT, mark, name)


def _vips(services: Services) -> set[str]:
    return set(services.order_by().values_list("vip", flat=True).distinct())
