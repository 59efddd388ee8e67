"""Cascades: a front and the directors behind it, declared, applied and removed as one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import require
from console.api.pagination import WholeList
from console.api.serializers.base import Strict, VisibleRelatedField
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, ListView
from lvs import cascades
from lvs.actions import cascade as verbs
from lvs.actions.cascade import Tier
from lvs.api.serializers import (
    ConfirmSerializer,
    NestedRealServerSerializer,
    VirtualServiceSerializer,
)
from lvs.api.views.answers import ended_or_begun
from lvs.api.views.virtual_services import SERVICES
from lvs.models import Director
from lvs.models.virtual_services import Forwarding

BACK = [(one, Forwarding(one).label) for one in cascades.BACK]


class TierSerializer(Strict):
    """One director of the second tier."""

    director = VisibleRelatedField(queryset=Director.objects.select_related("host"))
    forwarding = serializers.ChoiceField(choices=BACK, default=Forwarding.MASQ.value)
    scheduler = serializers.CharField(max_length=16, default="wlc")
    weight = serializers.IntegerField(
        min_value=0, default=1, help_text="Its weight as a real server of the front."
    )
    via = serializers.IPAddressField(
        required=False,
        help_text="Its address at which the front reaches it; by default the one in a network"
        " of the front's director.",
    )
    real_servers = NestedRealServerSerializer(many=True)


class AddTierSerializer(TierSerializer):
    """One more director behind a front."""

    apply = serializers.BooleanField(default=False)


class CascadeSerializer(Strict):
    """A front and the directors behind it, all or nothing."""

    front = VirtualServiceSerializer()
    tiers = TierSerializer(many=True, allow_empty=False)
    apply = serializers.BooleanField(default=False)


class BackSerializer(serializers.Serializer):
    """The service of a director behind a front, and the address at which that reaches it."""

    via = serializers.IPAddressField()
    service = VirtualServiceSerializer()


class CascadeList(ApiView):
    """Cascades."""

    queryset = SERVICES
    serializer_class = VirtualServiceSerializer

    @extend_schema(request=CascadeSerializer, responses={201: VirtualServiceSerializer})
    def post(self, request: Request) -> Response:
        """Declare a front and the directors behind it; with `apply` also begin to put both
        tiers in place, the back first. Answers the front."""
        require(self.actor, "virtual_service.manage")
        asked = self.checked(CascadeSerializer)
        front = {name: value for name, value in asked["front"].items() if name != "apply"}
        tiers = [Tier(**tier) for tier in asked["tiers"]]
        service, operation = verbs.create(
            self.actor, front=front, tiers=tiers, apply=asked["apply"]
        )
        return self.created(service, "lvs-api:virtual-service-detail", operation)


class CascadeOfService(ListView):
    """The second tier of a front."""

    queryset = SERVICES
    serializer_class = BackSerializer
    pagination_class = WholeList
    query_parameters = ("confirm",)
    sorts = {}

    def filter_queryset(self, queryset: Any) -> Any:
        front = self.get_object()
        backs = cascades.backs_of(front)
        seen = {row.pk: row for row in SERVICES.filter(pk__in=[one.pk for one in backs.values()])}
        return [{"via": via, "service": seen[back.pk]} for via, back in sorted(backs.items())]

    @extend_schema(request=AddTierSerializer, responses={201: VirtualServiceSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Put one more director behind it. Answers that director's service."""
        front = self.get_object()
        require(self.actor, "virtual_service.manage")
        asked = self.checked(AddTierSerializer)
        apply = asked.pop("apply")
        back, operation = verbs.add_tier(self.actor, front, Tier(**asked), apply=apply)
        data = VirtualServiceSerializer(
            SERVICES.get(pk=back.pk), context=self.get_serializer_context()
        ).data
        if operation is not None:
            data["operation"] = operation.pk
        return Response(data, status=201)

    @extend_schema(
        parameters=[OpenApiParameter("confirm", str, description="The name of the front.")],
        responses={202: OperationSerializer, 204: None},
    )
    def delete(self, request: Request, pk: int) -> Response:
        """Remove both tiers, the front first. `confirm` is the front's name."""
        front = self.get_object()
        confirm = ConfirmSerializer(
            data=request.data or request.query_params.dict(),
            context=self.get_serializer_context(),
        )
        confirm.is_valid(raise_exception=True)
        operation = verbs.request_removal(self.actor, front, **confirm.validated_data)
        return ended_or_begun(self, operation)


class CascadeApply(ApiView):
    """What is pending of both tiers."""

    queryset = SERVICES
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Apply both tiers in one operation: the back first, and back again if the front fails."""
        return self.begun(verbs.request_apply(self.actor, self.get_object()))
