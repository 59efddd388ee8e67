"""What Prometheus reads: apps register collectors, so that the kernel names none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

Collector = Callable[[], Iterator[Metric]]

#: Seconds for which an answer is kept: asking more often costs nothing more.
KEPT = 10
_CACHE_KEY = "exposition"
_COLLECTORS: list[Collector] = []


def register(collector: Collector) -> None:
    """Add a collector. It reads the database alone, and little of it."""
    _COLLECTORS.append(collector)


class _All:
    def collect(self) -> Iterator[Metric]:
        for collector in _COLLECTORS:
            yield from collector()


def text() -> bytes:
    """All metrics in Prometheus' text format, at most KEPT seconds old."""
    kept: bytes | None = cache.get(_CACHE_KEY)
    if kept is None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_All())
        kept = generate_latest(registry)
        cache.set(_CACHE_KEY, kept, KEPT)
    return kept


def is_from_known_network(address: str) -> bool:
    """Whether METRICS_NETWORKS lets this address read without a token."""
    try:
        asking = ip_address(address)
    except ValueError:
        return False
    return any(asking in ip_network(network) for network in settings.METRICS_NETWORKS)
