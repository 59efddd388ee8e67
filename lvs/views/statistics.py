"""What the pages of load balancing show of what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.metrics.reading import Latest
from lvs import figures
from lvs.models import Director, RealServer, VirtualService


@dataclass(frozen=True, slots=True)
class Graph:
    """One drawing: its title, what it draws, and the unit of that."""

    title: str | Promise
    metrics: str
    unit: str


GRAPHS = (
    Graph(_("New connections"), "connections", "1/s"),
    Graph(_("Bytes, in and out"), "in_bytes out_bytes", "B/s"),
    Graph(_("Packets, in and out"), "in_packets out_packets", "1/s"),
    Graph(_("Active connections"), "active", ""),
)
#: Times the interval after which what was counted is stale.
_STALE = 3
#: Connections in a bucket of the kernel's table beyond which looking one up gets slow.
_CROWDED = 4


def statistics(request: HttpRequest, subject: Director | VirtualService) -> dict[str, Any]:
    """Graphs and table of one director or service for the period that the page asks for."""
    name, start, end = figures.period(request.GET.get("period", ""))
    found = figures.figures_of(subject, start, end, points=60)
    director = subject if isinstance(subject, Director) else subject.director
    every = figures.counting_interval(director)
    is_stale = found.counted_at is not None and (
        (timezone.now() - found.counted_at).total_seconds() > _STALE * every
    )
    own = found.latest
    return {
        "fill": _fill(own) if isinstance(subject, Director) and own else None,
        "graphs": GRAPHS,
        "graphs_url": reverse(_ROUTES[type(subject)], args=[subject.pk]),
        "can_split": isinstance(subject, VirtualService),
        "figures": found,
        "rows": [(line, own.figures.get(line.curve.metric.name) if own else None)
                 for line in found.lines],
        "is_one_way": any(line.is_one_way for line in found.lines),
        "is_partly_one_way": isinstance(subject, VirtualService)
        and figures.is_partly_one_way(subject),
        "period": name,
        "period_seconds": figures.PERIODS[name][1],
        "periods": [(key, label) for key, (label, _seconds) in figures.PERIODS.items()],
        "counted_every": every,
        "is_stale": is_stale,
        "counts_stale_after": _STALE * every,
    }  # fmt: skip


_ROUTES: dict[type, str] = {
    Director: "lvs-api:director-metrics",
    VirtualService: "lvs-api:virtual-service-metrics",
}


def rates(service: VirtualService, servers: Sequence[RealServer]) -> dict[str, Any]:
    """The last figures of a service and its real servers."""
    whole, each = figures.live_of(service, servers)
    every = figures.counting_interval(service.director)
    return {"rates": [whole, *each], "rates_stale_after": _STALE * every}


def _fill(own: Latest) -> dict[str, Any] | None:
    """How full a director's connection table is."""
    found = own.readings
    active, inactive, buckets = (found.get(name) for name in ("active", "inactive", "buckets"))
    if active is None or inactive is None or not buckets:
        return None
    each = (active + inactive) / buckets
    return {
        "connections": active + inactive,
        "buckets": buckets,
        "each": each,
        "tone": "warn" if each > _CROWDED else "ok",
    }
