"""Proofs of virtual services, and drains of real servers."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView
from lvs.actions.draining import drain_real_server
from lvs.api.proofs import DrainSerializer, ProofSerializer
from lvs.models import RealServer, VirtualService


class VirtualServiceProof(ApiView):
    """What was last proved of a service, by packets."""

    queryset = VirtualService.objects.all()
    serializer_class = ProofSerializer

    def get(self, request: Request, pk: int) -> Response:
        """The last proof; its verdict is empty before the first."""
        service = self.get_object()
        values = {"proved_at": service.proved_at, **service.proof}
        return Response(self.get_serializer(values).data)


class RealServerDrain(ApiView):
    """The end of a real server's connections."""

    queryset = RealServer.objects.select_related("virtual_service__tenant")
    serializer_class = OperationSerializer

    @extend_schema(request=DrainSerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Weight 0; wait for its connections or the limit; then take it out, or keep it.

        Cancelling the operation gives the old weight back.
        """
        values = self.checked(DrainSerializer)
        return self.begun(drain_real_server(self.actor, self.get_object(), **values))
