"""Which forwarding method suits: for a service that is declared, and for one that is not yet."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.pagination import WholeList
from console.api.serializers.base import Strict
from console.api.views.base import ListView
from lvs import advising
from lvs.models import Director, RealServer, VirtualService
from lvs.topology.advisor import Advice, Fit, Sentence

_WORDS = {"type": "array", "items": {"type": "string"}}
_KNOWN = (
    OpenApiParameter(
        "is_mostly_out",
        bool,
        description="Answers carry much more than requests. Without it, the counters tell.",
    ),
    OpenApiParameter(
        "needs_client_address", bool, description="The real servers must see the client's address."
    ),
)


class AdviceSerializer(serializers.Serializer):
    """One forwarding method: how it fits, and what speaks for it and against it."""

    method = serializers.CharField()
    fit = serializers.ChoiceField(choices=[fit.value for fit in Fit])
    reasons = serializers.SerializerMethodField()
    against = serializers.SerializerMethodField()
    needs = serializers.SerializerMethodField()

    @extend_schema_field(_WORDS)
    def get_reasons(self, advice: Advice) -> list[str]:
        return _said(advice.reasons)

    @extend_schema_field(_WORDS)
    def get_against(self, advice: Advice) -> list[str]:
        return _said(advice.against)

    @extend_schema_field(_WORDS)
    def get_needs(self, advice: Advice) -> list[str]:
        return _said(advice.needs)


def _said(sentences: tuple[Sentence, ...]) -> list[str]:
    return [sentence.text(gettext) for sentence in sentences]


class QuestionSerializer(Strict):
    """What only a person knows."""

    is_mostly_out = serializers.BooleanField(required=False, allow_null=True, default=None)
    needs_client_address = serializers.BooleanField(required=False, allow_null=True, default=None)


class PlaceSerializer(QuestionSerializer):
    """A service that is not declared yet."""

    vip = serializers.IPAddressField()
    port = serializers.IntegerField(min_value=0, max_value=65535)
    real_server = serializers.ListField(
        child=serializers.IPAddressField(), required=False, default=list, max_length=200
    )
    real_port = serializers.IntegerField(min_value=1, max_value=65535, required=False)


class _AdviceView(ListView):
    serializer_class = AdviceSerializer
    pagination_class = WholeList
    sorts = {}

    def question(self, kind: type[Strict]) -> dict[str, Any]:
        """The query's parameters as values. Raises ValidationError."""
        query = self.request.query_params
        data: dict[str, Any] = {
            name: query.getlist(name) if name == "real_server" else value
            for name, value in query.items()
        }
        asked = kind(data=data, context=self.get_serializer_context())
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)


class VirtualServiceAdvice(_AdviceView):
    """Which forwarding method suits a service, the most suitable first."""

    queryset = VirtualService.objects.select_related("director__host", "director__probe_host")
    query_parameters = ("is_mostly_out", "needs_client_address")

    @extend_schema(parameters=[*_KNOWN])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        service = self.get_object()
        return advising.advice_on(
            service, service.real_servers.all(), **self.question(QuestionSerializer)
        )


class DirectorAdvice(_AdviceView):
    """Which forwarding method would suit a service on this director, before it is declared."""

    queryset = Director.objects.select_related("host", "probe_host")
    query_parameters = (
        *VirtualServiceAdvice.query_parameters,
        "vip",
        "port",
        "real_server",
        "real_port",
    )

    @extend_schema(
        parameters=[
            OpenApiParameter("vip", str, required=True, description="The VIP."),
            OpenApiParameter("port", int, required=True, description="The port; 0 for every."),
            OpenApiParameter(
                "real_server", str, many=True, description="The address of a real server, each."
            ),
            OpenApiParameter("real_port", int, description="The port at which they listen."),
            *_KNOWN,
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def filter_queryset(self, queryset: Any) -> Any:
        director, asked = self.get_object(), self.question(PlaceSerializer)
        port = asked.pop("port")
        real_port = asked.pop("real_port", port)
        servers = [RealServer(rip=rip, port=real_port) for rip in asked.pop("real_server")]
        service = VirtualService(director=director, vip=asked.pop("vip"), port=port)
        return advising.advice_on(service, servers, **asked)
