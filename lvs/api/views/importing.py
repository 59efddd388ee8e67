"""Import of a running director over the API."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView
from lvs.actions import importing
from lvs.api.importing import ImportedSerializer, ImportRequestSerializer, ReportSerializer
from lvs.importing.report import report_of
from lvs.models import Director, ImportSource


class DirectorImport(ApiView):
    """The way of a running director under management."""

    queryset = Director.objects.select_related("host")
    serializer_class = ReportSerializer
    query_parameters = ("kind",)

    @extend_schema(
        parameters=[OpenApiParameter("kind", enum=ImportSource.Kind.values)],
        responses=ReportSerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        """The report of the last look, or of the file that was given last (`kind=file`)."""
        director = self.get_object()
        kind = request.query_params.get("kind", ImportSource.Kind.MACHINE.value)
        source = importing.find_source(director, kind)
        if source is None:
            raise Http404
        return Response(self.get_serializer(report_of(director, source)).data)

    @extend_schema(
        request=ImportRequestSerializer,
        responses={
            200: ReportSerializer,
            201: ImportedSerializer,
            202: OperationSerializer,
        },
    )
    def post(self, request: Request, pk: int) -> Response:
        """A dry run of the director is an operation (202), whose report GET then answers; that
        of a text answers its report (200). Without `dry_run` the report's offers are declared
        (201); nothing in the director's table changes by it."""
        director = self.get_object()
        values = self.checked(ImportRequestSerializer)
        is_dry, text = values.pop("dry_run"), values.pop("text", None)
        if not is_dry:
            kind = values.pop("kind")
            done = importing.import_director(self.actor, director, source=kind, **values)
            context = self.get_serializer_context()
            return Response(ImportedSerializer(done, context=context).data, status=201)
        if text is None:
            return self.begun(importing.request_survey(self.actor, director))
        source = importing.give_configuration(self.actor, director, text=text)
        return Response(self.get_serializer(report_of(director, source)).data)
