"""For machines that watch the console: is it up, and how much is going on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from rest_framework.decorators import api_view, renderer_classes
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from console.access import actor_of, require
from console.models import Alert, Host, Operation

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 and "ok" while the console answers and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


class _Gauges:
    """The console's state as Prometheus reads it, counted when it asks."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        operations = GaugeMetricFamily(
            "evenkeel_operations", "Operations by state.", labels=["status"]
        )
        counts = dict(
            Operation.objects.order_by().values_list("status").annotate(count=Count("pk"))
        )
        for status in Operation.Status.values:
            operations.add_metric([status], counts.get(status, 0))
        yield operations
        open_alerts = GaugeMetricFamily(
            "evenkeel_alerts_open", "Open alerts by severity.", labels=["severity"]
        )
        counts = dict(
            Alert.objects.open().order_by().values_list("severity").annotate(count=Count("pk"))
        )
        for severity in Alert.Severity.values:
            open_alerts.add_metric([severity], counts.get(severity, 0))
        yield open_alerts
        hosts = GaugeMetricFamily("evenkeel_hosts", "Hosts by reach.", labels=["reach"])
        counts = dict(Host.objects.order_by().values_list("reach").annotate(count=Count("pk")))
        for reach in Host.Reach.values:
            hosts.add_metric([reach], counts.get(reach, 0))
        yield hosts


class _PlainText(BaseRenderer):
    """Lets DRF agree to what Prometheus accepts."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return str(data).encode()


@extend_schema(exclude=True)
@api_view(["GET"])
@renderer_classes([_PlainText])
def metrics(request: Request) -> HttpResponse:
    """Gauges for Prometheus; for staff, in the browser or with a token that may read."""
    require(actor_of(request), "host.view")
    registry = CollectorRegistry()
    registry.register(_Gauges())
    return HttpResponse(generate_latest(registry), content_type=_CONTENT_TYPE)
