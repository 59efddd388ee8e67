"""What was counted of directors, virtual services and real servers, over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView
from console.metrics.reading import MAX_POINTS
from lvs import figures
from lvs.actions.connections import request_search
from lvs.api.metrics import ConnectionsSerializer, FiguresSerializer
from lvs.figures import Subject
from lvs.measures import DIRECTOR
from lvs.models import Director, RealServer, VirtualService

_NAMES = [metric.name for metric in DIRECTOR.metrics]
_PARAMETERS = [
    OpenApiParameter("from", datetime, description="The beginning; an hour ago by default."),
    OpenApiParameter("to", datetime, description="The end; now by default."),
    OpenApiParameter("metric", str, many=True, enum=_NAMES, description="All by default."),
    OpenApiParameter(
        "points",
        {"type": "integer", "minimum": 1, "maximum": MAX_POINTS},
        description="About how many to answer; fewer where it was counted more rarely.",
    ),
]
_BY = OpenApiParameter(
    "by", str, enum=["real_server"], description="Curves of each real server instead of the whole."
)


class _Metrics(ApiView):
    serializer_class = FiguresSerializer
    query_parameters: tuple[str, ...] = ("from", "to", "metric", "points")

    def figures(self, subject: Subject, **more: Any) -> Response:
        """The answer about one subject."""
        query = self.request.query_params
        end = _moment(query.get("to"), "to") or timezone.now()
        start = _moment(query.get("from"), "from") or end - timedelta(hours=1)
        if not timedelta(0) < end - start <= figures.FARTHEST:
            raise _wrong("from", _("Give a time before “to”, at most a year."))
        known = {metric.name for metric in figures.family_of(subject).metrics}
        asked = query.getlist("metric")
        if not known.issuperset(asked):
            raise _wrong("metric", _("There is no such metric."))
        found = figures.figures_of(
            subject, start, end, points=_points(query.get("points")), metrics=asked, **more
        )
        return Response(self.get_serializer(found).data)


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1971 < found.year < 9000:
        raise _wrong(name, _("Give a time with its zone, such as 2026-01-31T08:00:00Z."))
    return found


def _points(text: str | None) -> int:
    if text is None:
        return 240
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MAX_POINTS):
        raise _wrong("points", _("Give a number from 1 to %(most)d.") % {"most": MAX_POINTS})
    return int(text)


def _wrong(name: str, words: str) -> ValidationError:
    return ValidationError({name: [ErrorDetail(words, "invalid")]})


class DirectorMetrics(_Metrics):
    """What a director's kernel counted as a whole."""

    queryset = Director.objects.select_related("host").defer("observed_table", "observed_counts")

    @extend_schema(parameters=_PARAMETERS)
    def get(self, request: Request, pk: int) -> Response:
        return self.figures(self.get_object())


class VirtualServiceMetrics(_Metrics):
    """What was counted of a virtual service, or of each of its real servers."""

    queryset = VirtualService.objects.prefetch_related("real_servers")
    query_parameters = (*_Metrics.query_parameters, "by")

    @extend_schema(parameters=[*_PARAMETERS, _BY])
    def get(self, request: Request, pk: int) -> Response:
        service = self.get_object()
        by = request.query_params.get("by")
        if by not in (None, "real_server"):
            raise _wrong("by", _("Give real_server, or leave it out."))
        return self.figures(service, servers=list(service.real_servers.all()) if by else None)


class RealServerMetrics(_Metrics):
    """What was counted of one real server."""

    queryset = RealServer.objects.select_related("virtual_service")

    @extend_schema(parameters=_PARAMETERS)
    def get(self, request: Request, pk: int) -> Response:
        return self.figures(self.get_object())


class DirectorConnections(ApiView):
    """The connection table of a director, searched on demand."""

    queryset = Director.objects.select_related("host").defer("observed_table", "observed_counts")
    serializer_class = OperationSerializer

    @extend_schema(request=ConnectionsSerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Search it. The operation's `result` has `connections` (500 at most), their `total`,
        `is_cut` and `looked_at`."""
        director = self.get_object()
        asked = self.checked(ConnectionsSerializer)
        return self.begun(request_search(self.actor, director, **asked))
