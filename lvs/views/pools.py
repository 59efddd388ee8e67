"""Blue and green: the two sets of real servers of a service by firewall mark."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from console.access import actor_of, find_visible
from lvs.actions import pools as verbs
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Pool, pool_mark


@dataclass(frozen=True, slots=True)
class PoolShown:
    """One set as the page of its service shows it."""

    label: str
    mark: str
    is_live: bool
    servers: list[RealServer]


def pools_of(service: VirtualService, servers: Iterable[RealServer]) -> list[PoolShown]:
    """Both sets, once a service has a second one; else none."""
    rows = list(servers)
    if service.fwmark is None or all(row.pool == service.live_pool for row in rows):
        return []
    return [
        PoolShown(
            str(pool.label),
            f"0x{pool_mark(service.fwmark, pool):08x}",
            pool == service.live_pool,
            [row for row in rows if row.pool == pool],
        )
        for pool in Pool
    ]


@require_POST
def flip(request: HttpRequest, pk: int) -> HttpResponse:
    """Send new connections to the other set."""
    actor = actor_of(request)
    rows = VirtualService.objects.select_related("tenant", "director__host")
    service = find_visible(actor, rows, pk=pk)
    verbs.flip_pool(actor, service)
    return redirect(service)
