"""Load balancing as Prometheus reads it: the kernel's counters as they were last read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from console import exposition
from console.metrics.families import Family
from console.metrics.reading import Latest, latest_of_all
from lvs.figures import counting_interval, longest_gap
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import Director, RealServer, VirtualService

_SERVICE_LABELS = ["director", "service", "vip", "protocol", "port"]

#: Metric of the store -> name and help for Prometheus, which adds _total to counters.
_COUNTERS = {
    "connections": ("connections", "New connections."),
    "in_packets": ("in_packets", "Packets from clients."),
    "out_packets": ("out_packets", "Packets to clients; none where answers pass the director by."),
    "in_bytes": ("in_bytes", "Bytes from clients."),
    "out_bytes": ("out_bytes", "Bytes to clients; none where answers pass the director by."),
}
_GAUGES = {
    "active": ("active_connections", "Established connections."),
    "inactive": ("inactive_connections", "Connections that open, close, or are idle."),
    "buckets": ("connection_table_buckets", "Size of the connection table's hash."),
}

#: How a director was last seen: name, help and value.
LOOKS: dict[str, tuple[str, Callable[[Director], float]]] = {
    "drift_lines": ("Lines that would mend it.", lambda row: row.drift_count),
    "unmanaged_entries": ("Services that nobody declared.", lambda row: row.unmanaged_count),
    "table_entries": ("Services and real servers.", lambda row: row.table_size),
    "last_look_timestamp_seconds": (
        "When its table was last seen.",
        lambda row: row.observed_at.timestamp() if row.observed_at else 0.0,
    ),
}


class _Labelled(NamedTuple):
    """What one object is called, and how old its reading may be."""

    labels: list[str]
    since: datetime


def collect() -> Iterator[Metric]:
    """Directors, virtual services and real servers. Costs a few queries, whatever is asked."""
    directors = _directors()
    yield from _looks(directors)
    named = {
        row.pk: _Labelled([row.host.name], _since(counting_interval(row))) for row in directors
    }
    yield from _families("evenkeel_director", ["director"], DIRECTOR, named)
    services = _services(named)
    yield from _families("evenkeel_virtual_service", _SERVICE_LABELS, SERVICE, services)
    servers, weights = _servers(services)
    labels = [*_SERVICE_LABELS, "real_server"]
    yield from _families("evenkeel_real_server", labels, SERVER, servers)
    weight = GaugeMetricFamily("evenkeel_real_server_weight", "Declared weight.", labels=labels)
    for pk, number in weights.items():
        weight.add_metric(servers[pk].labels, number)
    yield weight


def _directors() -> list[Director]:
    return list(
        Director.objects.select_related("host").only(
            "host__name", "observed_at", "drift_count", "unmanaged_count", "table_size"
        )
    )


def _looks(directors: list[Director]) -> Iterator[Metric]:
    """How each director was last seen."""
    for name, (words, value) in LOOKS.items():
        found = GaugeMetricFamily(f"evenkeel_director_{name}", words, labels=["director"])
        for row in directors:
            found.add_metric([row.host.name], value(row))
        yield found


def _services(directors: Mapping[int, _Labelled]) -> dict[int, _Labelled]:
    rows = VirtualService.objects.order_by("pk").values_list(
        "pk", "director_id", "name", "vip", "protocol", "port"
    )
    return {
        pk: _Labelled([*directors[owner].labels, *map(str, labels)], directors[owner].since)
        for pk, owner, *labels in rows.iterator()
        if owner in directors
    }


def _servers(
    services: Mapping[int, _Labelled],
) -> tuple[dict[int, _Labelled], dict[int, int]]:
    """The real servers with their labels, and their declared weights."""
    labelled, weights = {}, {}
    rows = RealServer.objects.order_by("pk").values_list(
        "pk", "virtual_service_id", "rip", "port", "weight"
    )
    for pk, owner, rip, port, weight in rows.iterator():
        if owner in services:
            address = f"[{rip}]:{port}" if ":" in rip else f"{rip}:{port}"
            whole = services[owner]
            labelled[pk] = _Labelled([*whole.labels, address], whole.since)
            weights[pk] = weight
    return labelled, weights


def _families(
    prefix: str, labels: list[str], family: Family, named: Mapping[int, _Labelled]
) -> Iterator[Metric]:
    """The counters and gauges of one kind of object, of those that were read lately."""
    oldest = min((one.since for one in named.values()), default=timezone.now())
    fresh = [
        (named[pk].labels, latest)
        for pk, latest in latest_of_all(family, oldest).items()
        if pk in named and latest.at >= named[pk].since
    ]
    names = [metric.name for metric in family.metrics]
    for name, (called, words) in _COUNTERS.items():
        counter = CounterMetricFamily(f"{prefix}_{called}", words, labels=labels)
        yield _filled(counter, name, fresh)
    for name, (called, words) in _GAUGES.items():
        if name in names:
            gauge = GaugeMetricFamily(f"{prefix}_{called}", words, labels=labels)
            yield _filled(gauge, name, fresh)


def _filled(
    found: CounterMetricFamily | GaugeMetricFamily,
    name: str,
    fresh: list[tuple[list[str], Latest]],
) -> Metric:
    for labels, latest in fresh:
        value = latest.readings.get(name)
        if value is not None:
            found.add_metric(labels, value)
    return found


def _since(interval: float) -> datetime:
    """Readings from before then are left out: a gap is no flat line."""
    return timezone.now() - timedelta(seconds=longest_gap(interval))


exposition.register(collect)
