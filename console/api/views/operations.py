"""Operations: read, wait for, cancel, try again."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console import operations
from console.api import wait
from console.api.serializers.operations import OperationDetailSerializer, OperationSerializer
from console.api.views.base import ApiView, DetailView, ListView
from console.filters import OperationFilter
from console.models import Operation, Step
from console.waiting import wait_for

_PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description=f"`wait=30` holds the answer until the operation has ended, at most"
    f" {wait.MAX_WAIT} seconds (RFC 7240).",
)


class OperationList(ListView):
    """Asked-for changes and looks, newest first."""

    queryset = Operation.objects.all()
    serializer_class = OperationSerializer
    filterset_class = OperationFilter
    sorts = {"id": "id", "queued_at": "queued_at"}


class OperationDetail(DetailView):
    """One operation."""

    queryset = Operation.objects.prefetch_related(
        Prefetch("steps", Step.objects.select_related("operation"))
    )
    serializer_class = OperationDetailSerializer

    @extend_schema(parameters=[_PREFER])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The operation with its steps; with `Prefer: wait=30` once it has ended."""
        seconds = wait.wanted_wait(request)
        if seconds is not None:
            wait_for(self.get_object(), seconds)
        response = super().get(request, *args, **kwargs)
        if seconds is not None:
            response["Preference-Applied"] = f"wait={seconds}"
        return response


class OperationCancel(ApiView):
    """The end of an operation before its time."""

    queryset = Operation.objects.all()
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={200: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Cancel: at once while it waits, at the next safe point while it runs."""
        return self.answer(operations.request_cancel(self.actor, self.get_object()))


class OperationRetry(ApiView):
    """The same thing again."""

    queryset = Operation.objects.all()
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Ask for what failed or was cancelled again, as a new operation."""
        return self.begun(operations.request_retry(self.actor, self.get_object()))
