"""Alerts and the audit log."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console import alerts
from console.api.serializers.log import AlertSerializer, AuditEventSerializer
from console.api.views.base import ApiView, DetailView, ListView
from console.filters import AlertFilter, AuditEventFilter
from console.models import Alert, AuditEvent

_ALERTS = Alert.objects.select_related("acknowledged_by")


class AlertList(ListView):
    """What needs or needed a person, newest first."""

    queryset = _ALERTS
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    sorts = {"id": "id", "raised_at": "raised_at", "last_seen_at": "last_seen_at"}


class AlertDetail(DetailView):
    """One alert."""

    queryset = _ALERTS
    serializer_class = AlertSerializer


class AlertAcknowledge(ApiView):
    """Who looks after an alert."""

    queryset = _ALERTS
    serializer_class = AlertSerializer

    @extend_schema(request=None, responses={200: AlertSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Say that you look after it; it stays open until its cause is gone."""
        alert = self.get_object()
        alerts.acknowledge(self.actor, alert)
        return self.answer(alert)


class AuditEventList(ListView):
    """Who did what, newest first."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilter
    sorts = {"id": "id", "at": "at"}


class AuditEventDetail(DetailView):
    """One line of the audit log."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
