"""Moving a service to another forwarding method."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import require
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView
from lvs import moving
from lvs.actions.moving import move_forwarding
from lvs.api.serializers_moving import MoveQuerySerializer, MoveSerializer, MovingSerializer
from lvs.api.views.answers import ended_or_begun
from lvs.api.views.virtual_services import SERVICES


class VirtualServiceMove(ApiView):
    """A move to another forwarding method, while the service serves."""

    queryset = SERVICES
    serializer_class = MoveSerializer
    query_parameters = ("forwarding",)

    @extend_schema(
        parameters=[OpenApiParameter("forwarding", str, required=True)],
        responses={200: MovingSerializer},
    )
    def get(self, request: Request, pk: int) -> Response:
        """What the move would do to each real server and to its connections."""
        service = self.get_object()
        asked = MoveQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        forwarding, rows = asked.validated_data["forwarding"], list(service.real_servers.all())
        found = {
            "forwarding": forwarding,
            "real_servers": moving.fates_of(service, rows, forwarding),
            "consequences": [
                words for _tone, words in moving.consequences(service, rows, forwarding)
            ],
        }
        return Response(MovingSerializer(found).data)

    @extend_schema(responses={202: OperationSerializer, 204: None})
    def post(self, request: Request, pk: int) -> Response:
        """Do it. 204 for a service that was never applied: only its declaration changes."""
        service = self.get_object()
        require(self.actor, "virtual_service.manage", service)
        version = self.expected_version(service)
        _service, operation = move_forwarding(
            self.actor, service, expected_version=version, **self.checked()
        )
        return ended_or_begun(self, operation)
