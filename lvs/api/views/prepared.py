"""Prepared machines, and one real server's side."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import require
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, DetailView, ListView, live_operation
from lvs import preparations
from lvs.actions import preparation as verbs
from lvs.api.serializers_prepared import PreparationSerializer, PreparedServerSerializer
from lvs.filters import PreparedServerFilter
from lvs.models import PreparedServer, RealServer

_ROWS = PreparedServer.objects.select_related("host").annotate(
    live_operation=live_operation("lvs.preparedserver")
)


class PreparedServerList(ListView):
    """Machines that are prepared as real servers."""

    queryset = _ROWS
    serializer_class = PreparedServerSerializer
    filterset_class = PreparedServerFilter
    sorts = {"id": "id", "name": "host__name"}


class PreparedServerDetail(DetailView):
    """One of them."""

    queryset = _ROWS
    serializer_class = PreparedServerSerializer


class PreparedServerPrepare(ApiView):
    """Preparing a machine."""

    queryset = _ROWS
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Prepare it for all that is declared of it, undo what no service needs, and verify."""
        return self.begun(verbs.request_preparation(self.actor, self.get_object()))


class RealServerPreparation(ApiView):
    """One real server's side."""

    queryset = RealServer.objects.select_related("host", "virtual_service__director__host")
    serializer_class = PreparationSerializer

    @extend_schema(responses={200: PreparationSerializer})
    def get(self, request: Request, pk: int) -> Response:
        """Scripts to prepare it, to verify and to undo, and how it stands."""
        found = preparations.preparation_of(self.actor, self.get_object())
        return Response(PreparationSerializer(found).data)

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Prepare and verify its machine now."""
        server: Any = self.get_object()
        require(self.actor, "director.apply")
        return self.begun(verbs.request_preparation_of(self.actor, server))
