"""A director's own side: kernel settings, timeouts, local addresses, and the preset."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, DetailView, live_operation
from lvs.actions import settings
from lvs.api.settings import SettingsSerializer, UnderAttackSerializer
from lvs.models import Director

_DIRECTORS = (
    Director.objects.select_related("host")
    .annotate(live_operation=live_operation("lvs.director"))
    .defer("observed_table")
)


class DirectorSettings(DetailView):
    """What is declared of a director's own side, and what was seen."""

    queryset = _DIRECTORS
    serializer_class = SettingsSerializer

    def patch(self, request: Request, pk: int) -> Response:
        """Declare settings, timeouts, local addresses. `kernel_settings` is the whole list:
        one that is not named gets the kernel's default once, and is left alone then."""
        director = self.get_object()
        version = self.expected_version(director)
        changed, operation = settings.change_settings(
            self.actor, director, expected_version=version, **self.checked()
        )
        return self.answer(changed, operation)


class DirectorConfigure(ApiView):
    """The way of a director's own side to what is declared; its table is left alone."""

    queryset = _DIRECTORS
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Apply settings, timeouts, addresses and marks."""
        return self.begun(settings.request_configure(self.actor, self.get_object()))


class DirectorUnderAttack(ApiView):
    """The preset against floods."""

    queryset = _DIRECTORS
    serializer_class = OperationSerializer

    @extend_schema(request=UnderAttackSerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Lay the guards and short timeouts over what is declared, or take them away."""
        values = self.checked(UnderAttackSerializer)
        return self.begun(settings.set_under_attack(self.actor, self.get_object(), **values))
