"""Directors: what is planned for them, what is there unmanaged, and the verbs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import find_visible
from console.api import conditional
from console.api.pagination import ValuePagination
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, DetailView, ListView, live_operation
from console.shell import require_somewhere
from lvs import planned
from lvs.actions import directors
from lvs.api.serializers import (
    AdoptSerializer,
    ApplySerializer,
    DirectorSerializer,
    PlanSerializer,
    RemoveUnmanagedSerializer,
    UnmanagedSerializer,
    VirtualServiceSerializer,
)
from lvs.api.views.answers import plan_answer
from lvs.api.views.virtual_services import SERVICES
from lvs.filters import DirectorFilter
from lvs.models import Director

_DIRECTORS = Director.objects.select_related("host").annotate(
    live_operation=live_operation("lvs.director")
)
#: Without what only the planned changes need.
_LIGHT = _DIRECTORS.defer("observed_table", "observed_counts")


class DirectorList(ListView):
    """Hosts whose kernel holds an IPVS table."""

    queryset = _LIGHT
    serializer_class = DirectorSerializer
    filterset_class = DirectorFilter
    sorts = {"id": "id", "name": "host__name", "drift_count": "drift_count"}
    default_sort = "name"

    @extend_schema(responses={201: DirectorSerializer})
    def post(self, request: Request) -> Response:
        """Declare that a host is a director. Its table is looked at; nothing is changed."""
        require_somewhere(self.actor, "director.manage")
        director, operation = directors.create_director(self.actor, **self.checked())
        return self.created(director, "lvs-api:director-detail", operation)


class DirectorDetail(DetailView):
    """One director."""

    queryset = _LIGHT
    serializer_class = DirectorSerializer

    def patch(self, request: Request, pk: int) -> Response:
        """Change policy, client for proofs, or the interface of VIPs not in place yet."""
        director = self.get_object()
        version = self.expected_version(director)
        values = self.checked()
        directors.update_director(self.actor, director, expected_version=version, **values)
        return self.answer(director)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Forget a director without services. Its table stays as it is."""
        director = self.get_object()
        with conditional.unchanged(request, director):
            directors.delete_director(self.actor, director)
        return Response(status=204)


class DirectorObserve(ApiView):
    """A look at the whole table."""

    queryset = _LIGHT
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Look now."""
        return self.begun(directors.request_observe(self.actor, self.get_object()))


class DirectorApply(ApiView):
    """The way from what is there to what is declared."""

    queryset = _LIGHT
    serializer_class = OperationSerializer

    @extend_schema(request=ApplySerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Apply all that is pending or drifted, or only the services that are named."""
        director = self.get_object()
        values = self.checked(ApplySerializer)
        return self.begun(directors.request_apply(self.actor, director, **values))


class DirectorPlannedChanges(ApiView):
    """What Apply would run, without running it."""

    queryset = _DIRECTORS
    serializer_class = PlanSerializer

    def get(self, request: Request, pk: int) -> Response:
        director = self.get_object()
        return plan_answer(self, director, planned.planned_changes(director))


class DirectorUnmanaged(ListView):
    """Entries of the table that nobody has declared here; they are never touched unasked."""

    queryset = _DIRECTORS
    serializer_class = UnmanagedSerializer
    pagination_class = ValuePagination
    sorts = {"key": "key"}
    default_sort = "key"

    def filter_queryset(self, queryset: Any) -> Any:
        return planned.unmanaged(self.get_object())


class DirectorAdopt(ApiView):
    """The way of an unmanaged entry under management."""

    queryset = SERVICES
    serializer_class = VirtualServiceSerializer

    @extend_schema(request=AdoptSerializer, responses={201: VirtualServiceSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Declare the entry exactly as it is there; no packet is lost."""
        director = find_visible(self.actor, Director.objects.all(), pk=pk)
        service, operation = directors.adopt(self.actor, director, **self.checked(AdoptSerializer))
        return self.created(service, "lvs-api:virtual-service-detail", operation)


class DirectorRemoveUnmanaged(ApiView):
    """The end of an unmanaged entry."""

    queryset = _DIRECTORS
    serializer_class = OperationSerializer

    @extend_schema(request=RemoveUnmanagedSerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Remove it from the table. `confirm` is its key once more."""
        director = self.get_object()
        values = self.checked(RemoveUnmanagedSerializer)
        return self.begun(directors.request_removal_of_unmanaged(self.actor, director, **values))
