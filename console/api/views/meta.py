"""The API about itself: its document, its kinds of problems, and addresses that are none."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils.translation import get_language
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from console.api.pagination import WholeList
from console.api.problem_types import PROBLEM_TYPES
from console.api.serializers.base import Strict
from console.api.views.base import ApiView, tagged


@lru_cache(maxsize=8)
def openapi(language: str) -> dict[str, Any]:
    """The OpenAPI document in one language; it is the same for everybody."""
    return SchemaGenerator().get_schema(request=None, public=True)


@extend_schema(exclude=True)
class OpenApiJson(ApiView):
    """The OpenAPI 3.1 document."""

    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2]

    def get(self, request: Request) -> Response:
        return Response(openapi(get_language() or ""))


@extend_schema(exclude=True)
class OpenApiYaml(OpenApiJson):
    """The same in YAML."""

    renderer_classes = [OpenApiYamlRenderer, OpenApiYamlRenderer2]


@require_safe
@ensure_csrf_cookie
def docs(request: HttpRequest) -> HttpResponse:
    """The document as a page, from which requests can be sent."""
    return render(request, "api/docs.html")


class ProblemTypeSerializer(Strict):
    """One kind of problem."""

    code = serializers.CharField()
    status = serializers.IntegerField()
    title = serializers.CharField()
    remedy = serializers.CharField()


class ProblemTypeList(ApiView):
    """Every kind of problem that this API answers."""

    serializer_class = ProblemTypeSerializer
    pagination_class = WholeList

    @extend_schema(responses={200: ProblemTypeSerializer(many=True)}, filters=False)
    def get(self, request: Request) -> Response:
        rows = self.get_serializer(list(PROBLEM_TYPES.values()), many=True)
        return self.get_paginated_response(rows.data)


class ProblemTypeDetail(ApiView):
    """What the `type` of a problem leads to."""

    serializer_class = ProblemTypeSerializer

    def get(self, request: Request, code: str) -> Response:
        if code not in PROBLEM_TYPES:
            raise Http404
        return tagged(self.get_serializer(PROBLEM_TYPES[code]).data)


@extend_schema(exclude=True)
class NoSuchAddress(ApiView):
    """Any other address: 404 in the API's own form, or the way to the one that was meant."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nothing is here, whoever asks and however."""
        raise Http404

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.path_info.endswith("/"):
            try:
                meant = resolve(request.path_info + "/")
            except Resolver404:
                meant = None
            if meant is not None and meant.url_name != "no-such-address":
                response = HttpResponse(status=308)  # RFC 9110: method and body stay
                response["Location"] = request.get_full_path(force_append_slash=True)
                return response
        return super().dispatch(request, *args, **kwargs)
