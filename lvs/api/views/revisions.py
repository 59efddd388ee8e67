"""The history of a director over the API."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from console.access import find_visible, visible_to
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, ListView
from lvs import history
from lvs.actions import revisions
from lvs.api.revision_serializers import (
    ComparisonSerializer,
    DeclaredSerializer,
    GoBackSerializer,
    RevisionSerializer,
)
from lvs.filters import RevisionFilter
from lvs.history import State
from lvs.models import Director, Revision

_AGAINST = OpenApiParameter(
    "against",
    str,
    description="The number of another state, or `now` for what is declared now; by default"
    " the state before.",
)


def _director(view: ApiView) -> Director:
    return find_visible(view.actor, Director.objects.select_related("host"), pk=view.kwargs["pk"])


def _revision(view: ApiView, number: int | None = None) -> Revision:
    wanted = view.kwargs["number"] if number is None else number
    found = history.find(visible_to(view.actor, _director(view).revisions.all()), wanted)
    if found is None:
        raise Http404
    return found


class RevisionList(ListView):
    """The states of a director that were applied, newest first."""

    queryset = Revision.objects.defer("content")
    serializer_class = RevisionSerializer
    filterset_class = RevisionFilter

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(director=_director(self))


class RevisionDetail(ApiView):
    """What was declared at one state."""

    queryset = Revision.objects.all()
    serializer_class = DeclaredSerializer

    def get(self, request: Request, pk: int, number: int) -> Response:
        """The director's own settings and its services, as they were applied."""
        state = history.state_at(_revision(self))
        return Response(DeclaredSerializer({"own": state.own, "services": state.services}).data)


class RevisionComparison(ApiView):
    """What lies between two states."""

    queryset = Revision.objects.all()
    serializer_class = ComparisonSerializer
    query_parameters = ("against",)

    @extend_schema(parameters=[_AGAINST])
    def get(self, request: Request, pk: int, number: int) -> Response:
        """The lines that lead from the other state to this one."""
        row = _revision(self)
        found = history.compare(self._other(request, row), history.state_at(row))
        values = {"steps": found.plan.steps, "fields_changed": found.fields}
        return Response(ComparisonSerializer(values).data)

    def _other(self, request: Request, row: Revision) -> State:
        against = request.query_params.get("against", "")
        if against == "now":
            return history.state_now(row.director)
        if not against:
            before = row.director.revisions.filter(number__lt=row.number).first()
            return history.state_at(before) if before else State({}, {})
        if not (against.isascii() and against.isdigit() and len(against) < 10):
            raise ValidationError({"against": [_("Give the number of a state, or “now”.")]})
        try:
            return history.state_at(_revision(self, int(against)))
        except Http404:
            raise ValidationError({"against": [_("There is no such state.")]}) from None


class RevisionGoBack(ApiView):
    """The way back to a state."""

    queryset = Revision.objects.all()
    serializer_class = OperationSerializer

    @extend_schema(request=GoBackSerializer, responses={202: OperationSerializer, 204: None})
    def post(self, request: Request, pk: int, number: int) -> Response:
        """Declare it again: 204, and the planned changes say what applying would do. With
        `apply` it is begun at once: 202."""
        director = _director(self)
        values = self.checked(GoBackSerializer)
        operation = revisions.go_back(self.actor, director, _revision(self), **values)
        return self.begun(operation) if operation else Response(status=204)
