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
from prometheus_client.core import GaugeMetricFamily, Metric
from rest_framework.decorators import api_view, permission_classes, renderer_classes
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from console import exposition
from console.access import actor_of, require
from console.api.permissions import IsAuthenticatedInScope
from console.models import Alert, Host, Operation

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 and "ok" while the console answers and reaches its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


def _state() -> Iterator[Metric]:
    """The console's own state as Prometheus reads it, counted when it asks."""
    operations = GaugeMetricFamily("evenkeel_operations", "Operations by state.", labels=["status"])
    counts = dict(Operation.objects.order_by().values_list("status").annotate(count=Count("pk")))
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


exposition.register(_state)


class _PlainText(BaseRenderer):
    """Lets DRF agree to what Prometheus accepts."""

    media_type = "text/plain"
    format = "txt"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return str(data).encode()


class _FromKnownNetwork(IsAuthenticatedInScope):
    """A token or session that may read, or an address of METRICS_NETWORKS and nothing more."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if exposition.is_from_known_network(request.META.get("REMOTE_ADDR", "")):
            return True
        if not super().has_permission(request, view):
            return False
        require(actor_of(request), "host.view")
        return True


@extend_schema(exclude=True)
@api_view(["GET"])
@renderer_classes([_PlainText])
@permission_classes([_FromKnownNetwork])
def metrics(request: Request) -> HttpResponse:
    """What Prometheus reads: for staff, in the browser or with a token that may read, and for
    the networks that the settings name."""
    return HttpResponse(exposition.text(), content_type=_CONTENT_TYPE)
