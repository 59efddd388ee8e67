"""Figures of directors, services and real servers, for pages, API and Prometheus alike.

From the database alone. Of services whose answers go straight to the client, what would
count the answers is unknown: nothing is drawn for it, and `is_one_way` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.metrics import reading
from console.metrics.families import Family
from console.metrics.reading import MAX_OBJECTS, Curve, Curves, Latest
from console.metrics.spans import COARSE, DAY, FINE, HOUR
from lvs.measures import DIRECTOR, OUTGOING, SERVER, SERVICE
from lvs.models import Director, RealServer, VirtualService
from lvs.models.virtual_services import Forwarding

#: What a page offers to look back over.
PERIODS = {
    "hour": (_("Hour"), HOUR),
    "day": (_("Day"), DAY),
    "week": (_("Week"), 7 * DAY),
    "month": (_("Month"), 31 * DAY),
    "year": (_("Year"), 366 * DAY),
}
#: The farthest that anything reaches back.
FARTHEST = timedelta(seconds=COARSE.kept)
#: So many intervals without a reading are a gap.
_MISSED = 3
_ONE_WAY = (Forwarding.ROUTE, Forwarding.TUNNEL)

Subject = Director | VirtualService | RealServer


@dataclass(frozen=True, slots=True)
class Line:
    """One metric of a subject as a whole, or of one of its real servers."""

    curve: Curve
    server: RealServer | None
    is_one_way: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """Lines with common times, and what was last counted of the subject."""

    start: datetime
    end: datetime
    step: int
    times: tuple[int, ...]
    lines: tuple[Line, ...]
    latest: Latest | None

    @property
    def counted_at(self) -> datetime | None:
        """When the subject was last counted."""
        return self.latest.at if self.latest else None


def family_of(subject: Subject) -> Family:
    """What is measured of it."""
    if isinstance(subject, Director):
        return DIRECTOR
    return SERVICE if isinstance(subject, VirtualService) else SERVER


def is_one_way(subject: Subject) -> bool:
    """Whether its answers go straight to the client, by what is declared."""
    if isinstance(subject, RealServer):
        return subject.effective_forwarding in _ONE_WAY
    if isinstance(subject, VirtualService):
        servers = list(subject.real_servers.all())
        methods = {server.forwarding or subject.forwarding for server in servers}
        return (methods or {subject.forwarding}) <= set(_ONE_WAY)
    return False


def is_partly_one_way(service: VirtualService) -> bool:
    """Whether some of its answers pass the director by, and others do not."""
    ways = {
        (server.forwarding or service.forwarding) in _ONE_WAY
        for server in service.real_servers.all()
    }
    return len(ways) == 2


def figures_of(
    subject: Subject,
    start: datetime,
    end: datetime,
    *,
    points: int = 240,
    metrics: Sequence[str] = (),
    servers: Sequence[RealServer] | None = None,
) -> Figures:
    """Its figures between two times, of some metrics or all, of the subject or of `servers`,
    the real servers of it, instead."""
    family = family_of(subject) if servers is None else SERVER
    asked: list[Any] = [subject] if servers is None else list(servers[:MAX_OBJECTS])
    found = reading.read(
        family, [one.pk for one in asked], start.timestamp(), end.timestamp(), points=points
    )
    own = reading.latest(family_of(subject), [subject.pk]).get(subject.pk)
    lines = [
        _line(family, found, one, name, is_server=servers is not None)
        for one in asked
        for name in (metric.name for metric in family.metrics)
        if not metrics or name in metrics
    ]
    return Figures(start, end, found.step, found.times, tuple(lines), own)


def _line(family: Family, found: Curves, one: Any, name: str, *, is_server: bool) -> Line:
    curves = found.by_object.get(one.pk) or _unknown(family, len(found.times))
    curve = curves[name]
    one_way = name in OUTGOING and curve.average is None and is_one_way(one)
    return Line(curve, one if is_server else None, one_way)


def _unknown(family: Family, count: int) -> dict[str, Curve]:
    nothing = (None,) * count
    return {
        metric.name: Curve(metric, nothing, nothing, None, None, None) for metric in family.metrics
    }


def counting_interval(director: Director) -> float:
    """Seconds between two readings of every service of a director."""
    return settings.POLL_INTERVAL * max(1.0, director.table_size / settings.LARGE_TABLE)


def longest_gap(interval: float) -> float:
    """Seconds between two readings beyond which nothing is said of the time between them. Up
    to five minutes an average is as good as those that are kept."""
    return max(_MISSED * interval, FINE.seconds)


def period(name: str) -> tuple[str, datetime, datetime]:
    """A period that a page asks for by its name, the last hour for any other."""
    chosen = name if name in PERIODS else "hour"
    end = timezone.now()
    return chosen, end - timedelta(seconds=PERIODS[chosen][1]), end


@dataclass(frozen=True, slots=True)
class Live:
    """The last figures of a real server, or of a service as a whole: rates in 1/s."""

    subject: Subject
    latest: Latest | None
    is_one_way: bool


def live_of(service: VirtualService, servers: Sequence[RealServer]) -> tuple[Live, list[Live]]:
    """The last figures of a service and of its real servers."""
    own = reading.latest(SERVICE, [service.pk]).get(service.pk)
    found = reading.latest(SERVER, [server.pk for server in servers])
    return (
        Live(service, own, is_one_way(service)),
        [Live(server, found.get(server.pk), is_one_way(server)) for server in servers],
    )
