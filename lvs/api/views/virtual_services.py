"""Virtual services and their real servers."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import find_visible, require
from console.api import conditional
from console.api.pagination import WholeList
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, DetailView, ListView, live_operation
from lvs import planned, plans
from lvs.actions import pools, virtual_services
from lvs.api.serializers import (
    ConfirmSerializer,
    PlanSerializer,
    ProblemOfServiceSerializer,
    RealServerSerializer,
    VirtualServiceDetailSerializer,
    VirtualServiceSerializer,
)
from lvs.api.views.answers import ended_or_begun, plan_answer
from lvs.filters import RealServerFilter, VirtualServiceFilter
from lvs.models import RealServer, VirtualService

SERVICES = (
    VirtualService.objects.select_related("director__host")
    .prefetch_related("real_servers__host", "addresses")
    .annotate(
        live_operation=Coalesce(
            live_operation("lvs.virtualservice"), live_operation("lvs.director", "director_id")
        )
    )
)
_SERVERS = RealServer.objects.select_related("virtual_service", "host").annotate(
    live_operation=live_operation("lvs.director", "virtual_service__director_id")
)

_CONFIRM = OpenApiParameter("confirm", str, description="The name of the service.")


class VirtualServiceList(ListView):
    """The declared virtual services."""

    queryset = SERVICES.defer("director__observed_table", "director__observed_counts")
    serializer_class = VirtualServiceSerializer
    filterset_class = VirtualServiceFilter
    sorts = {
        "id": "id",
        "name": "name",
        "vip": "vip",
        "port": "port",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }

    @extend_schema(responses={201: VirtualServiceSerializer})
    def post(self, request: Request) -> Response:
        """Declare a service with its real servers; with `apply` also begin to put it in place."""
        require(self.actor, "virtual_service.manage")
        service, operation = virtual_services.create_virtual_service(self.actor, **self.checked())
        return self.created(service, "lvs-api:virtual-service-detail", operation)


class VirtualServiceDetail(DetailView):
    """One virtual service, and what was last seen of it."""

    queryset = SERVICES
    serializer_class = VirtualServiceDetailSerializer
    query_parameters = ("confirm",)

    @extend_schema(request=VirtualServiceSerializer)
    def patch(self, request: Request, pk: int) -> Response:
        """Change it. `real_servers`, where given, is the whole new list."""
        service = self.get_object()
        version = self.expected_version(service)
        service, operation = virtual_services.update_virtual_service(
            self.actor, service, expected_version=version, **self.checked()
        )
        return self.answer(service, operation)

    @extend_schema(
        parameters=[_CONFIRM],
        responses={202: OperationSerializer, 204: None},
    )
    def delete(self, request: Request, pk: int) -> Response:
        """Remove it from its director. Until that is done, keep undoes it.

        `confirm` is its name, as a parameter or in a document {"confirm": …}.
        """
        service = self.get_object()
        asked = request.data or request.query_params.dict()
        confirm = ConfirmSerializer(data=asked, context=self.get_serializer_context())
        confirm.is_valid(raise_exception=True)
        with conditional.unchanged(request, service):
            operation = virtual_services.request_removal(
                self.actor, service, **confirm.validated_data
            )
        return ended_or_begun(self, operation)


class VirtualServiceKeep(ApiView):
    """A removal that has not happened yet."""

    queryset = SERVICES
    serializer_class = VirtualServiceDetailSerializer

    @extend_schema(request=None, responses={200: VirtualServiceDetailSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Undo it."""
        return self.answer(virtual_services.keep(self.actor, self.get_object()))


class VirtualServiceFlip(ApiView):
    """The way to the other set of real servers, and back."""

    queryset = SERVICES
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Send new connections to the set that stands by; open ones stay where they are."""
        return self.begun(pools.flip_pool(self.actor, self.get_object()))


class VirtualServiceProve(ApiView):
    """The proof that the VIP answers."""

    queryset = SERVICES
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Ask each real server through its path, and the VIP from outside where the director has
        a client for proofs."""
        return self.begun(virtual_services.request_proof(self.actor, self.get_object()))


class VirtualServicePlannedChanges(ApiView):
    """What applying this service alone would run."""

    queryset = SERVICES
    serializer_class = PlanSerializer

    def get(self, request: Request, pk: int) -> Response:
        service = self.get_object()
        plan = plans.plan_for(service)
        return plan_answer(self, service.director, plan)


class VirtualServiceProblems(ListView):
    """Why it may not work, and what would help."""

    queryset = SERVICES
    serializer_class = ProblemOfServiceSerializer
    pagination_class = WholeList
    sorts = {}

    def filter_queryset(self, queryset: Any) -> Any:
        return planned.advice(self.get_object())


class RealServerList(ListView):
    """Real servers of all virtual services."""

    queryset = _SERVERS
    serializer_class = RealServerSerializer
    filterset_class = RealServerFilter
    sorts = {"id": "id", "rip": "rip", "port": "port", "weight": "weight"}


class RealServersOfService(RealServerList):
    """Real servers of one virtual service."""

    def service(self) -> VirtualService:
        """The service of the address, or 404."""
        return find_visible(self.actor, VirtualService.objects.all(), pk=self.kwargs["pk"])

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        return self.queryset.filter(virtual_service=self.service())

    @extend_schema(responses={201: RealServerSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Declare one more; with `apply` also begin to put it in place."""
        service = self.service()
        server, operation = virtual_services.add_real_server(self.actor, service, **self.checked())
        return self.created(server, "lvs-api:real-server-detail", operation)


class RealServerDetail(DetailView):
    """One real server."""

    queryset = _SERVERS
    serializer_class = RealServerSerializer
    query_parameters = ("apply",)

    def patch(self, request: Request, pk: int) -> Response:
        """Change weight, thresholds, or the address itself, which is another real server."""
        server = self.get_object()
        version = self.expected_version(server)
        server, operation = virtual_services.update_real_server(
            self.actor, server, expected_version=version, **self.checked()
        )
        return self.answer(server, operation)

    @extend_schema(
        parameters=[
            OpenApiParameter("apply", bool, description="Also begin to put the change in place.")
        ],
        responses={202: OperationSerializer, 204: None},
    )
    def delete(self, request: Request, pk: int) -> Response:
        """Take it out of its service; with `?apply=true` also begin to put that in place."""
        server = self.get_object()
        apply = request.query_params.get("apply") == "true"
        with conditional.unchanged(request, server):
            operation = virtual_services.remove_real_server(self.actor, server, apply=apply)
        return ended_or_begun(self, operation)
